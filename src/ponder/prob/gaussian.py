"""Stationary Gaussian processes: correlation functions, and exact simulation by circulant embedding (Dietrich & Newsam 1997)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError, need

Function = Callable[[np.ndarray], np.ndarray]
EXACT = 1e-12
"""The accuracy that the closed forms below are computed to."""


class NotPositiveDefinite(InputError):
    """A covariance that no Gaussian process has."""


@dataclass(frozen=True)
class Correlation:
    """The correlation function r of a stationary process, r(0) = 1.

    Attributes:
        name: how messages and figures call it.
        value: r(t) for an array of times t >= 0.
        slope: r'(t).
        drop: 1 - r(t), without cancellation near 0.
        lambda2: -r''(0), the second spectral moment; infinity if the process has no mean-square derivative.
        scale: a time over which r falls visibly; grids are laid in its units.
        accuracy: absolute accuracy of the three functions.
    """

    name: str
    value: Function
    slope: Function
    drop: Function
    lambda2: float
    scale: float
    accuracy: float = EXACT

    def stretched(self, factor: float) -> Correlation:
        """The same process run at another speed: r(factor * t)."""
        c = _positive("factor", factor)
        return Correlation(
            f"{self.name} at speed {c:g}",
            lambda t: self.value(c * t),
            lambda t: c * self.slope(c * t),
            lambda t: self.drop(c * t),
            c * c * self.lambda2,
            self.scale / c,
            self.accuracy,
        )


def squared_exponential(length: float = 1.0) -> Correlation:
    """r(t) = exp(-t^2 / (2 length^2))."""
    c = _positive("length", length)
    return Correlation(
        f"squared exponential, length {c:g}",
        lambda t: np.exp(-0.5 * (t / c) ** 2),
        lambda t: -t / c**2 * np.exp(-0.5 * (t / c) ** 2),
        lambda t: -np.expm1(-0.5 * (t / c) ** 2),
        c**-2,
        c,
    )


def matern(nu: float, length: float = 1.0) -> Correlation:
    """Matern correlation of smoothness nu = 0.5 (Ornstein-Uhlenbeck), 1.5 or 2.5."""
    c = _positive("length", length)
    gammainc = need("scipy.special", "prob").gammainc  # 1 - (1 + x + ... + x^(k-1)/(k-1)!) e^-x without cancellation
    name = f"Matern {nu:g}, length {c:g}"
    if nu == 0.5:
        return Correlation(name, lambda t: np.exp(-t / c), lambda t: -np.exp(-t / c) / c, lambda t: -np.expm1(-t / c), math.inf, c)
    if nu == 1.5:
        a = math.sqrt(3) / c
        return Correlation(
            name,
            lambda t: (1 + a * t) * np.exp(-a * t),
            lambda t: -a * a * t * np.exp(-a * t),
            lambda t: gammainc(2, a * t),
            a * a,
            c,
        )
    if nu == 2.5:
        a = math.sqrt(5) / c
        return Correlation(
            name,
            lambda t: (1 + a * t + (a * t) ** 2 / 3) * np.exp(-a * t),
            lambda t: -a * a / 3 * t * (1 + a * t) * np.exp(-a * t),
            lambda t: gammainc(3, a * t) + (a * t) ** 2 / 6 * np.exp(-a * t),
            a * a / 3,
            c,
        )
    raise InputError(f"a Matern correlation is built for nu 0.5, 1.5 and 2.5, not {nu!r}")


def diffusion(dimension: float) -> Correlation:
    """r(t) = sech(t/2)^(dimension/2): a field that diffuses from white noise in `dimension` dimensions, seen in log time."""
    d = _positive("dimension", dimension)

    def log_value(t: np.ndarray) -> np.ndarray:
        x = np.asarray(t) / 2
        near = np.log1p(2 * np.sinh(np.minimum(x, 1) / 2) ** 2)
        return -d / 2 * np.where(x < 1, near, x + np.log1p(np.exp(-2 * x)) - math.log(2))

    return Correlation(
        f"diffusion, d = {d:g}",
        lambda t: np.exp(log_value(t)),
        lambda t: -d / 4 * np.tanh(t / 2) * np.exp(log_value(t)),
        lambda t: -np.expm1(log_value(t)),
        d / 8,
        2 / math.sqrt(d),
    )


def random_acceleration() -> Correlation:
    """r(t) = 1.5 e^(-t/2) - 0.5 e^(-3t/2): the integral of Brownian motion, made stationary in log time."""
    return Correlation(
        "random acceleration",
        lambda t: 1.5 * np.exp(-t / 2) - 0.5 * np.exp(-1.5 * t),
        lambda t: 0.75 * np.exp(-t / 2) * np.expm1(-t),
        lambda t: 0.5 * np.expm1(-t / 2) ** 2 * (np.exp(-t / 2) + 2),
        0.75,
        2.0,
    )


def correlation(value: Function, slope: Function | None = None, lambda2: float | None = None, name: str = "given") -> Correlation:
    """A correlation of your own. What is not given is found by finite differences, to about seven digits.

    Fit a parametric form to an empirical autocorrelation first: derivatives of a noisy one mean nothing.

    Args:
        value: r(t) for an array of times t >= 0, with r(0) = 1 and |r| <= 1.
        slope: r'(t).
        lambda2: -r''(0).
        name: how messages call it.

    Raises:
        InputError: r(0) is not 1, some |r(t)| is above 1 or not finite, or r never falls below .9 within t in [1e-9, 1e9].
    """
    times = np.geomspace(1e-9, 1e9, 400)
    r = np.asarray(value(np.concatenate([[0.0], times])), dtype=float)
    if r.shape != (401,) or not np.all(np.isfinite(r)):
        raise InputError(f"a correlation function gives one finite number a time, and {name} does not")
    if abs(r[0] - 1) > 1e-9 or np.any(np.abs(r) > 1 + 1e-9):
        raise InputError(f"a correlation has r(0) = 1 and |r| <= 1; {name} has r(0) = {r[0]:g} and largest |r| {np.abs(r).max():g}")
    if r.min() > 0.9:
        raise InputError(f"the correlation {name} does not fall below 0.9 anywhere between t = 1e-9 and 1e9")
    scale = float(times[int(np.argmax(r[1:] <= 0.9))])
    h = 1e-3 * scale

    def differenced(t: np.ndarray) -> np.ndarray:
        far, near = (np.asarray(value(t + k * h)) - np.asarray(value(np.abs(t - k * h))) for k in (2, 1))
        return (8 * near - far) / (12 * h)

    return Correlation(
        name,
        value,
        slope or differenced,
        lambda t: 1 - np.asarray(value(t)),
        _curvature(value, h) if lambda2 is None else _positive("lambda2", lambda2),
        scale,
        1e-7,
    )


def _curvature(value: Function, h: float) -> float:
    """-r''(0) by extrapolated differences; infinity where the differences grow as the step shrinks."""
    estimates = 2 * (1 - np.asarray(value(np.array([4 * h, 2 * h, h])))) / np.array([4 * h, 2 * h, h]) ** 2
    if estimates[2] > 1.3 * estimates[1] > 1.3**2 * estimates[0]:
        return math.inf
    return float((4 * estimates[2] - estimates[1]) / 3)


def simulate(process: Correlation, step: float, n: int, paths: int, rng: np.random.Generator) -> np.ndarray:
    """Draw paths of a centred process of variance 1 with exactly this correlation at the times 0, step, ..., (n - 1) step.

    Returns:
        Array of shape (paths, n).

    Raises:
        NotPositiveDefinite: no circulant has a non-negative spectrum, of up to 16 n points or 64 scales of the process.
        InputError: a step that is not positive, or fewer than 2 points or 1 path.
    """
    _positive("step", step)
    if n < 2 or paths < 1:
        raise InputError(f"a simulation needs at least 2 points and 1 path, not {n} and {paths}")
    spectrum = _spectrum(process, step, n)
    size, pairs = len(spectrum), (paths + 1) // 2
    noise = rng.standard_normal((pairs, size)) + 1j * rng.standard_normal((pairs, size))
    noise *= np.sqrt(spectrum / size)
    drawn = np.fft.fft(noise, axis=1)[:, :n]
    return np.concatenate([drawn.real, drawn.imag])[:paths]


def _spectrum(process: Correlation, step: float, n: int) -> np.ndarray:
    """Eigenvalues of the smallest circulant that embeds the covariance; rounding errors below zero are set to zero."""
    size = 1 << (n - 1).bit_length()
    largest = max(8 * size, min(int(64 * process.scale / step), 2**21))
    while True:
        r = np.asarray(process.value(step * np.arange(size + 1.0)), dtype=float)
        spectrum = np.fft.fft(np.concatenate([r, r[-2:0:-1]])).real
        least = float(spectrum.min() / spectrum.max())
        if least > -1e-9:
            return np.maximum(spectrum, 0)
        if size > largest:
            raise NotPositiveDefinite(
                f"no process has the correlation {process.name}: at step {step:g} its spectrum falls to {least:.3g} of its maximum"
            )
        size *= 2


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} must be a positive number, not {value!r}")
    return float(value)
