"""The Slepian-model independent interval approximation (Bengtsson & Podgorski 2024, arXiv 2401.01805).

After an up-crossing of zero the mean sign of the process is E0(t) = -r'(t) / sqrt(lambda2 (1 - r(t)^2)). A process that switches sign after
independent intervals T has the same mean if T has the Laplace transform (1 - s L E0(s)) / (1 + s L E0(s)). Where E0 is a survival
function, of W say, T is a sum of nu copies of W with P(nu = k) = 2^-k, and the approximation is a probability law.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ponder.core.errors import InputError, need
from ponder.prob.gaussian import Correlation

_NODES = 16
_SMALLEST = 1e-290


class NotDifferentiable(InputError):
    """The process has no mean rate of zero crossings (r''(0) is infinite), so its intervals have no law."""


class InvalidApproximation(InputError):
    """The approximation is not a probability law, because E0 rises or is negative.

    Attributes:
        at: the time at which it fails.
    """

    def __init__(self, message: str, at: float) -> None:
        self.at = at
        super().__init__(message)


@dataclass(frozen=True)
class ExcursionLaw:
    """The law of the interval T between zero crossings. Made by `excursion_law`.

    Attributes:
        process: the correlation function it comes from.
        times: quadrature nodes from near 0 until E0 has vanished, increasing, shape (n,).
        weights: their Gauss-Legendre weights.
        divisor: E0 there, the survival function of W.
        heavy: whether E0 falls more slowly than any exponential.
    """

    process: Correlation
    times: np.ndarray
    weights: np.ndarray
    divisor: np.ndarray
    heavy: bool

    @property
    def mean(self) -> float:
        """E T = pi / sqrt(lambda2): one over Rice's rate of zero crossings."""
        return math.pi / math.sqrt(self.process.lambda2)

    @cached_property
    def variance(self) -> float:
        """Var T = 2 Var W + 2 (E W)^2."""
        first, second = (float(np.sum(self.weights * f * self.divisor)) for f in (1.0, 2 * self.times))
        return 2 * (second - first**2) + 2 * first**2

    def laplace_divisor(self, s: float | complex | np.ndarray) -> np.ndarray:
        """The Laplace transform of E0 at s, real part at least 0; the shape of s."""
        s = np.asarray(s)
        return np.exp(-s[..., None] * self.times) @ (self.weights * self.divisor)

    def laplace(self, s: float | complex | np.ndarray) -> np.ndarray:
        """E exp(-s T)."""
        turned = np.asarray(s) * self.laplace_divisor(s)
        return (1 - turned) / (1 + turned)

    def persistency(self) -> float:
        """The rate theta at which P(T > t) falls, per unit of the process's own time: the root of E exp(theta W) = 2.

        The physics literature writes a power of t for processes made stationary in log time; the power is this rate. Zero, with a
        warning, for a process of long memory, whose excursions have no exponential tail.
        """
        if self.heavy:
            warnings.warn(f"excursions of {self.process.name} have no exponential tail: its correlation falls too slowly", stacklevel=2)
            return 0.0
        log_divisor = np.log(self.divisor)
        abscissa = -log_divisor[-1] / self.times[-1]

        def excess(theta: float) -> float:
            return 1 - theta * float(np.sum(self.weights * np.exp(np.minimum(theta * self.times + log_divisor, 600))))

        high = 0.5 * abscissa
        while excess(high) > 0:
            high = (high + abscissa) / 2
            if abscissa - high < 1e-6 * abscissa:
                return float(abscissa)  # E exp(theta W) stays below 2 up to the end: the tail of W itself decides
        return float(need("scipy.optimize", "prob").brentq(excess, 0.0, high, xtol=1e-14, rtol=1e-14))

    def divisor_survival(self, t: np.ndarray) -> np.ndarray:
        """P(W > t) = E0(t)."""
        return slepian_mean(self.process, np.asarray(t, dtype=float))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n independent intervals T, shape (n,)."""
        if n < 1:
            raise InputError(f"a sample has at least 1 interval, not {n}")
        parts = rng.geometric(0.5, n)
        survival, times = np.append(self.divisor[::-1], 1.0), np.append(self.times[::-1], 0.0)
        drawn = np.interp(rng.random(int(parts.sum())), survival, times)
        return np.add.reduceat(drawn, np.concatenate([[0], np.cumsum(parts)[:-1]]))

    def survival(self, t: np.ndarray, points: int = 4000) -> np.ndarray:
        """P(T > t), by the renewal equation G = E0 + (1/2) f_W * G on a grid of `points` up to the largest t; error O(points^-2)."""
        t = _times(t)
        grid, values = self._renewal(float(t.max()), points)
        return np.interp(t, grid, values)

    def pdf(self, t: np.ndarray, points: int = 4000) -> np.ndarray:
        """The density of T, the negative slope of `survival`."""
        t = _times(t)
        grid, values = self._renewal(float(t.max()), points)
        return np.interp(t, grid, -np.gradient(values, grid, edge_order=2))

    def residual_survival(self, t: np.ndarray, points: int = 4000) -> np.ndarray:
        """P(no crossing within t) from a time chosen at random, not from a crossing: the integral of P(T > u) beyond t, over E T."""
        t = _times(t)
        grid, values = self._renewal(float(t.max()), points)
        passed = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(grid))])
        return np.interp(t, grid, 1 - passed / self.mean)

    def _renewal(self, end: float, points: int) -> tuple[np.ndarray, np.ndarray]:
        """Grid and P(T > t) there. The trapezoid rule makes the equation a recursive filter."""
        grid = np.linspace(0, max(end, self.process.scale), points)
        divisor = self.divisor_survival(grid)
        jump = np.concatenate([[0.0], -np.diff(divisor), [0.0]])
        kernel = (jump[:-1] + jump[1:]) / 2
        denominator = -kernel / 2
        denominator[0] += 1
        # The trapezoid gives G(0) = 1 half of what the filter gives it; the other half is taken off the input.
        source = divisor - jump[1:] / 4
        source[0] = denominator[0]
        return grid, need("scipy.signal", "prob").lfilter([1.0], denominator, source)


def slepian_mean(process: Correlation, t: np.ndarray) -> np.ndarray:
    """E0(t), the mean sign of the process a time t after an up-crossing of zero; E0(0) = 1."""
    drop = process.drop(t)
    lost = drop < 100 * process.accuracy  # too close to 0 for the quotient: E0 = 1 - O(t^2) there
    safe = np.where(lost, 1.0, drop)
    mean = -process.slope(t) / np.sqrt(process.lambda2 * safe * (2 - safe))
    return np.where(lost, 1.0, mean)


def excursion_law(process: Correlation) -> ExcursionLaw:
    """The independent interval approximation of the time between zero crossings.

    Args:
        process: from `ponder.prob.gaussian`, or `gaussian.correlation(r)` for a function of your own.

    Raises:
        NotDifferentiable: r''(0) is infinite, such as Ornstein-Uhlenbeck's.
        InvalidApproximation: E0 rises or is negative somewhere, as for oscillating covariances; the law would have negative probabilities.
    """
    if not math.isfinite(process.lambda2):
        raise NotDifferentiable(f"{process.name} crosses zero infinitely often: r''(0) is infinite, so there are no intervals to describe")
    nodes, node_weights = np.polynomial.legendre.leggauss(_NODES)
    width = process.scale / 2
    end = _vanishing(process)
    starts = np.arange(0, math.ceil(end / width)) * width
    times = (starts[:, None] + (nodes + 1) / 2 * width).ravel()
    divisor = slepian_mean(process, times)
    tolerance = 10 * process.accuracy
    _refuse(process, times, divisor < -tolerance, "is negative", divisor)
    _refuse(process, times[1:], np.diff(divisor) > tolerance, "rises", divisor[1:])
    kept = divisor > max(_SMALLEST, 0 if process.accuracy <= 1e-12 else 1e-3 * process.accuracy)
    kept &= np.logical_and.accumulate(kept)
    weights = np.tile(node_weights * width / 2, len(starts))
    heavy = bool(divisor[-1] > _SMALLEST and _flattens(process, end))
    return ExcursionLaw(process, times[kept], weights[kept], divisor[kept], heavy)


def _vanishing(process: Correlation) -> float:
    """A time by which E0 is below the smallest number kept, at most 10,000 scales."""
    ends = process.scale * 2.0 ** np.arange(1, 14)
    gone = np.abs(slepian_mean(process, ends)) < _SMALLEST
    return float(min(ends[int(np.argmax(gone))] if gone.any() else math.inf, 1e4 * process.scale))


def _flattens(process: Correlation, end: float) -> bool:
    """Whether the logarithmic slope of E0 still shrinks at the end, as that of a power of t does."""
    quarter, half, last = np.log(np.maximum(slepian_mean(process, end * np.array([0.25, 0.5, 1.0])), _SMALLEST))
    return (half - last) / 2 < 0.75 * (quarter - half)


def _refuse(process: Correlation, times: np.ndarray, wrong: np.ndarray, what: str, values: np.ndarray) -> None:
    if wrong.any():
        first = int(np.argmax(wrong))
        raise InvalidApproximation(
            f"the interval approximation of {process.name} is not a probability law: E0 {what} at t = {times[first]:.4g} "
            f"(E0 = {values[first]:.3g}, least value {values.min():.3g}); it is not for oscillating covariances, simulate instead",
            float(times[first]),
        )


def _times(t: np.ndarray) -> np.ndarray:
    t = np.asarray(t, dtype=float)
    if t.size == 0 or not np.all(np.isfinite(t)) or t.min() < 0:
        raise InputError("times must be finite numbers that are not negative, and at least one")
    return t
