"""Landscapes of throughput: optima, failures, drift, transfer gain, the searches on tables with two peaks."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.lm.throughput import ThroughputSample
from ponder.search.optimisers import OPTIMISERS, Told
from ponder.search.serving import Landscape, NoFeasibleConfig, ServingSpace, again, ratio, transfer_gain, tune

GRID = ServingSpace({"threads": [1, 2], "batch": [1, 2, 4]})
LINE = ServingSpace({"batch": list(range(9))})
PEAKS = (1.0, 3.0, 2.0, 1.0, 0.5, 2.0, 4.0, 6.0, 5.0)
"""A low peak at 1, beside the start, and the highest at 7."""


def sample(rate: float, spread: float = 0.0) -> ThroughputSample:
    return (
        ThroughputSample((100, 100), (100 / (rate + spread), 100 / (rate - spread))) if rate > 0 else ThroughputSample(failed="OutOfMemory")
    )


def landscape(rates: tuple[float, ...], space: ServingSpace = GRID) -> Landscape:
    return Landscape(space, {i: sample(r) for i, r in enumerate(rates)})


def walk(name: str, rates: tuple[float, ...], most: int) -> list[int]:
    proposals = OPTIMISERS[name](LINE, 0, 1)
    seen = [next(proposals)]
    while len(seen) < most:
        seen.append(proposals.send(Told((rates[seen[-1]],))))
    return seen


def test_hill_climbing_returns_the_local_peak_and_restarts_find_the_highest():
    first = walk("hill", PEAKS, 3)
    assert first == [0, 1, 2]  # from 0 up to 1, whose other neighbour is lower
    everywhere = walk("hill", PEAKS, 9)
    assert sorted(everywhere) == list(range(9))
    found = tune(LINE, lambda s: sample(PEAKS[s["batch"]]), "hill", evaluations=3, null_every=0)
    assert found.best() == 1
    assert found.local_optima() == [1]
    assert tune(LINE, lambda s: sample(PEAKS[s["batch"]]), "hill", null_every=0).best() == 7


def test_local_optima_and_irregularity_of_a_table():
    whole = landscape(PEAKS, LINE)
    assert whole.local_optima() == [1, 7]
    # The ends rise (1 to 5), and 4 of the 8 pairs fall: 1-2, 2-3, 3-4, 7-8.
    assert whole.irregularity("batch") == 0.5
    assert landscape(tuple(range(1, 10)), LINE).irregularity("batch") == 0
    with pytest.raises(InputError, match="batch"):
        whole.irregularity("bach")


def test_transfer_gain_of_hand_made_tables():
    old = landscape((1, 2, 3, 4, 5, 6))
    assert transfer_gain(old, landscape((6, 5, 4, 3, 2, 3))) == 1.0
    assert transfer_gain(old, landscape((1, 1, 1, 1, 1, 2))) == 0.0
    assert transfer_gain(old, landscape((1, 1, 1, 1, 1, 0))) == math.inf
    with pytest.raises(InputError, match="has not measured"):
        transfer_gain(old, Landscape(GRID, {0: sample(1)}))


@given(st.lists(st.floats(0.1, 100), min_size=6, max_size=6), st.lists(st.floats(0.1, 100), min_size=6, max_size=6))
def test_transfer_gain_is_never_negative_and_zero_iff_the_best_is_as_good(a: list[float], b: list[float]):
    old, new = landscape(tuple(a)), landscape(tuple(b))
    gain = transfer_gain(old, new)
    assert gain >= 0
    assert (gain == 0) == (new.samples[old.best()].mean == new.samples[new.best()].mean)


def test_failed_cells_are_cells_and_never_win():
    found = tune(GRID, lambda s: sample(0 if s["batch"] == 4 else s["threads"] * s["batch"]), "grid", null_every=0)
    assert {GRID[i].values["batch"] for i in found.failures()} == {4}
    assert GRID[found.best()].values == {"threads": 2, "batch": 2}
    with pytest.raises(NoFeasibleConfig, match=r"threads=1, batch=1: OutOfMemory"):
        tune(GRID, lambda s: sample(0), "tpe").best()
    assert json.loads(found.to_json())["cells"][2]["failed"] == "OutOfMemory"


def test_the_default_is_measured_first_and_again():
    order: list[int] = []

    def measured(settings: dict[str, int]) -> ThroughputSample:
        order.append(settings["batch"])
        return sample(1 + settings["batch"])

    found = tune(LINE, measured, "random", null_every=3, default=5)
    assert order[0] == 5
    assert len(found.drift) == 3  # at the start, after 3 and after 6 cells
    assert order.count(5) == 3
    assert len(found.samples) == 9


def test_winners_are_measured_afresh():
    luck = iter([1.0, 9.0, 1.0, 1.0, 1.0, 1.0])
    found = tune(GRID, lambda s: sample(next(luck)), "grid", null_every=0)
    assert found.best() == 1
    assert found.over_default().value == pytest.approx(9.0)
    fresh = again(found, lambda s: sample(2.0))
    assert set(fresh.samples) == {0, 1, 2}  # the best three, the default among them
    assert fresh.over_default().value == pytest.approx(1.0)


def test_ratios_have_intervals():
    interval = ratio(sample(12, 1), sample(10, 1))
    assert interval.low < 1.2 < interval.high
    assert interval.value == pytest.approx(1.2)
    with pytest.raises(InputError):
        ratio(sample(0), sample(1))


def test_spaces_with_holes_are_searched_without_falling_in():
    holes = ServingSpace({"a": [1, 2, 3], "b": [1, 2, 3]}, lambda s: s["a"] + s["b"] != 4)
    for name in OPTIMISERS:
        found = tune(holes, lambda s: sample(s["a"] * s["b"]), name, null_every=0)
        assert len(found.samples) == len(holes) == 6
        assert holes[found.best()].values == {"a": 3, "b": 3}


def test_impossible_spaces_are_refused():
    for factors in ({}, {"a": []}, {"a": [1, 1]}):
        with pytest.raises(InputError):
            ServingSpace(factors)
    with pytest.raises(InputError, match="constraint"):
        ServingSpace({"a": [1]}, lambda s: False)
    with pytest.raises(InputError, match="hill"):
        tune(GRID, lambda s: sample(1), "hil")


def test_a_noisy_best_is_above_its_truth():
    rng = np.random.default_rng(0)
    found = tune(ServingSpace({"a": list(range(40))}), lambda s: sample(10 + rng.normal()), "random", null_every=0)
    assert found.samples[found.best()].mean > 11  # the largest of 40 standard normals is above 1 but for once in 1,000
    assert again(found, lambda s: sample(10)).over_default().value == pytest.approx(1)
