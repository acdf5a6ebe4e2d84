"""Causal de Finetti: the learner on laws, on simulated environments, and what is refused."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from ponder.causal.de_finetti import (
    CausalDeFinetti,
    NoSinkError,
    binary_pair_law,
    bivariate_direction,
    pairs,
    random_dag,
    simulate_binary,
    simulate_continuous,
    structural_distance,
)
from ponder.causal.independence import Evidence, find_test, fisher_z, g_test, kernel_test
from ponder.core.errors import InputError


def given_nothing(n: int) -> np.ndarray:
    return np.empty((n, 0))


def oracle(edges: list[tuple[int, int]], variables: int) -> Callable[..., Evidence]:
    """A test that knows the graph: columns hold 2 * variable + sample, and environments share a parent of each variable."""
    import networkx as nx

    graph = nx.DiGraph()
    for v in range(variables):
        for s in range(2):
            graph.add_edge(("theta", v), (v, s))
            graph.add_edges_from(((u, s), (v, s)) for u, w in edges if w == v)

    def test(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Evidence:
        nodes = [(int(column[0]) // 2, int(column[0]) % 2) for column in (x, y, *z.T)]
        return Evidence(float(nx.is_d_separator(graph, nodes[0], nodes[1], set(nodes[2:]))), 0.0)

    return test


@pytest.mark.parametrize("seed", range(40))
def test_with_a_perfect_test_every_graph_is_found(seed: int):
    rng = np.random.default_rng(seed)
    variables = 2 + seed % 5
    names = rng.permutation(variables)
    edges = [(int(names[u]), int(names[v])) for u, v in random_dag(variables, rng)]
    codes = np.broadcast_to(2 * np.arange(variables) + np.arange(2)[:, None], (200, 2, variables))
    found = CausalDeFinetti(oracle(edges, variables), on_tie="abstain").fit(codes)
    assert found.edges == tuple(sorted(edges))
    assert found.ties == ()


@pytest.mark.parametrize(("structure", "edges"), [("x -> y", [(0, 1)]), ("y -> x", [(1, 0)]), ("none", [])])
def test_with_a_perfect_test_every_pair_is_told(structure: str, edges: list[tuple[int, int]]):
    codes = np.broadcast_to(2 * np.arange(2) + np.arange(2)[:, None], (200, 2, 2))
    found = bivariate_direction(codes[..., 0], codes[..., 1], oracle(edges, 2), on_tie="abstain")
    assert (found.answer, found.tie) == (structure, False)


@pytest.mark.parametrize(
    ("p", "argmax", "abstain"),
    [((0.5, 0.6, 0.01), "y -> x", "abstain"), ((0.01, 0.02, 0.03), "none", "abstain"), ((0.5, 0.01, 0.01), "x -> y", "x -> y")],
)
def test_what_matches_no_pattern_is_a_tie(p: tuple[float, ...], argmax: str, abstain: str):
    x = np.zeros((200, 2))
    for on_tie, answer in (("argmax", argmax), ("abstain", abstain)):
        values = iter(p)
        found = bivariate_direction(x, x, lambda *_, values=values: Evidence(next(values), 0.0), on_tie=on_tie)  # type: ignore[arg-type]
        assert (found.answer, found.tie) == (answer, argmax != abstain)


def test_without_a_sink_the_learner_abstains_or_takes_the_nearest():
    codes = np.broadcast_to(2 * np.arange(3) + np.arange(2)[:, None], (200, 2, 3))

    def none_passes(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Evidence:
        return Evidence(0.01 + 0.01 * (x[0] == 2), 0.0)

    with pytest.raises(NoSinkError, match="no variable of"):
        CausalDeFinetti(none_passes, on_tie="abstain").fit(codes)
    found = CausalDeFinetti(none_passes).fit(codes)
    assert found.layers[0] == (1,)
    assert found.ties == (0, 1)


def test_the_simulators_have_the_laws_they_should():
    rng = np.random.default_rng(0)
    n = 200_000
    samples = simulate_binary([(0, 1)], 2, n, rng)
    assert abs(samples[..., 0].mean() - 1 / 4) < 0.005
    assert abs(np.mean(samples[:, 0, 0] * samples[:, 1, 0]) - 1 / 10) < 0.005
    # y = coin xor x: of the four laws of (x, y) that two Beta(1, 3) coins give
    assert abs(samples[..., 1].mean() - 2 * 0.25 * 0.75) < 0.005
    pairs_ = simulate_continuous("y -> x", 1000, rng)
    assert np.corrcoef(pairs_[:, 0, 1], pairs_[:, 1, 1])[0, 1] > 0.05
    still = simulate_continuous("x -> y", 20_000, rng, varies=False)
    assert abs(np.corrcoef(still[:, 0, 0], still[:, 1, 0])[0, 1]) < 0.03


def test_many_binary_environments_tell_the_graph():
    samples = simulate_binary([(2, 0), (2, 1), (0, 1)], 3, 10_000, np.random.default_rng(1))
    assert CausalDeFinetti("gtest").fit(samples).edges == ((0, 1), (2, 0), (2, 1))


def test_continuous_environments_tell_the_direction():
    for structure in ("x -> y", "y -> x"):
        samples = simulate_continuous(structure, 200, np.random.default_rng(2))
        assert bivariate_direction(samples[..., 0], samples[..., 1]).answer == structure


def test_distance_counts_wrong_and_missing_edges():
    assert structural_distance([(0, 1), (2, 1)], [(0, 1), (1, 2)]) == 2 / 4
    assert structural_distance([(0, 1)], [(0, 1)]) == 0
    assert structural_distance([], [(0, 1)]) == 1


def test_pairs_are_two_different_rows_of_their_group():
    values = np.arange(12.0)[:, None]
    groups = np.array(list("aabbbbcccabc"))
    drawn = pairs(values, groups, np.random.default_rng(0))[..., 0].astype(int)
    assert drawn.shape == (3, 2)
    assert all(groups[i] == groups[j] == name and i != j for (i, j), name in zip(drawn, "abc", strict=True))


def test_the_g_test_is_the_textbook_one():
    x, y = np.repeat([0, 0, 1, 1], [10, 20, 30, 5]).astype(float), np.repeat([0, 1, 0, 1], [10, 20, 30, 5]).astype(float)
    from scipy.stats import chi2_contingency

    reference = chi2_contingency([[10, 20], [30, 5]], correction=False, lambda_="log-likelihood")
    found = g_test(x, y, given_nothing(65))
    assert found.statistic == pytest.approx(reference.statistic)
    assert found.p == pytest.approx(reference.pvalue)
    z = np.tile([0.0, 1.0], 33)[:65]
    parts = [g_test(x[z == v], y[z == v], given_nothing(int((z == v).sum()))).statistic for v in (0, 1)]
    assert g_test(x, y, z[:, None]).statistic == pytest.approx(sum(parts))


@pytest.mark.parametrize(("test", "n", "runs"), [(fisher_z, 100, 400), (g_test, 400, 400), (kernel_test, 50, 60)])
def test_a_test_keeps_its_level(test: Callable[..., Evidence], n: int, runs: int):
    rng = np.random.default_rng(5)
    low = 0
    for _ in range(runs):
        z = rng.normal(size=n)
        x, y = z + rng.normal(size=n), z + rng.normal(size=n)
        if test is g_test:
            x, y, z = (x > 0).astype(float), rng.integers(0, 2, n).astype(float), (z > 0).astype(float)
        low += test(x, y, z[:, None]).p < 0.05
    assert low / runs < 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("test", [fisher_z, g_test, kernel_test])
def test_a_test_sees_a_strong_dependence(test: Callable[..., Evidence]):
    rng = np.random.default_rng(6)
    x = rng.integers(0, 3, 200).astype(float)
    assert test(x, x + rng.integers(0, 2, 200), rng.integers(0, 2, (200, 1)).astype(float)).p < 1e-6


def refusals():
    good = np.zeros((200, 2, 2))
    yield "shape (environments, 2, variables), not (200, 1, 2)", lambda: CausalDeFinetti().fit(good[:, :1])
    yield "`pairs` draws two", lambda: CausalDeFinetti().fit(np.zeros((200, 3, 2)))
    yield "NaN", lambda: CausalDeFinetti().fit(np.full((200, 2, 2), np.nan))
    yield "alpha", lambda: CausalDeFinetti(alpha=0).fit(good)
    yield "on_tie", lambda: CausalDeFinetti(on_tie="guess").fit(good)  # type: ignore[arg-type]
    yield "whole numbers", lambda: CausalDeFinetti("gtest").fit(good + 0.5 * np.random.default_rng(0).random(good.shape))
    yield "did you mean 'gtest'", lambda: CausalDeFinetti("g-test").fit(good)
    yield "same shape", lambda: bivariate_direction(np.zeros((200, 2)), np.zeros((199, 2)))
    yield "at least 2 rows; group 'b' has 1", lambda: pairs(np.zeros((3, 1)), ["a", "a", "b"], np.random.default_rng(0))
    yield "as many group labels", lambda: pairs(np.zeros((3, 1)), ["a", "a"], np.random.default_rng(0))
    yield "more than 4 rows", lambda: fisher_z(np.zeros(4), np.zeros(4), np.zeros((4, 1)))
    yield "columns that vary", lambda: fisher_z(np.zeros(9), np.arange(9.0), given_nothing(9))
    yield "cycles", lambda: simulate_binary([(0, 1), (1, 0)], 2, 5, np.random.default_rng(0))
    yield "structures are", lambda: simulate_continuous("x <- y", 5, np.random.default_rng(0))  # type: ignore[arg-type]
    yield "Beta parameters", lambda: binary_pair_law((1, 3), [(1, 0), (1, 1)])


@pytest.mark.parametrize(("message", "make"), [*refusals()])
def test_bad_input_is_refused(message: str, make: Callable[[], object]):
    with pytest.raises(InputError, match=re.escape(message)):
        make()


def test_few_environments_and_sparse_tables_are_warned_of():
    with pytest.warns(UserWarning, match="50 environments are few"):
        bivariate_direction(np.random.default_rng(0).random((50, 2)), np.random.default_rng(1).random((50, 2)), "fisherz")
    many = np.random.default_rng(0).integers(0, 40, (300, 2, 2)).astype(float)
    with pytest.warns(UserWarning, match="fewer than 5 counts"):
        CausalDeFinetti("gtest").fit(many)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CausalDeFinetti("gtest").fit(simulate_binary([(0, 1)], 2, 1000, np.random.default_rng(0)))


def test_a_test_of_your_own_is_used_as_it_is():
    assert find_test(fisher_z) is fisher_z
