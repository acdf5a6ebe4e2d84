"""Connectomes: affinities, non-negative factorisation, the block model's description length, motifs, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from ponder.causal.connectome import (
    NonnegativeCP,
    WeightedSBM,
    choose_rank,
    differential_affinity,
    dynamic_connectome,
    factor_match_score,
)
from ponder.causal.connectome.blocks import _moved
from ponder.causal.connectome.description import Graph
from ponder.causal.connectome.factorisation import CPResult
from ponder.causal.connectome.motifs import overlapping
from ponder.core.errors import InputError


def planted_tensor(rng: np.random.Generator, sizes: tuple[int, int, int] = (20, 9, 25), rank: int = 3) -> CPResult:
    factors = [rng.random((n, rank)) * ((rng.random((n, rank)) < 0.5) | (np.arange(n)[:, None] % rank == np.arange(rank))) for n in sizes]
    norms = [np.linalg.norm(f, axis=0) for f in factors]
    one, two, three = (f / n for f, n in zip(factors, norms, strict=True))
    return CPResult(np.prod(norms, axis=0), (one, two, three), 0.0, ())


def planted_graph(
    rng: np.random.Generator, sizes: tuple[int, ...] = (15, 15), weight: float = 4.0, share: float = 0.6
) -> tuple[np.ndarray, np.ndarray]:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    same = groups[:, None] == groups
    upper = np.triu(rng.random(same.shape) < np.where(same, share, 0.3), 1) * rng.exponential(np.where(same, weight, 1.0))
    return upper + upper.T, groups


def test_affinity_is_the_root_of_the_product_of_changes_of_one_sign():
    t = np.arange(40.0)
    traces = np.stack([np.sin(t / 3), 5 * np.sin(t / 3) + 2, -np.sin(t / 3), np.cos(t / 3)])[None]
    found = differential_affinity(traces, smooth=0, stride=2)
    change = np.gradient(np.sin(t / 3))
    change /= np.abs(change).mean()
    assert found.tensor.shape == (20, 1, 6)
    np.testing.assert_allclose(found.tensor[:, 0, 0], np.abs(change[::2]), rtol=1e-4, atol=1e-4)  # scale does not matter
    assert np.all(found.tensor[:, 0, 1] == 0)  # opposite changes
    other = np.gradient(np.cos(t / 3))
    other /= np.abs(other).mean()
    together = change[::2] * other[::2]
    for mode, expected in (("product", together), ("minimum", np.minimum(abs(change[::2]), abs(other[::2])))):
        seen = differential_affinity(traces, smooth=0, stride=2, mode=mode).tensor[:, 0, 2]  # type: ignore[arg-type]
        np.testing.assert_allclose(seen, np.where(together > 0, expected, 0), rtol=1e-4, atol=1e-4)


def test_a_missing_unit_is_masked():
    traces = np.random.default_rng(0).normal(size=(2, 4, 30))
    traces[1, 2] = np.nan
    found = differential_affinity(traces)
    i, j = np.triu_indices(4, 1)
    assert np.array_equal(found.mask, [[True] * 6, [(a != 2) and (b != 2) for a, b in zip(i, j, strict=True)]])
    assert np.all(np.isfinite(found.tensor))


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_tensor_is_found_and_the_error_never_rises(seed: int):
    true = planted_tensor(np.random.default_rng(seed))
    found = NonnegativeCP(3, 2, 400, 1e-9, seed).fit(true.tensor())
    assert found.error < 1e-3
    assert factor_match_score(true, found) > 0.99
    assert np.diff(found.history).max() < 1e-12
    assert np.allclose(found.tensor(), true.tensor(), atol=1e-2)
    assert all(np.allclose(np.linalg.norm(f, axis=0), 1) and f.min() >= 0 for f in found.factors)
    assert np.all(np.diff(found.weights) <= 0)


def test_missing_entries_weigh_nothing():
    rng = np.random.default_rng(1)
    true = planted_tensor(rng)
    mask = rng.random((9, 25)) > 0.2
    broken = np.where(mask, true.tensor(), np.nan)
    found = NonnegativeCP(3, 3, 600, 1e-10).fit(broken, mask)
    assert factor_match_score(true, found) > 0.99
    assert np.diff(found.history).max() < 1e-12


def test_similarity_of_factorisations_does_not_depend_on_order():
    true = planted_tensor(np.random.default_rng(2))
    one, two, three = (f[:, [2, 0, 1]] for f in true.factors)
    assert factor_match_score(true, CPResult(true.weights, (one, two, three), 0.0, ())) == pytest.approx(1)


def test_the_rank_of_a_planted_tensor_is_chosen():
    tensor = planted_tensor(np.random.default_rng(3)).tensor() + 0.02 * np.random.default_rng(4).random((20, 9, 25))
    choice = choose_rank(tensor, range(2, 6), n_init=4)
    assert choice.rank == 3
    assert choice.errors[2] > choice.errors[3] > choice.errors[5]


@pytest.mark.parametrize(("count", "total"), [(0, 0.0), (1, 0.3), (4, 2.5), (12, 30.0)])
def test_the_exponential_evidence_is_the_integral_over_rates(count: int, total: float):
    graph = Graph(planted_graph(np.random.default_rng(0))[0], "exponential")
    found = float(graph.evidence(np.array(float(count)), np.array(total)))
    mean = graph.mean
    integral = quad(lambda rate: mean * np.exp(-mean * rate) * rate**count * np.exp(-rate * total), 0, np.inf, epsabs=0, epsrel=1e-11)[0]
    assert np.exp(found) == pytest.approx(integral, rel=1e-8)


def test_the_lognormal_evidence_is_the_integral_over_mean_and_variance():
    graph = Graph(planted_graph(np.random.default_rng(0))[0], "lognormal")
    logs = np.array([-0.3, 0.4, 1.1]) + graph.centre
    centred = logs - graph.centre
    found = float(graph.evidence(np.array(3.0), np.array(centred.sum()), np.array((centred**2).sum())))

    def density(mean: float, precision: float) -> float:
        normal = np.prod(np.sqrt(precision / (2 * np.pi)) * np.exp(-precision * (centred - mean) ** 2 / 2))
        prior = np.sqrt(precision / (2 * np.pi)) * np.exp(-precision * mean**2 / 2) * graph.spread * np.exp(-graph.spread * precision)
        return normal * prior

    assert np.exp(found) == pytest.approx(dblquad(density, 0, 40, -12, 12, epsabs=1e-10)[0], rel=1e-5)


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("law", ["exponential", "lognormal"])
def test_a_planted_partition_is_described_in_less_than_any_single_move(law: str, corrected: bool):
    weights, groups = planted_graph(np.random.default_rng(5), (20, 20))
    graph = Graph(weights, law)  # type: ignore[arg-type]
    planted = graph.description_length(groups, corrected)
    moved = []
    for i in range(len(groups)):
        other = groups.copy()
        other[i] = 1 - other[i]
        moved.append(graph.description_length(other, corrected))
    assert planted < min(moved)
    assert planted < graph.description_length(np.zeros(40, dtype=np.intp), corrected)
    assert graph.description_length(1 - groups, corrected) == pytest.approx(planted)
    assert np.array_equal(_moved(graph, groups, corrected, np.random.default_rng(0)), groups)


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("law", ["exponential", "lognormal"])
def test_moves_end_where_no_single_move_helps(law: str, corrected: bool):
    rng = np.random.default_rng(6)
    graph = Graph(planted_graph(rng, (8, 7, 6))[0], law)  # type: ignore[arg-type]
    start = rng.permutation(np.arange(21) % 4)
    groups = _moved(graph, start, corrected, rng)
    least = graph.description_length(groups, corrected)
    assert least < graph.description_length(start, corrected)
    for i in range(21):
        for g in range(4):
            other = groups.copy()
            other[i] = g
            if len(np.unique(other)) == 4:
                assert graph.description_length(other, corrected) > least - 1e-6


def test_communities_are_found_whatever_the_order_of_nodes():
    weights, groups = planted_graph(np.random.default_rng(7), (15, 12, 10), weight=6.0, share=0.9)
    order = np.random.default_rng(8).permutation(37)
    found = WeightedSBM().fit(weights[np.ix_(order, order)])
    assert found.n_groups == 3
    table = np.zeros((3, 3))
    np.add.at(table, (groups[order], found.groups), 1)
    assert np.count_nonzero(table) == 3
    assert [int(level.max()) + 1 for level in found.levels] == [3, 2, 1]
    assert found.tried[3] == pytest.approx(found.description_length)


def test_a_graph_without_communities_is_one_group():
    weights, _ = planted_graph(np.random.default_rng(9), (30,))
    assert WeightedSBM("exponential").fit(weights).n_groups == 1


def test_groups_that_avoid_themselves_are_found():
    rng = np.random.default_rng(10)
    groups = np.arange(30) % 2
    upper = np.triu(rng.random((30, 30)) < np.where(groups[:, None] == groups, 0.05, 0.6), 1) * rng.exponential(size=(30, 30))
    found = WeightedSBM("exponential").fit(upper + upper.T)
    assert found.n_groups == 2
    assert len(set(zip(groups, found.groups, strict=True))) == 2


def test_motifs_of_two_epochs_are_told_apart():
    rng = np.random.default_rng(11)
    walk = np.cumsum(rng.normal(size=(3, 2, 120)), axis=2)
    traces = 0.2 * rng.normal(size=(3, 12, 120))
    traces[:, :6, :60] += walk[:, :1, :60]
    traces[:, 6:, 60:] += walk[:, 1:, 60:]
    motifs = dynamic_connectome(traces, 2, smooth=1, n_init=2)
    assert len(motifs) == 2
    assert sum(m.weight for m in motifs) == pytest.approx(1)
    early, late = sorted(motifs, key=lambda m: -m.course[:60].sum())
    assert early.course[:60].sum() > 3 * early.course[60:].sum()
    assert early.participation[:6].min() > early.participation[6:].max()
    assert late.participation[6:].min() > late.participation[:6].max()
    assert np.array_equal(early.affinity, early.affinity.T)
    assert early.animals.shape == (3,)
    chosen = dynamic_connectome(traces, [1, 2], smooth=1, n_init=3)
    assert len(chosen) <= 2


def test_pairs_that_never_change_alike_have_no_affinity():
    rng = np.random.default_rng(12)
    traces = rng.normal(size=(1, 5, 60))
    traces[0, 4] = -traces[0, 3]
    (motif,) = dynamic_connectome(traces, 1, n_init=1)
    assert motif.affinity[3, 4] == 0 == motif.affinity[4, 3]
    assert np.count_nonzero(motif.affinity) >= 16


def test_components_of_one_event_are_merged():
    times = np.linspace(0, 1, 60)
    courses = np.stack([np.exp(-((times - c) ** 2) / 0.02) for c in (0.2, 0.25, 0.8)], axis=1)
    courses /= np.linalg.norm(courses, axis=0)
    fit = CPResult(np.ones(3), (courses, np.ones((2, 3)), np.ones((3, 3))), 0.0, ())
    assert overlapping(fit, 0.7) == [(0, 1), (2,)]
    assert overlapping(fit, 1.0) == [(0,), (1,), (2,)]


def refusals():
    rng = np.random.default_rng(0)
    traces, tensor, graph = rng.normal(size=(2, 4, 20)), rng.random((4, 3, 5)), planted_graph(rng)[0]
    constant, partly = traces.copy(), traces.copy()
    constant[0, 1], partly[1, 2, 3] = 1.0, np.nan
    empty = tensor * (np.arange(5) != 2)
    yield "at least 3 units", lambda: differential_affinity(traces[:, :2])
    yield "unit 1 of animal 0 is constant", lambda: differential_affinity(constant)
    yield "unit 2 of animal 1 has some frames", lambda: differential_affinity(partly)
    yield "mode is one of", lambda: differential_affinity(traces, mode="sum")  # type: ignore[arg-type]
    yield "three modes", lambda: NonnegativeCP(1).fit(tensor[0])
    yield "at least 0; missing ones need a mask", lambda: NonnegativeCP(1).fit(tensor - 0.5)
    yield "missing ones need a mask", lambda: NonnegativeCP(1).fit(np.where(tensor > 0.9, np.nan, tensor))
    yield "slice 2 of mode 2 is 0 throughout", lambda: NonnegativeCP(1).fit(empty)
    yield "rank is between 1 and 12", lambda: NonnegativeCP(13).fit(tensor)
    yield "3 restarts", lambda: choose_rank(tensor, [1, 2], n_init=2)
    yield "equal rank", lambda: factor_match_score(NonnegativeCP(1).fit(tensor), NonnegativeCP(2).fit(tensor))
    yield "square matrix of at least 3", lambda: WeightedSBM().fit(graph[:2, :2])
    yield "symmetric", lambda: WeightedSBM().fit(np.triu(graph))
    yield "diagonal of 0", lambda: WeightedSBM().fit(graph + np.eye(30))
    yield "at least 0", lambda: WeightedSBM().fit(-graph)
    yield "no edges", lambda: WeightedSBM().fit(np.zeros((4, 4)))
    yield "weights one of", lambda: WeightedSBM("normal").fit(graph)  # type: ignore[arg-type]
    yield "most is at least 1", lambda: WeightedSBM(most=0).fit(graph)
    yield "merge_over", lambda: dynamic_connectome(traces, 2, merge_over=0)


@pytest.mark.parametrize(("message", "make"), [*refusals()])
def test_bad_input_is_refused(message: str, make: Callable[[], object]):
    with pytest.raises(InputError, match=re.escape(message)):
        make()
