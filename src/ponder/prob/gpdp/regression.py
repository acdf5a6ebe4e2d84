"""Gaussian-process regression of next year's stock on this year's, its hyper-parameters by Metropolis."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError
from ponder.prob.gaussian import Correlation, NotPositiveDefinite, squared_exponential
from ponder.prob.gpdp.planning import density_rows, equal_steps

PRIORS = ((10.0, 10.0), (5.0, 5.0))
"""Shape and scale of the inverse-gamma priors of length and noise, as the paper documents them."""
Kernel = Callable[[float], Correlation]
"""A family of correlations by length, such as `squared_exponential` or `lambda length: matern(2.5, length)`."""


@dataclass(frozen=True)
class GPPosterior:
    """Mean and variance of the function at some points, noise not included; each of shape (m,)."""

    mean: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class GPSamples:
    """Posterior samples of a Gaussian process's hyper-parameters, with the data they rest on.

    Attributes:
        x, y: escapement and next stock, anchors included, shape (n,).
        exact: which of them carry no noise, shape (n,).
        length, noise: the samples, shape (k,).
        accepted: share of accepted proposals.
        kernel: the family of correlations.
    """

    x: np.ndarray
    y: np.ndarray
    exact: np.ndarray
    length: np.ndarray
    noise: np.ndarray
    accepted: float
    kernel: Kernel = squared_exponential

    def transitions(self, grid: np.ndarray) -> np.ndarray:
        """Next stock's probabilities for each escapement on the grid, averaged over the samples, shape (n, n).

        The variance is that of the function and of the noise together, both at the escapement.

        Raises:
            InputError: the grid does not cover the data.
        """
        grid = equal_steps(grid)
        if max(self.x.max(), self.y.max()) > grid[-1]:
            raise InputError(f"the grid ends at {grid[-1]:g} and the data go up to {max(self.x.max(), self.y.max()):g}: take a longer grid")
        total = np.zeros((len(grid), len(grid)))
        for length, noise in zip(self.length, self.noise, strict=True):
            p = gp_posterior(self.x, self.y, grid, length, noise, self.exact, self.kernel)
            sd = np.sqrt(p.variance + noise**2)
            total += density_rows(-0.5 * ((grid[None, :] - p.mean[:, None]) / sd[:, None]) ** 2, p.mean, grid)
        return total / len(self.length)


def _cholesky(x: np.ndarray, length: float, noise: float, exact: np.ndarray | None, kernel: Kernel) -> np.ndarray:
    k = kernel(length).value(np.abs(np.subtract.outer(x, x)))
    diagonal = np.full(len(x), noise**2)
    if exact is not None:
        diagonal[exact] = 0
    for jitter in (0.0, 1e-10, 1e-8, 1e-6):
        try:
            return np.linalg.cholesky(k + np.diag(diagonal + jitter))
        except np.linalg.LinAlgError:
            continue
    raise NotPositiveDefinite(f"the kernel matrix is not positive definite at length {length:g} and noise {noise:g}, nor with 1e-6 added")


def gp_posterior(
    x: np.ndarray,
    y: np.ndarray,
    at: np.ndarray,
    length: float,
    noise: float,
    exact: np.ndarray | None = None,
    kernel: Kernel = squared_exponential,
) -> GPPosterior:
    """Regression with mean zero and unit amplitude (Rasmussen & Williams 2006, algorithm 2.1).

    Raises:
        NotPositiveDefinite: even with a jitter of 1e-6.
    """
    lower = _cholesky(x, length, noise, exact, kernel)
    cross = np.linalg.solve(lower, kernel(length).value(np.abs(np.subtract.outer(x, at))))
    return GPPosterior(cross.T @ np.linalg.solve(lower, y), np.maximum(1 - np.sum(cross**2, axis=0), 0))


def log_marginal(
    x: np.ndarray,
    y: np.ndarray,
    length: float,
    noise: float,
    exact: np.ndarray | None = None,
    kernel: Kernel = squared_exponential,
) -> float:
    """log p(y | x, length, noise)."""
    lower = _cholesky(x, length, noise, exact, kernel)
    z = np.linalg.solve(lower, y)
    return float(-0.5 * z @ z - np.log(np.diag(lower)).sum() - 0.5 * len(y) * math.log(2 * math.pi))


def fit_gp(
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    steps: int = 6000,
    keep: int = 100,
    anchored: bool = True,
    kernel: Kernel = squared_exponential,
) -> GPSamples:
    """Sample length and noise from their posterior by random-walk Metropolis in logarithms; the first sixth is dropped.

    Args:
        x, y: escapement and the stock a year later, shape (n,).
        rng: the source of randomness.
        steps: of the chain.
        keep: samples kept, evenly spaced.
        anchored: add the point (0, 0), free of noise: what is extinct stays so.
        kernel: the family of correlations.

    Raises:
        InputError: fewer than 3 pairs, unequal lengths, numbers that are negative or not finite.
    """
    x, y = pairs(x, y)
    exact = np.zeros(len(x), dtype=bool)
    if anchored:
        x, y, exact = np.append(x, 0.0), np.append(y, 0.0), np.append(exact, True)

    def log_posterior(logs: np.ndarray) -> float:
        values = np.exp(logs)
        if not np.all((values > 1e-3) & (values < 1e3)):
            return -math.inf
        prior = sum(-a * v - b / math.exp(v) for (a, b), v in zip(PRIORS, logs, strict=True))  # Jacobian of the logarithm included
        return prior + log_marginal(x, y, values[0], values[1], exact, kernel)

    now = np.log([1.0, 1.0])
    density, accepted, chain = log_posterior(now), 0, np.empty((steps, 2))
    for i, (move, u) in enumerate(zip(rng.normal(0, 0.25, (steps, 2)), np.log(rng.random(steps)), strict=True)):
        proposed = log_posterior(now + move)
        if u < proposed - density:
            now, density, accepted = now + move, proposed, accepted + 1
        chain[i] = now
    kept = np.exp(chain[np.linspace(steps // 6, steps - 1, keep).astype(int)])
    return GPSamples(x, y, exact, kept[:, 0], kept[:, 1], accepted / steps, kernel)


def pairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Checked data of a yearly map."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 3:
        raise InputError(f"at least 3 pairs of escapement and next stock are needed, not arrays of shapes {x.shape} and {y.shape}")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y)) and x.min() >= 0 and y.min() >= 0):
        raise InputError("stocks must be finite numbers that are not negative")
    return x, y
