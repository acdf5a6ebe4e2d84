"""Statistics of repeated sampling: coverage, calibration, intervals.

Intervals are over problems, because problems are what a task's accuracy is an average of; samples of one problem are not
independent draws from the task.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

Floats = NDArray[np.float64]
Counts = tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Curve:
    """A figure as a function of the number of samples k, with 95% bootstrap intervals over problems; arrays of shape (len(ks),)."""

    ks: NDArray[np.int64]
    values: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class CoverageCurve(Curve):
    """Coverage (pass@k) over k.

    Attributes:
        smallest_n: samples of the problem with the fewest. Where it is not well above k, the estimate is noisy.
    """

    smallest_n: int = 0


def pass_at_k(n: ArrayLike, c: ArrayLike, k: ArrayLike, form: Literal["product", "binomial"] = "product") -> Floats:
    """Probability that k of n samples, drawn without replacement, hold one of the c correct ones; unbiased for coverage at k.

    Chen et al. 2021 (Codex), eq. 1; Brown et al. 2024, section 2.

    Args:
        n, c, k: samples, correct samples and draws; whole numbers of any shapes that broadcast.
        form: "product" is 1 - prod_{j=n-c+1..n} (1 - k/j), the fast one; "binomial" is 1 - C(n-c, k) / C(n, k) in exact
            integers.

    Raises:
        InputError: unless 0 <= c <= n, 1 <= k <= n.
    """
    ns, cs, ks = (np.atleast_1d(a) for a in np.broadcast_arrays(whole("n", n), whole("c", c), whole("k", k)))
    if np.any(cs < 0) or np.any(cs > ns):
        raise InputError(f"correct samples must be between 0 and n; c is up to {cs.max()} and at least {cs.min()}, n at least {ns.min()}")
    if np.any(ks < 1) or np.any(ks > ns):
        raise InputError(f"k must be between 1 and the number of samples; k is {ks.min()} to {ks.max()}, n at least {ns.min()}")
    result = np.empty(ns.shape)
    if form == "binomial":
        for at in np.ndindex(ns.shape):
            size, right, draws = int(ns[at]), int(cs[at]), int(ks[at])
            result[at] = 1 - math.comb(size - right, draws) / math.comb(size, draws)
    elif form == "product":
        for size, draws in {(int(a), int(b)) for a, b in zip(ns.flat, ks.flat, strict=True)}:
            here = (ns == size) & (ks == draws)
            result[here] = _one_minus_product(size, draws)[cs[here]]
    else:
        raise InputError(f"form must be 'product' or 'binomial', not {form!r}")
    return result.reshape(np.broadcast_shapes(np.shape(n), np.shape(c), np.shape(k)))


def _one_minus_product(n: int, k: int) -> Floats:
    """pass@k for every c in 0..n, shape (n + 1,)."""
    j = np.arange(n, k, -1, dtype=np.float64)  # c = 1 .. n - k; beyond that every draw of k holds a correct sample
    failing = np.concatenate([[0.0], np.cumsum(np.log1p(-k / j))])
    return np.concatenate([-np.expm1(failing), np.ones(k)])


def whole(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """`value` as integers of its own shape, or an InputError that names it."""
    array = np.asarray(value)
    if array.dtype.kind == "f" and np.all(np.isfinite(array)) and np.all(array == np.round(array)):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub" or array.size == 0:
        raise InputError(f"{name} must be whole numbers, not {value!r}")
    return array.astype(np.int64)


def sample_counts(correct: ArrayLike | Counts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Samples and correct samples of each problem, both of shape (P,), from a table bool[P, N] or from (n, c) counts."""
    if isinstance(correct, tuple) and len(correct) == 2:
        n, c = np.broadcast_arrays(np.atleast_1d(whole("n", correct[0])), np.atleast_1d(whole("c", correct[1])))
        if np.any(c < 0) or np.any(c > n) or np.any(n < 1):
            raise InputError("counts need n of at least 1 and 0 <= c <= n for every problem")
        return n, c
    table = np.asarray(correct)
    if table.ndim != 2 or table.size == 0 or not np.all((table == 0) | (table == 1)):
        raise InputError("correct must be a table of True and False of shape (problems, samples), or a tuple of counts (n, c)")
    return np.full(len(table), table.shape[1]), table.astype(bool).sum(axis=1)


def coverage(correct: ArrayLike | Counts, ks: ArrayLike, resamples: int = 1000, seed: int = 0) -> CoverageCurve:
    """Share of problems that k samples solve at least once, for every k, with intervals over problems.

    Args:
        correct: bool[P, N], or counts (n, c) with one n and c a problem (n may differ between problems).
        ks: numbers of samples, each at most the smallest n.
        resamples: bootstrap resamples.
        seed: of the bootstrap.

    Raises:
        InputError: for a k above the smallest n (nothing is clamped), or counts that are not possible.
    """
    n, c = sample_counts(correct)
    grid = np.atleast_1d(whole("ks", ks))
    if grid.min() < 1 or grid.max() > n.min():
        raise InputError(f"k must be between 1 and {n.min()}, the fewest samples of a problem; {grid.min()} to {grid.max()} was asked")
    table = np.stack([pass_at_k(n, c, k) for k in grid], axis=1)
    low, high = mean_ends(table, resamples, seed)
    return CoverageCurve(grid, table.mean(axis=0), low, high, int(n.min()))


def mean_ends(table: Floats, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Ends of the 95% percentile bootstrap interval of the mean over the leading axis."""
    if resamples < 1:
        raise InputError(f"a bootstrap needs at least 1 resample, not {resamples}")
    problems = len(table)
    times = np.random.default_rng(seed).multinomial(problems, np.full(problems, 1 / problems), size=resamples)
    means = times @ table / problems
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high


def bootstrap(values: ArrayLike, resamples: int = 2000, seed: int = 0) -> Interval:
    """Mean over problems, values of shape (P,), with its 95% percentile bootstrap interval."""
    table = _numbers("values", values)
    low, high = mean_ends(table[:, None], resamples, seed)
    return Interval(float(table.mean()), float(low[0]), float(high[0]))


def paired_bootstrap(a: ArrayLike, b: ArrayLike, resamples: int = 2000, seed: int = 0) -> Interval:
    """Mean of a - b over the same problems, both of shape (P,), with its interval; problems are resampled in pairs."""
    left, right = _numbers("a", a), _numbers("b", b)
    if left.shape != right.shape:
        raise InputError(f"a paired comparison needs the same problems: {len(left)} and {len(right)} were given")
    return bootstrap(left - right, resamples, seed)


def wilson(successes: int, n: int) -> Interval:
    """A share with its 95% score interval (Wilson 1927); sensible at 0 and at n, where a bootstrap has no width."""
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"a share needs n of at least 1 and 0 <= successes <= n, not {successes} of {n}")
    z, share = NormalDist().inv_cdf(0.975), successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, min(share, middle - half), max(share, middle + half))


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> float:
    """Mean distance of accuracy from confidence over equal bins, weighted by size (Naeini, Cooper & Hauskrecht 2015).

    A bin holds low < confidence <= high; a confidence of 0 belongs to the first.
    """
    sure, right = _confidences(confidence, correct)
    if bins < 1:
        raise InputError(f"calibration needs at least 1 bin, not {bins}")
    edges = np.linspace(0, 1, bins + 1)
    index = np.maximum(np.searchsorted(edges, sure, side="left") - 1, 0)
    return float(np.abs(np.bincount(index, right - sure, minlength=bins)).sum() / len(sure))


def brier(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Mean squared distance of the confidence from what happened (Brier 1950); `correct` may hold partial credit in [0, 1]."""
    sure, right = _confidences(confidence, correct)
    return float(np.mean((sure - right) ** 2))


def _confidences(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    sure, right = _numbers("confidence", confidence), _numbers("correct", correct)
    if sure.shape != right.shape:
        raise InputError(f"{len(sure)} confidences need as many outcomes, not {len(right)}")
    if np.any((sure < 0) | (sure > 1) | (right < 0) | (right > 1)):
        raise InputError("confidences and outcomes must be in [0, 1]")
    return sure, right


def guess_coverage(m: int, k: ArrayLike) -> Floats:
    """Coverage that guessing among m equally likely answers reaches with k samples: 1 - (1 - 1/m)^k."""
    draws = whole("k", k)
    if m < 1 or np.any(draws < 0):
        raise InputError(f"guessing needs at least 1 answer and k of at least 0, not m={m}, k={k!r}")
    return np.ones(draws.shape) if m == 1 else np.asarray(-np.expm1(draws * math.log1p(-1 / m)))


def pareto(costs: ArrayLike, values: ArrayLike) -> NDArray[np.intp]:
    """Indices of the points that no other point beats (cheaper and better), cheapest first; of equal points the first."""
    cost, value = _numbers("costs", costs), _numbers("values", values)
    if cost.shape != value.shape:
        raise InputError(f"{len(cost)} costs need as many values, not {len(value)}")
    order = np.lexsort((-value, cost))
    best = np.maximum.accumulate(value[order])
    return order[np.concatenate([[True], best[1:] > best[:-1]])]


def _numbers(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.all(np.isfinite(array)):
        raise InputError(f"{name} must be finite numbers of shape (n,), at least one; shape {array.shape} was given")
    return array
