"""Learning-rate schedules, by their values."""

from __future__ import annotations

import pytest

from ponder.core.errors import InputError
from ponder.train.schedules import constant_then_linear, cosine


def test_cosine_warms_up_and_comes_down_to_its_floor():
    share = cosine(warmup=10, floor=0.1)
    assert share(0, 110) == pytest.approx(0.1)
    assert share(4, 110) == pytest.approx(0.5)
    assert share(9, 110) == share(10, 110) == pytest.approx(1.0)
    assert share(60, 110) == pytest.approx(0.55)
    assert share(110, 110) == pytest.approx(0.1)


def test_constant_then_linear_is_flat_between_warm_up_and_cooling():
    share = constant_then_linear(warmup=10, cool=0.4, floor=0.02)
    assert share(4, 100) == pytest.approx(0.5)
    assert {share(s, 100) for s in range(9, 61)} == {1.0}
    assert share(80, 100) == pytest.approx(0.5)
    assert share(99, 100) == pytest.approx(0.025)
    assert share(100, 100) == 0.02


def test_no_cooling_stays_at_the_full_rate():
    assert constant_then_linear(warmup=0, cool=0.0)(99, 100) == 1.0


@pytest.mark.parametrize("schedule", [cosine, constant_then_linear])
def test_shares_stay_within_zero_and_one(schedule):
    share = schedule()
    assert all(0 < share(s, 200) <= 1 for s in range(201))


def test_senseless_schedules_are_refused():
    for make in (lambda: cosine(warmup=-1), lambda: cosine(floor=1.5), lambda: constant_then_linear(cool=-0.1)):
        with pytest.raises(InputError):
            make()
