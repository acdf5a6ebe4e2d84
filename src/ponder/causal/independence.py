"""Tests of conditional independence, by name: Fisher's z, the G-test, the kernel test.

A test is a function of x and y, shape (n,), and z, shape (n, k) with k perhaps 0, that gives a p-value: small where x and y depend on each
other given z.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ponder.core.errors import InputError, did_you_mean, need

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What a test of independence found.

    Attributes:
        p: the p-value.
        statistic: what it was computed from.
        sparse: True if most strata that were looked at expect fewer than 5 counts a cell (G-test only).
    """

    p: float
    statistic: float
    sparse: bool = False


@dataclass(frozen=True)
class CIResult:
    """What a test of two columns of a table given others found.

    Attributes:
        p: the p-value; NaN if inconclusive.
        statistic: of the test; NaN if inconclusive.
        n_used: rows that it looked at.
        inconclusive: True if there were too few rows to say anything.
    """

    p: float
    statistic: float
    n_used: int
    inconclusive: bool = False


Test = Callable[[Floats, Floats, Floats], Evidence]
CITest = Callable[[Floats, int, int, tuple[int, ...]], CIResult]
"""A test of columns i and j of a table given columns S."""


def fisher_z(x: Floats, y: Floats, z: Floats) -> Evidence:
    """Fisher's z-test of the partial correlation of x and y given z: sqrt(n - k - 3) |atanh r| against a standard normal.

    It tests linear dependence. A singular correlation matrix is inverted in the least-squares sense.

    Raises:
        InputError: for n of at most k + 3, or a constant column.
    """
    n, k = len(x), z.shape[1]
    if n <= k + 3:
        raise InputError(f"Fisher's z given {k} variables needs more than {k + 3} rows, not {n}")
    columns = np.column_stack([x, y, z])
    if np.any(np.ptp(columns, axis=0) == 0):
        raise InputError("Fisher's z needs columns that vary; one is constant on the rows given")
    r = partial_correlation(columns)
    statistic = math.sqrt(n - k - 3) * abs(math.atanh(max(-1 + 1e-15, min(1 - 1e-15, r))))
    return Evidence(math.erfc(statistic / math.sqrt(2)), statistic)


def partial_correlation(columns: Floats) -> float:
    """Correlation of the first two columns given the rest, from the inverse of the correlation matrix."""
    precision = np.linalg.pinv(np.corrcoef(columns, rowvar=False), hermitian=True)
    return float(-precision[0, 1] / math.sqrt(precision[0, 0] * precision[1, 1]))


def g_test(x: Floats, y: Floats, z: Floats) -> Evidence:
    """The G-test of whole numbers: 2 sum O ln(O / E) within each value of z, against chi-squared.

    Degrees of freedom are (|x| - 1)(|y| - 1) times the number of possible values of z; values of z without data add nothing to the sum.

    Raises:
        InputError: for numbers that are not whole.
    """
    codes, sizes = zip(*(_coded(column) for column in (x, y, *z.T)), strict=True)
    stratum = np.zeros(len(x), dtype=np.int64)
    for code, size in zip(codes[2:], sizes[2:], strict=True):
        stratum = stratum * size + code
    strata = math.prod(sizes[2:])
    counts = np.bincount((stratum * sizes[0] + codes[0]) * sizes[1] + codes[1], minlength=strata * sizes[0] * sizes[1])
    counts = counts.reshape(strata, sizes[0], sizes[1]).astype(np.float64)
    totals = counts.sum((1, 2), keepdims=True)
    expected = counts.sum(2, keepdims=True) * counts.sum(1, keepdims=True) / np.maximum(totals, 1)
    seen = counts > 0
    statistic = max(0.0, 2 * float(np.sum(counts[seen] * np.log(counts[seen] / expected[seen]))))
    df = (sizes[0] - 1) * (sizes[1] - 1) * strata
    p = float(need("scipy.stats", "causal").chi2.sf(statistic, df)) if df else 1.0
    used = totals[:, 0, 0] > 0
    return Evidence(p, statistic, bool(np.mean(expected[used] < 5) > 0.5))


def _coded(column: Floats) -> tuple[NDArray[np.int64], int]:
    if np.any(column != np.round(column)):
        raise InputError("the G-test needs whole numbers (categories); use 'kci' or 'fisherz' for continuous data")
    values, codes = np.unique(column, return_inverse=True)
    return codes.astype(np.int64), len(values)


def kernel_test(x: Floats, y: Floats, z: Floats) -> Evidence:
    """The kernel test of Zhang et al. 2011 with the gamma approximation of its null distribution, from causal-learn; O(n^3)."""
    kci = need("causallearn.utils.KCI.KCI", "causal")
    # Its matrices are small: threads wait for each other longer than they work.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # constant columns and tiny eigenvalues are its own business
        if z.shape[1]:
            p, statistic = kci.KCI_CInd().compute_pvalue(x[:, None], y[:, None], z)
        else:
            p, statistic = kci.KCI_UInd().compute_pvalue(x[:, None], y[:, None])
    return Evidence(float(p), float(statistic))


TESTS: dict[str, Test] = {"fisherz": fisher_z, "gtest": g_test, "kci": kernel_test}
"""The tests that may be asked for by name."""


def find_test(test: str | Test) -> Test:
    """A test by name, or your own as it is.

    Raises:
        InputError: for an unknown name.
    """
    if not isinstance(test, str):
        return test
    if test not in TESTS:
        raise InputError(f"there is no test {test!r}; {did_you_mean(test, TESTS, 'known are ' + ', '.join(TESTS))}")
    return TESTS[test]


def on_all_rows(test: str | Test) -> CITest:
    """A test by name, or your own, as a test of columns of a table."""
    found = find_test(test)

    def ci_test(data: Floats, i: int, j: int, given: tuple[int, ...]) -> CIResult:
        check_columns(data, i, j, given)
        tested = found(data[:, i], data[:, j], data[:, list(given)])
        return CIResult(tested.p, tested.statistic, len(data))

    return ci_test


def check_columns(data: Floats, i: int, j: int, given: tuple[int, ...]) -> None:
    """Refuse columns that are equal or do not exist."""
    columns = (i, j, *given)
    if len(set(columns)) != len(columns) or not all(0 <= c < data.shape[1] for c in columns):
        raise InputError(f"a test needs different columns below {data.shape[1]}, not {i} and {j} given {given}")


def table(values: ArrayLike, what: str = "data") -> Floats:
    """Values as finite float64 of shape (rows, variables).

    Raises:
        InputError: for another shape, no rows, or numbers that are not finite.
    """
    array: NDArray[Any] = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"{what} must have shape (rows, variables), not {array.shape}")
    if not np.all(np.isfinite(array)):
        raise InputError(f"{what} must be finite; NaN or infinity is in column {int(np.argwhere(~np.isfinite(array))[0, 1])}")
    return array
