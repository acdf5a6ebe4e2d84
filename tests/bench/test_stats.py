import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.bench.selection import selection_curve
from ponder.bench.stats import (
    bootstrap,
    brier,
    coverage,
    expected_calibration_error,
    guess_coverage,
    paired_bootstrap,
    pareto,
    pass_at_k,
    sample_counts,
    wilson,
)
from ponder.core.errors import InputError


def test_the_published_example():
    assert float(pass_at_k(10, 3, 5)) == pytest.approx(11 / 12, abs=1e-15)


@pytest.mark.parametrize("n", range(1, 9))
def test_equals_the_average_over_all_subsets(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            subsets = [min(s) < c for s in combinations(range(n), k)]
            for form in ("product", "binomial"):
                assert float(pass_at_k(n, c, k, form)) == pytest.approx(np.mean(subsets), abs=1e-14)


def test_product_and_binomial_agree_for_ten_thousand_samples():
    c = np.array([0, 1, 2, 17, 500, 5000, 9000, 9999, 10_000])
    for k in (1, 2, 10, 100, 1234, 5000, 9999, 10_000):
        assert np.abs(pass_at_k(10_000, c, k) - pass_at_k(10_000, c, k, "binomial")).max() < 1e-12


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_at_one_it_is_the_share_and_it_grows_with_k(pair):
    n, c = pair
    values = pass_at_k(n, c, np.arange(1, n + 1))
    assert values.shape == (n,)
    assert values[0] == pytest.approx(c / n, abs=1e-12)
    assert np.all(np.diff(values) >= -1e-15)
    assert values[-1] == (1.0 if c else 0.0)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 1, 5), (4, 5, 1), (4, -1, 1), (4, 1, 0), (4.5, 1, 1), (0, 0, 1), ([], 0, 1)])
def test_impossible_counts_are_refused(n, c, k):
    with pytest.raises(InputError):
        pass_at_k(n, c, k)


def test_coverage_of_a_table_and_of_its_counts_are_the_same():
    table = np.random.default_rng(0).random((20, 30)) < np.random.default_rng(1).random((20, 1))
    ks = [1, 3, 30]
    a, b = coverage(table, ks), coverage((30, table.sum(axis=1)), ks)
    for name in ("ks", "values", "low", "high", "smallest_n"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert a.values[0] == pytest.approx(table.mean())
    assert a.values[-1] == pytest.approx(table.any(axis=1).mean())
    assert np.all(a.low <= a.values)
    assert np.all(a.values <= a.high)


def test_ragged_counts_use_each_problems_own_n_and_refuse_k_above_the_smallest():
    curve = coverage(([4, 10], [1, 5]), [1, 4])
    assert curve.smallest_n == 4
    assert curve.values == pytest.approx([(1 / 4 + 5 / 10) / 2, (1 + float(pass_at_k(10, 5, 4))) / 2])
    with pytest.raises(InputError, match="fewest samples"):
        coverage(([4, 10], [1, 5]), [5])


@pytest.mark.parametrize("bad", [[], [True, False], [[0.5]], ([3], [4]), ([0], [0])])
def test_tables_that_are_none_are_refused(bad):
    with pytest.raises(InputError):
        sample_counts(bad)


def test_the_interval_is_over_problems_not_over_samples():
    """With many samples of two kinds of problem, the width is that of a mean of P coin flips."""
    n, c = np.full(100, 10_000), np.repeat([0, 10_000], 50)
    curve = coverage((n, c), [1], resamples=4000)
    assert curve.high[0] - curve.low[0] == pytest.approx(2 * 1.96 * 0.05, rel=0.1)


def test_bootstraps():
    values = np.random.default_rng(2).normal(1, 2, 400)
    interval = bootstrap(values)
    assert interval.value == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    shifted = paired_bootstrap(values + 0.1, values)
    assert (shifted.low, shifted.high) == pytest.approx((0.1, 0.1))
    with pytest.raises(InputError, match="same problems"):
        paired_bootstrap([1, 2], [1])


def test_wilson_against_published_values():
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3."""
    for successes, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        interval = wilson(successes, n)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    assert wilson(20, 20).high == 1.0
    with pytest.raises(InputError):
        wilson(3, 2)


def test_calibration_by_hand():
    # .5 falls in (.4, .5], .51 in (.5, .6]; 0 in the first bin.
    assert expected_calibration_error([0.5, 0.5, 0.51], [1, 0, 1]) == pytest.approx((0 + 0.49) / 3)
    assert expected_calibration_error([0.0, 0.05], [0, 1]) == pytest.approx(abs(1 - 0.05) / 2)
    assert brier([0.5, 1.0], [1, 0]) == pytest.approx((0.25 + 1) / 2)
    for sure, right in (([1.1], [1]), ([0.5], [1, 0]), ([math.nan], [1]), ([], [])):
        with pytest.raises(InputError):
            expected_calibration_error(sure, right)


def test_a_calibrated_forecaster_has_a_small_error():
    rng = np.random.default_rng(3)
    sure = rng.random(20_000)
    right = rng.random(20_000) < sure
    assert expected_calibration_error(sure, right) < 0.015
    assert expected_calibration_error(np.minimum(1, sure + 0.2), right) > 0.1


def test_guessing_reaches_full_coverage():
    assert guess_coverage(4, [0, 1, 2]) == pytest.approx([0, 0.25, 1 - 0.75**2])
    assert guess_coverage(1, 3) == 1.0
    assert guess_coverage(4, 100) > 0.999999


def test_the_front_by_brute_force():
    rng = np.random.default_rng(4)
    for _ in range(50):
        cost, value = rng.integers(0, 6, 8), rng.integers(0, 6, 8)
        front = set(pareto(cost, value).tolist())
        for i in range(8):
            better = [j for j in range(8) if cost[j] <= cost[i] and value[j] >= value[i] and (cost[j], value[j]) != (cost[i], value[i])]
            first = min(j for j in range(8) if (cost[j], value[j]) == (cost[i], value[i]))
            assert (i in front) == (not better and i == first)


def exact_selection(values, right, k, method, scores):
    """The same figure by enumeration of all subsets."""
    credit = []
    for subset in combinations(range(len(values)), k):
        if method == "best_of_n":
            top = max(scores[i] for i in subset)
            credit.append(np.mean([right[i] for i in subset if scores[i] == top]))
            continue
        totals: dict = {}
        for i in subset:
            if values[i] is not None:
                totals[values[i]] = totals.get(values[i], 0) + (scores[i] if method == "weighted" else 1)
        tied = [v for v in totals if math.isclose(totals[v], max(totals.values()))]
        credit.append(np.mean([right[values.index(v)] for v in tied]) if tied else 0.0)
    return np.mean(credit)


@pytest.mark.parametrize("method", ["majority", "best_of_n", "weighted"])
def test_selection_agrees_with_enumeration(method):
    values = ["a", "b", "a", None, "b", "c", None]
    right = [v == "b" for v in values]
    scores = [0.3, 0.2, 0.3, 0.9, 0.4, 0.6, 0.0]
    ks = [1, 2, 4, 7]
    curve = selection_curve([values], [right], ks, method, subsets=40_000, seed=1, scores=[scores])
    for k, value in zip(ks, curve.values, strict=True):
        assert value == pytest.approx(exact_selection(values, right, k, method, scores), abs=0.012)  # 5 standard errors of a share


def test_selection_edges():
    assert selection_curve([[None, None]], [[False, False]], [1, 2], "majority").values.tolist() == [0.0, 0.0]
    # All samples taken: no randomness is left, and two tied answers share the credit.
    assert selection_curve([["x", "y"]], [[True, False]], [2], "majority").values.tolist() == [0.5]
    assert selection_curve([["x", "y"]], [[True, False]], [2], "best_of_n", scores=[[1, 1]]).values.tolist() == [0.5]
    for method, scores, k in (
        ("weighted", None, 1),
        ("weighted", [[-1, 1]], 1),
        ("majority", None, 3),
        ("best_of_n", [[1]], 1),
        ("x", None, 1),
    ):
        with pytest.raises(InputError):
            selection_curve([["x", "y"]], [[True, False]], [k], method, scores=scores)
