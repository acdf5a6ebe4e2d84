"""How much an attack learns: its success as a number of records that the adversary might as well have been handed.

Suri & Evans 2022 (arXiv 2109.06024), section 4. The number is a lower bound, and loose: `samples_needed` says what the success truly takes.
"""

from __future__ import annotations

import math

import numpy as np

from ponder.core.errors import InputError, need

_MOST = 1 << 24


def n_leaked(accuracy: float, a0: float, a1: float) -> float:
    """Records that bound an attack on the share of a binary attribute: ln(1 - (2 w - 1)^2) / ln(rho) (theorem 4.1).

    n records distinguish the shares at most with accuracy 1/2 + sqrt(1 - rho^n) / 2.

    Args:
        accuracy: of guessing which of the two shares a model was trained on, in [0, 1]; below 1/2 counts as 1/2.
        a0, a1: the shares, in [0, 1].

    Returns:
        At least 0. Infinite for an accuracy of 1, and for shares of 0 and 1, which one record tells apart; 0 for equal shares.
    """
    _check_accuracy(accuracy)
    _check_shares(a0, a1)
    if a0 == a1:
        return 0.0
    if accuracy == 1 or abs(a0 - a1) == 1:
        return math.inf
    low, high = min(a0, a1), max(a0, a1)
    return _records(accuracy, math.log(max(low / high, (1 - high) / (1 - low))))


def n_leaked_degrees(accuracy: float, first: tuple[int, float], second: tuple[int, float]) -> float:
    """The same for graphs whose degrees follow truncated Zipf laws: P(k) proportional to k^-s for k = 1..N.

    Args:
        accuracy: in [0, 1].
        first, second: (N, s) of either law, N at least 1 and s at least 0.
    """
    _check_accuracy(accuracy)
    for n, s in (first, second):
        if n < 1 or not s >= 0:
            raise InputError(f"a truncated Zipf law needs N of at least 1 and s of at least 0, not {(n, s)}")
    (n0, s0), (n1, s1) = sorted((first, second))
    log_rho = math.log(_harmonic(n0, s0) / _harmonic(n1, s1)) + (s1 > s0) * (s0 - s1) * math.log(n0)
    if log_rho == 0:
        return 0.0
    return math.inf if accuracy == 1 else _records(accuracy, log_rho)


def n_leaked_regression(mean_squared_error: float, a: float) -> float:
    """Records whose mean would estimate the share `a`, in (0, 1), with this squared error, at least 0: a (1 - a) / error."""
    if not 0 < a < 1 or not mean_squared_error >= 0:
        raise InputError(f"a share between 0 and 1 and an error of at least 0 are needed, not {a!r} and {mean_squared_error!r}")
    return a * (1 - a) / mean_squared_error if mean_squared_error else math.inf


def exact_accuracy(n: int, a0: float, a1: float) -> float:
    """The best accuracy from n records: 1/2 + TV(Bin(n, a0), Bin(n, a1)) / 2."""
    _check_shares(a0, a1)
    if n < 0:
        raise InputError(f"the number of records must be at least 0, not {n!r}")
    pmf, k = need("scipy.stats", "trust").binom.pmf, np.arange(n + 1)
    return 0.5 + float(np.abs(pmf(k, n, a0) - pmf(k, n, a1)).sum()) / 4


def samples_needed(accuracy: float, a0: float, a1: float) -> float:
    """The fewest records whose best accuracy is at least this; infinite if no number is enough (up to 16 million are tried)."""
    _check_accuracy(accuracy)
    if exact_accuracy(0, a0, a1) >= accuracy:
        return 0.0
    if a0 == a1 or (accuracy == 1 and abs(a0 - a1) < 1):
        return math.inf
    high = 1
    while exact_accuracy(high, a0, a1) < accuracy:
        high *= 2
        if high > _MOST:
            return math.inf
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if exact_accuracy(middle, a0, a1) >= accuracy else (middle, high)
    return float(high)


def _records(accuracy: float, log_rho: float) -> float:
    return math.log(1 - (2 * max(accuracy, 0.5) - 1) ** 2) / log_rho if accuracy > 0.5 else 0.0


def _harmonic(n: int, s: float) -> float:
    return math.fsum(k**-s for k in range(1, n + 1))


def _check_accuracy(accuracy: float) -> None:
    if not 0 <= accuracy <= 1:
        raise InputError(f"an accuracy must be in [0, 1], not {accuracy!r}")


def _check_shares(a0: float, a1: float) -> None:
    if not (0 <= a0 <= 1 and 0 <= a1 <= 1):
        raise InputError(f"shares must be in [0, 1], not {a0!r} and {a1!r}")
