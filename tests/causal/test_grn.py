"""Zero deletion: which rows a test sees, what too few of them mean, and the searches that use it."""

from __future__ import annotations

import re
from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest

from ponder.causal.grn import ZeroDeletedCITest, drop_out, expression, random_network, rows_left, simulate_expression
from ponder.causal.independence import CIResult, Evidence
from ponder.causal.search import Cpdag, _read, ges, pc
from ponder.core.errors import InputError

DATA = np.array([[0, 1, 1, 2], [1, 0, 2, 1], [2, 3, 0, 1], [3, 1, 5, 0], [4, 2, 2, 7], [0, 0, 1, 1]], dtype=float)


def seeing(rows: list[np.ndarray]) -> Callable[..., Evidence]:
    def test(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Evidence:
        rows.append(np.column_stack([x, y, z]))
        return Evidence(0.5, 0.0)

    return test


@pytest.mark.parametrize(("delete", "kept"), [("conditioning", [0, 1, 3, 4, 5]), ("all", [3, 4]), ("none", [0, 1, 2, 3, 4, 5])])
def test_rows_with_zeros_are_left_out(delete: str, kept: list[int]):
    data = np.vstack([DATA] * 10)  # enough rows for an answer
    rows: list[np.ndarray] = []
    found = ZeroDeletedCITest(seeing(rows), delete, min_rows=5)(data, 0, 1, (2,))  # type: ignore[arg-type]
    expected = np.vstack([DATA[kept][:, [0, 1, 2]]] * 10)
    assert np.array_equal(rows[0], expected)
    assert found == CIResult(0.5, 0.0, 10 * len(kept))


def test_without_conditioning_genes_all_rows_are_used():
    rows: list[np.ndarray] = []
    ZeroDeletedCITest(seeing(rows), min_rows=5)(DATA, 0, 3)
    assert np.array_equal(rows[0], DATA[:, [0, 3]])


def test_values_are_transformed_after_rows_were_chosen():
    rows: list[np.ndarray] = []
    ZeroDeletedCITest(seeing(rows), transform="log1p", min_rows=5)(DATA, 0, 1, (2,))
    assert np.allclose(rows[0], np.log1p(DATA[[0, 1, 3, 4, 5]][:, [0, 1, 2]]))
    ZeroDeletedCITest(seeing(rows), transform="rank", min_rows=5, max_rows=5)(DATA, 0, 3)
    assert rows[1].shape == (5, 2)
    assert rows[1].max() <= 5


def test_too_few_rows_are_inconclusive_and_never_independent():
    found = ZeroDeletedCITest(min_rows=6)(DATA, 0, 1, (2,))
    assert found.inconclusive
    assert found.n_used == 5
    assert np.isnan(found.p)
    data = np.random.default_rng(0).normal(size=(40, 3))
    none_left = pc(data, ZeroDeletedCITest(min_rows=41))
    assert none_left.skeleton == {(0, 1), (0, 2), (1, 2)}
    assert none_left.inconclusive > 0
    assert ges(data, ZeroDeletedCITest(min_rows=41)).skeleton == frozenset()


def d_separation(edges: tuple[tuple[int, int], ...], n: int) -> Callable[..., CIResult]:
    graph = nx.DiGraph(edges)
    graph.add_nodes_from(range(n))

    def test(data: np.ndarray, i: int, j: int, given: tuple[int, ...]) -> CIResult:
        return CIResult(float(nx.is_d_separator(graph, {i}, {j}, set(given))), 0.0, len(data))

    return test


@pytest.mark.parametrize("seed", range(12))
def test_pc_with_a_perfect_test_finds_the_class_of_the_graph(seed: int):
    rng = np.random.default_rng(seed)
    edges = random_network(6, 3 + seed % 7, rng)
    found = pc(rng.normal(size=(20, 6)), d_separation(edges, 6))
    assert found == Cpdag.of_dag(6, edges)


def test_the_class_of_a_graph_keeps_what_observations_tell():
    chain, collider = Cpdag.of_dag(3, [(0, 1), (1, 2)]), Cpdag.of_dag(3, [(0, 1), (2, 1)])
    assert chain.undirected == {(0, 1), (1, 2)}
    assert collider.directed == {(0, 1), (2, 1)}
    assert chain.distance(collider) == 2 == collider.distance(chain)
    assert chain.skeleton_f1(collider) == 1
    assert Cpdag.of_dag(3, []).skeleton_f1(Cpdag.of_dag(3, [])) == 1
    assert Cpdag(3, frozenset({(0, 1)}), frozenset()).distance(Cpdag(3, frozenset({(1, 0)}), frozenset({(1, 2)}))) == 2


@pytest.mark.parametrize("search", [pc, ges])
def test_searches_find_an_easy_class_from_data(search: Callable[..., Cpdag]):
    rng = np.random.default_rng(3)
    a, b, d = rng.normal(size=(3, 4000))
    c = a + b + rng.normal(size=4000)
    data = np.column_stack([a, b, c, c + d])
    assert search(data) == Cpdag.of_dag(4, [(0, 2), (1, 2), (2, 3)])
    dropped = data * (rng.random(data.shape) < 0.6)
    assert search(dropped, ZeroDeletedCITest()).skeleton == {(0, 2), (1, 2), (2, 3)}
    assert search(dropped).skeleton > {(0, 2), (1, 2), (2, 3)}


@pytest.mark.parametrize("seed", range(3))
def test_scores_by_tests_of_complete_data_are_bic(seed: int):
    from causallearn.search.ScoreBased.GES import ges as by_bic

    rng = np.random.default_rng(seed)
    data = simulate_expression(random_network(5, 5, rng), 5, 2000, "raw", rng)
    assert ges(data, penalty=0.5) == _read(by_bic(data)["G"].graph, 0)


@pytest.mark.parametrize("mechanism", ["constant", "truncation", "logistic"])
@pytest.mark.parametrize("kind", ["raw", "exp", "poisson"])
def test_dropouts_leave_the_other_values_exact(kind: str, mechanism: str):
    rng = np.random.default_rng(1)
    true = simulate_expression(random_network(4, 4, rng), 4, 3000, kind, rng)  # type: ignore[arg-type]
    measured = drop_out(true, mechanism, rng, kind)  # type: ignore[arg-type]
    assert np.all((measured == true) | (measured == 0))
    shares = [np.mean(column[z != 0] == 0) for column, z in zip(measured.T, true.T, strict=True)]  # counts have zeros of their own
    assert 0.15 < max(shares) < 0.9
    if kind == "poisson":
        assert np.array_equal(true, np.round(true))


def test_rows_left_fall_with_the_number_of_genes():
    data = (np.random.default_rng(0).random((2000, 6)) < 0.5).astype(float)
    means = [rows_left(data, k, 20, np.random.default_rng(0)).mean() for k in (1, 2, 3)]
    assert np.allclose(means, [1000, 500, 250], rtol=0.1)


def test_a_table_of_counts_is_passed_on_and_a_poor_one_warned_of():
    assert np.array_equal(expression(DATA, counts=True, min_rows=3), DATA)
    with pytest.warns(UserWarning, match="fewer than 30 cells"):
        expression(DATA)


def refusals():
    yield "different columns", lambda: ZeroDeletedCITest()(DATA, 1, 1, (2,))
    yield "different columns", lambda: ZeroDeletedCITest()(DATA, 0, 1, (1,))
    yield "different columns", lambda: ZeroDeletedCITest()(DATA, 0, 4, ())
    yield "delete is one of", lambda: ZeroDeletedCITest(delete="zeros")  # type: ignore[arg-type]
    yield "did you mean 'fisherz'", lambda: ZeroDeletedCITest("fisher-z")
    yield "min_rows is at least 5", lambda: ZeroDeletedCITest(min_rows=2)
    yield "log1p needs values above -1", lambda: ZeroDeletedCITest(transform="log1p", min_rows=5)(DATA - 2, 0, 1)
    yield "no exact 0", lambda: expression(DATA + 0.1)
    yield "whole numbers of at least 0", lambda: expression(DATA - 1, counts=True)
    yield "gene 0 is constant", lambda: expression(DATA * [0, 1, 1, 1])
    yield "NaN or infinity is in column 1", lambda: expression(DATA * [1, np.nan, 1, 1])
    yield "column 0 is constant", lambda: pc(DATA * [0, 1, 1, 1])
    yield "at least 2 variables", lambda: pc(DATA[:, :1])
    yield "alpha", lambda: pc(DATA, alpha=1.0)
    yield "penalty", lambda: ges(DATA, penalty=0)
    yield "Fisher's z statistic", lambda: ges(DATA, "kci")
    yield "cycles", lambda: Cpdag.of_dag(2, [(0, 1), (1, 0)])
    yield "at most 6 edges", lambda: random_network(4, 7, np.random.default_rng(0))
    yield "kind is one of", lambda: simulate_expression([], 2, 10, "log", np.random.default_rng(0))  # type: ignore[arg-type]
    yield "mechanism is one of", lambda: drop_out(DATA, "random", np.random.default_rng(0))  # type: ignore[arg-type]
    yield "size is between", lambda: rows_left(DATA, 5, 1, np.random.default_rng(0))


@pytest.mark.parametrize(("message", "make"), [*refusals()])
def test_bad_input_is_refused(message: str, make: Callable[[], object]):
    with pytest.raises(InputError, match=re.escape(message)):
        make()
