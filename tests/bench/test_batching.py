"""Static and continuous batching: closed forms, the simulator against them, schedules by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.bench.batching import exponential_share, geometric_longest, geometric_share, linear_step, shares, simulate
from ponder.core.errors import InputError

BATCHES = (2, 4, 8, 16, 32)


def test_published_shares():
    assert [round(exponential_share(b), 3) for b in BATCHES] == [0.667, 0.480, 0.368, 0.296, 0.246]
    assert [round(geometric_share(b, 64), 3) for b in BATCHES] == [0.668, 0.482, 0.370, 0.297, 0.248]
    assert [round(geometric_longest(b, 64), 2) for b in BATCHES] == [95.75, 132.79, 173.08, 215.17, 258.21]
    assert geometric_longest(1, 64) == pytest.approx(64)
    assert geometric_longest(7, 1) == 1


@pytest.mark.parametrize("batch", BATCHES)
def test_the_simulator_gives_the_geometric_share(batch: int):
    lengths = np.random.default_rng(batch).geometric(1 / 64, 32 * 2000)
    static, continuous = shares(lengths.tolist(), [batch])[batch]
    # At least 2,000 batches: the standard error of the mean longest is at most 1.3 / sqrt(2000) of it, and 4 of them are .12 of .668.
    assert static == pytest.approx(geometric_share(batch, 64), rel=0.06)
    assert continuous > 0.98


def test_continuous_batching_wastes_nothing_as_the_queue_grows():
    rng = np.random.default_rng(0)
    found = [simulate(rng.geometric(1 / 64, n), 8).share for n in (16, 160, 1600, 16000)]
    assert found == sorted(found)
    assert found[-1] > 0.995


def test_schedules_by_hand():
    static = simulate([3, 1, 2, 2], 2, batching="static")
    assert (static.steps, static.tokens, static.share, static.ends.tolist()) == (5, 8, 0.8, [3, 3, 5, 5])
    continuous = simulate([3, 1, 2, 2], 2)
    assert (continuous.steps, continuous.ends.tolist()) == (5, [3, 1, 3, 5])
    one = simulate([4, 4], 8, linear_step(2, 0.5))
    assert one.seconds == pytest.approx(4 * (2 + 0.5 * 2))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 10))
def test_laws_of_schedules(lengths: list[int], slots: int):
    static, continuous = (simulate(lengths, slots, linear_step(1, 0), b) for b in ("static", "continuous"))
    assert continuous.tokens == static.tokens == sum(lengths)
    assert continuous.seconds <= static.seconds + 1e-9
    assert continuous.seconds >= max(max(lengths), sum(lengths) / slots) - 1e-9
    assert np.all(continuous.ends >= np.array(lengths) - 1e-9)


@given(st.integers(1, 20), st.floats(0.1, 5), st.floats(0.01, 1))
def test_equal_lengths_give_b_over_a_plus_c_b(length: int, a: float, c: float):
    rates = [simulate([length] * (b * 3), b, linear_step(a, c), "static").throughput for b in range(1, 9)]
    assert rates == pytest.approx([b / (a + c * b) for b in range(1, 9)])
    assert np.all(np.diff(rates) > 0)
    assert np.all(np.diff(rates, 2) < 1e-12)


def test_a_memory_cap_is_a_cause_of_a_landscape_that_is_not_monotone():
    def capped(rows: int) -> float:
        return 1 + 0.1 * rows + (5.0 if rows > 4 else 0.0)

    rates = [simulate([10] * 32, b, capped, "static").throughput for b in (1, 2, 4, 8)]
    assert rates[2] > rates[3]


@pytest.mark.parametrize("wrong", [([], 1), ([0], 1), ([1.5], 1), ([1], 0), ([[1]], 1)])
def test_impossible_queues_are_refused(wrong: tuple[list[int], int]):
    with pytest.raises(InputError):
        simulate(*wrong)
    with pytest.raises(InputError):
        simulate([1], 1, batching="dynamic")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError):
        exponential_share(0)
    with pytest.raises(InputError):
        geometric_longest(2, 0.5)
