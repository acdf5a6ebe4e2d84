"""Many answers to a problem: counts, the test of equal rates, differences of shares."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ponder.bench.fluctuation import chi_square_tail, fluctuation, repeated, two_shares
from ponder.core.errors import InputError
from ponder.core.language import Sampling
from ponder.lm.scripted import Scripted
from ponder.tasks import load
from ponder.tasks.aiw import parse_answer


def test_the_statistic_of_a_known_table() -> None:
    """10 of 20 and 15 of 20: both terms by hand."""
    found = fluctuation([10, 15], [20, 20])
    g = 2 * (10 * math.log(10 / 12.5) + 15 * math.log(15 / 12.5) + 10 * math.log(10 / 7.5) + 5 * math.log(5 / 7.5))
    assert found.g == pytest.approx(g)
    assert found.p == pytest.approx(math.erfc(math.sqrt(g / 2)))
    assert (found.df, found.range, found.mean) == (1, 0.25, 0.625)


def test_equal_rates_give_nothing() -> None:
    for correct in ([5, 5, 5], [0, 0, 0], [20, 20, 20]):
        found = fluctuation(correct, [20] * 3)
        assert (found.g, found.p, found.range, found.strong) == (0, 1, 0, False)


def test_strong_needs_both_a_small_p_and_a_wide_range() -> None:
    assert fluctuation([35, 58, 54, 60, 43, 54], [60] * 6).strong
    assert not fluctuation([480, 520, 620], [1000] * 3).strong, "sure but narrow"
    assert not fluctuation([1, 4], [6, 6]).strong, "wide but unsure"


def test_the_tail_of_chi_square() -> None:
    special = pytest.importorskip("scipy.special")
    for df in range(1, 12):
        for x in (0.0, 0.3, 2.0, 7.5, 40.0):
            assert chi_square_tail(x, df) == pytest.approx(special.chdtrc(df, x), rel=1e-12)


def test_the_test_of_equal_rates_keeps_its_level() -> None:
    """Under equal rates p is below .05 about one time in twenty: 3000 draws, four standard errors are .016, the
    chi-square approximation is given .01."""
    rng = np.random.default_rng(0)
    below = np.mean([fluctuation(rng.binomial(60, 0.5, 4).tolist(), [60] * 4).p < 0.05 for _ in range(3000)])
    assert below == pytest.approx(0.05, abs=0.026)


def test_a_difference_of_shares() -> None:
    """Newcombe's example (1998, table II, case a): 56/70 less 48/80 has the interval .0524 to .3339 by his method 10."""
    difference, p = two_shares(56, 70, 48, 80)
    assert (difference.low, difference.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert p == pytest.approx(math.erfc(0.2 / math.sqrt(104 / 150 * 46 / 150 * (1 / 70 + 1 / 80)) / math.sqrt(2)))
    assert two_shares(0, 5, 0, 7)[1] == 1


def test_answers_are_counted() -> None:
    """An imitation that says 7, which is right for V1, 4, which stands in V2 to V4, or nothing readable."""
    task = load("aiw")
    lm = Scripted({"### Answer: 7": 0.5, "### Answer: 4": 0.3, "no idea": 0.2})
    found = repeated(task, lm, 400, sampling=Sampling(1.0), seed=5, read=parse_answer)
    assert [t.n for t in found] == [400] * 4
    assert [t.correct > 0 for t in found] == [True, False, False, False]
    assert [t.copied > 0 for t in found] == [False, True, True, True]
    for t in found:
        assert t.unread / 400 == pytest.approx(0.2, abs=0.08)  # four standard errors
    assert found[0].correct / 400 == pytest.approx(0.5, abs=0.1)
    assert [t.correct for t in found] == [t.correct for t in repeated(task, lm, 400, sampling=Sampling(1.0), seed=5, read=parse_answer)]


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        repeated(load("aiw"), Scripted({"1": 1.0}), 0)
    for correct, n in (([1], [2]), ([1, 2], [3]), ([5, 1], [4, 4])):
        with pytest.raises(InputError):
            fluctuation(correct, n)
    with pytest.raises(InputError, match="degree"):
        chi_square_tail(1.0, 0)
