"""Laws of weighted populations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.core.population import Batch, Population, logsumexp
from ponder.core.resampling import multinomial, residual, stratified, systematic

log_weight = st.one_of(st.just(-math.inf), st.floats(-700, 700))
log_weights = st.lists(log_weight, min_size=1, max_size=30)
SCHEMES = [multinomial(), residual(), stratified(), systematic()]


@given(log_weights)
def test_derived_quantities_are_consistent(values: list[float]) -> None:
    population = Population(range(len(values)), values)
    if all(math.isinf(v) for v in values):
        assert population.dead
        assert population.ess == 0
        assert population.weights.tolist() == [0.0] * len(values)
        assert population.log_evidence == -math.inf
        assert population.best() is None
        assert population.mode(lambda i: i) is None
        return
    assert population.weights.sum() == pytest.approx(1)
    assert 1 - 1e-9 <= population.ess <= len(values) + 1e-9
    assert population.log_evidence == pytest.approx(float(np.logaddexp.reduce(np.array(values))), abs=1e-9)
    assert population.log_weights[population.best()] == max(values)
    assert population.normalised().log_evidence == pytest.approx(0, abs=1e-9)


@given(log_weights, st.sampled_from(SCHEMES), st.integers(1, 40))
def test_resampling_keeps_the_total_and_never_draws_the_weightless(values: list[float], scheme, n: int) -> None:
    population = Population(range(len(values)), values)
    drawn = population.resample(scheme, np.random.default_rng(0), n)
    if population.dead:
        assert drawn is population
        return
    assert len(drawn) == n
    assert drawn.log_evidence == pytest.approx(population.log_evidence, abs=1e-9)
    assert all(values[i] > -math.inf for i in drawn.items)
    assert drawn.ess == pytest.approx(n)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_every_scheme_is_unbiased(scheme) -> None:
    """Mean counts equal n * weights within 5 standard errors, 4,000 repetitions (error rate below 1e-5)."""
    weights = np.array([0.02, 0.5, 0.0, 0.13, 0.35])
    n, repeats = 7, 4000
    rng = np.random.default_rng(1)
    counts = np.array([np.bincount(scheme(weights, n, rng), minlength=5) for _ in range(repeats)])
    error = 5 * counts.std(axis=0) / math.sqrt(repeats) + 1e-12
    assert (np.abs(counts.mean(axis=0) - n * weights) <= error).all()
    assert counts[:, 2].sum() == 0
    if not isinstance(scheme, multinomial):
        allowed = np.abs(counts - n * weights)
        assert (allowed < (1 if isinstance(scheme, systematic) else 2)).all() or isinstance(scheme, residual)
    if isinstance(scheme, residual):
        assert (counts >= np.floor(n * weights)).all()


def test_low_variance_schemes_have_lower_variance_than_multinomial() -> None:
    weights = np.random.default_rng(3).dirichlet(np.ones(20))
    values = np.arange(20.0)
    spread = {}
    for scheme in SCHEMES:
        rng = np.random.default_rng(4)
        spread[type(scheme).__name__] = np.var([values[scheme(weights, 50, rng)].mean() for _ in range(3000)])
    assert spread["stratified"] < spread["multinomial"]
    assert spread["residual"] < spread["multinomial"]


def test_resamplers_refuse_weights_that_are_none() -> None:
    for weights in ([0.5, 0.6], [1.5, -0.5], [math.nan, 1.0]):
        with pytest.raises(InputError):
            systematic()(np.array(weights), 3, np.random.default_rng(0))


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-20, 20)), min_size=1, max_size=20), st.randoms())
def test_merge_and_mode_do_not_depend_on_order(pairs: list[tuple[int, float]], random) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)
    results = []
    for order in (pairs, shuffled):
        population = Population([k for k, _ in order], [w for _, w in order])
        merged = population.merge(lambda k: k)
        assert merged.log_evidence == pytest.approx(population.log_evidence)
        results.append((dict(zip(merged.items, merged.log_weights.tolist(), strict=True)), population.mode(lambda k: k)[0]))
    assert results[0] == results[1]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_union_is_the_size_weighted_average_of_the_measures(a: list[float], b: list[float]) -> None:
    first, second = Population(range(len(a)), a), Population(range(len(b)), b)
    pooled = first.union(second)
    n, m = len(a), len(b)
    expected = (n * math.exp(first.log_evidence) + m * math.exp(second.log_evidence)) / (n + m)
    assert math.exp(pooled.log_evidence) == pytest.approx(expected)


def test_arrays_stay_arrays_and_means_are_vectorised() -> None:
    states = np.arange(12.0).reshape(4, 3)
    population = Population(states, np.log([0.1, 0.2, 0.3, 0.4]))
    assert population.mean() == pytest.approx(np.array([6.0, 7.0, 8.0]))
    drawn = population.resample(systematic(), np.random.default_rng(0), 8)
    assert isinstance(drawn.items, np.ndarray)
    assert drawn.items.shape == (8, 3)
    assert population.mean(lambda row: row[0]) == pytest.approx(6.0)
    assert population.top(2).items.tolist() == [[9, 10, 11], [6, 7, 8]]


class Clocked(Batch):
    """Numbers that have a time in common."""

    def __init__(self, values: list[int], time: int) -> None:
        self.values, self.time = np.array(values), time

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def at(self, indices: Any) -> Clocked:
        return Clocked(self.values[indices].tolist(), self.time)

    def beside(self, other: Clocked) -> Clocked:
        return Clocked([*self.values, *other.values], self.time)


def test_batches_stay_batches_with_what_they_have_in_common() -> None:
    population = Population(Clocked([5, 6, 7], 4), np.log([0.5, 0.3, 0.2]))
    for taken, values in (
        (population.at([2, 0]), [7, 5]),
        (population.beside(population.at([1])), [5, 6, 7, 6]),
        (population.top(2), [5, 6]),
        (population.merge(lambda v: v > 5), [5, 6]),
    ):
        assert isinstance(taken.items, Clocked)
        assert (taken.items.values.tolist(), taken.items.time) == (values, 4)
    assert population.resample(systematic(), np.random.default_rng(0), 20).items.time == 4


def test_parts_beside_each_other_keep_their_weights() -> None:
    whole = Population((1, 2), np.log([0.5, 1.0])).beside(Population((3,), np.log([2.0])))
    assert whole.items == (1, 2, 3)
    assert np.exp(whole.log_weights) == pytest.approx([0.5, 1, 2])


def test_equals_share_the_total_and_children_their_parents_weight() -> None:
    parents = Population((1, 2), np.log([0.5, 1.5]))
    level = parents.equal(("a", "b", "c", "d"))
    assert np.exp(level.log_weights) == pytest.approx([0.5] * 4)
    assert (level.log_evidence, level.ess) == (pytest.approx(math.log(2)), 4)
    children = parents.grown((10, 11, 20, 21), np.log([1, 3, 1, 0.5]), width=2)
    assert np.exp(children.log_weights) == pytest.approx([0.25, 0.75, 0.75, 0.375])
    assert Population((1,), [-math.inf]).equal(("a", "b")).dead


def test_bad_populations_are_refused() -> None:
    for items, weights in (([], None), ([1, 2], [0.0]), ([1], [math.nan]), ([1], [math.inf]), ([1, 2], [[0.0, 0.0]])):
        with pytest.raises(InputError):
            Population(items, weights)
    with pytest.raises(InputError):
        Population([1, 2]).reweight([0.0])
    with pytest.raises(InputError):
        Population([1, 2]).reweight([math.nan, 0.0])
    with pytest.raises(InputError, match="no mean"):
        Population([1.0], [-math.inf]).mean()


def test_populations_are_immutable() -> None:
    weights = np.zeros(2)
    population = Population([1, 2], weights)
    weights[0] = 9
    assert population.log_weights.tolist() == [0, 0]
    with pytest.raises(AttributeError):
        population.items = [3]
    with pytest.raises(ValueError, match="read-only"):
        population.log_weights[0] = 1.0


def test_logsumexp_survives_extremes() -> None:
    assert logsumexp(np.array([1000.0, 1000.0])) == pytest.approx(1000 + math.log(2))
    assert logsumexp(np.array([-math.inf, -math.inf])) == -math.inf
    assert logsumexp(np.array([-math.inf, -1e5])) == pytest.approx(-1e5)
