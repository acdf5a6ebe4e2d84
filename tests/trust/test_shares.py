"""Exact bounds on a share: closed forms at the ends, their definition between, coverage by enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ponder.core.errors import InputError
from ponder.trust.shares import share_bounds


def test_bounds_at_the_ends_have_closed_forms():
    low, high = share_bounds([0, 500], 500, 0.001)
    assert (low[0], high[1]) == (0, 1)
    assert low[1] == pytest.approx(0.986280, abs=1e-6)
    assert low[1] == pytest.approx(0.001 ** (1 / 500))
    assert high[0] == pytest.approx(1 - 0.001 ** (1 / 500))


@pytest.mark.parametrize("k", [1, 7, 19])
def test_bounds_between_are_by_definition(k: int):
    low, high = share_bounds(k, 20, 0.05)
    assert stats.binom.sf(k - 1, 20, low) == pytest.approx(0.05)
    assert stats.binom.cdf(k, 20, high) == pytest.approx(0.05)


@pytest.mark.parametrize("p", [0.02, 0.6, 0.9])
def test_bounds_cover_by_enumeration(p: float):
    k = np.arange(41)
    low, high = share_bounds(k, 40, 0.05)
    for wrong in (low > p, high < p):
        assert stats.binom.pmf(k, 40, p)[wrong].sum() <= 0.05


@pytest.mark.parametrize(("hits", "n", "level"), [([11], 10, 0.05), ([-1], 10, 0.05), ([0], 0, 0.05), ([1], 10, 1.0)])
def test_impossible_counts_are_refused(hits: list[int], n: int, level: float):
    with pytest.raises(InputError, match="a share needs"):
        share_bounds(hits, n, level)
