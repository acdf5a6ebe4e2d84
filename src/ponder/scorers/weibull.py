"""Reasoning pruning: a two-component Weibull mixture of path weights, whose low component is dropped.

Zhou et al. 2025 (RPC), section 3.2. The mixture is fitted by maximum likelihood with a quasi-Newton method on the exact
gradient: about 3 ms a start for 64 paths, and several starts, because the likelihood has several peaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError
from ponder.core.terms import Term, registered

Floats = NDArray[np.float64]

FLOOR = 1e-12
"""Path weights below this count as this: a density at 0 is 0 or infinite."""

FEWEST = 5
"""Fewer different weights than this hold no mixture of five parameters."""

WEIGHTS = (0.2, 0.8)
SMALLEST, SHARPEST = 0.01, 1e3  # a shape without upper end lets a component shrink onto one path, where the likelihood is infinite
FIRST_START = (0.5, 1.0, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class WeibullMixture:
    """weight * Weibull(shape[0], scale[0]) + (1 - weight) * Weibull(shape[1], scale[1]), the component of larger mean first.

    Attributes:
        weight: share of the high component, in [.2, .8].
        shape, scale: k and lambda of the density (k / l) (x / l)^(k - 1) exp(-(x / l)^k), high and low component.
        nll: negative log-likelihood of the data, in nats.
        converged: whether the best start's search ended by itself.
        p_high: shape (n,), posterior probability of the high component for every path.
    """

    weight: float
    shape: tuple[float, float]
    scale: tuple[float, float]
    nll: float
    converged: bool
    p_high: Floats


def fit_weibull_mixture(x: ArrayLike) -> WeibullMixture:
    """Fit the mixture by maximum likelihood; weight in [.2, .8], shapes in [.01, 1000], scales at least .01.

    The likelihood has several peaks. Three starts are tried and the best is taken: the published one (.5, 1, 1, 1.5, 2), one
    from the data below and above their mean, one from their quantiles.

    Args:
        x: path weights, shape (n,), non-negative and finite, of the order of 1 (relative weights, or exp(mean log-probability)).

    Raises:
        InputError: for other numbers, or fewer than 5 different ones.
    """
    values = checked_weights(x)
    if len(np.unique(values)) < FEWEST:
        raise InputError(f"a mixture of five parameters needs at least {FEWEST} different weights, not {len(np.unique(values))}")
    log_x = np.log(np.maximum(np.sort(values), FLOOR))  # sorted: sums do not depend on the order of the paths
    most = max(float(log_x.max()), 0.0) + 10
    low = np.array([WEIGHTS[0], *[math.log(SMALLEST)] * 4])
    span = np.array([WEIGHTS[1], math.log(SHARPEST), most, math.log(SHARPEST), most]) - low

    def loss(u: Floats) -> tuple[float, Floats]:
        inside = 1 / (1 + np.exp(-u))  # every bound is kept by a logistic map of the whole line
        value, slope = _loss(log_x, low + span * inside)
        return value, slope * span * inside * (1 - inside)

    runs = []
    for start in _starts(values):
        inside = np.clip((np.array([start[0], *np.log(start[1:])]) - low) / span, 1e-3, 1 - 1e-3)
        runs.append(minimise(loss, np.log(inside / (1 - inside))))
    u, nll, converged = min(runs, key=lambda run: run[1])
    theta = low + span / (1 + np.exp(-u))
    return _named(theta, np.log(np.maximum(values, FLOOR)), nll, converged)


def _starts(x: Floats) -> list[tuple[float, ...]]:
    above = x >= x.mean()
    split = (0.5, 3.0, max(float(x[above].mean()), 0.02), 3.0, max(float(x[~above].mean()), 0.02))
    tail, middle = np.maximum(np.quantile(x, [0.1, 0.6]), 0.02)
    return [FIRST_START, split, (0.75, 6.0, float(middle), 4.0, float(tail))]


def _log_parts(log_x: Floats, theta: Floats) -> tuple[Floats, Floats, Floats]:
    """Both components' weighted log-densities, and e = k log(x / l) and exp(e), all of shape (2, n)."""
    shape = np.exp(theta[1::2])[:, None]
    e = shape * (log_x - theta[2::2][:, None])
    power = np.exp(np.minimum(e, 300.0))
    share = np.log(np.array([[theta[0]], [1 - theta[0]]]))
    return share + theta[1::2][:, None] - log_x + e - power, e, power


def _loss(log_x: Floats, theta: Floats) -> tuple[float, Floats]:
    """Negative log-likelihood and its gradient in (w, log k1, log l1, log k2, log l2)."""
    joint, e, power = _log_parts(log_x, theta)
    total = np.logaddexp(joint[0], joint[1])
    posterior = np.exp(joint - total)
    slope = np.empty(5)
    slope[0] = posterior[1].sum() / (1 - theta[0]) - posterior[0].sum() / theta[0]
    slope[1::2] = -(posterior * (1 + e * (1 - power))).sum(axis=1)
    slope[2::2] = -(posterior * (power - 1)).sum(axis=1) * np.exp(theta[1::2])
    return -float(total.sum()), slope


def minimise(loss: Callable[[Floats], tuple[float, Floats]], u: Floats, steps: int = 200) -> tuple[Floats, float, bool]:
    """BFGS with step halving (Nocedal & Wright 2006, algorithm 6.1); the point, its loss and whether the search ended by itself."""
    value, slope = loss(u)
    inverse: Floats | None = None
    small = 0
    for _ in range(steps):
        step = -slope / max(1.0, float(np.linalg.norm(slope))) if inverse is None else -inverse @ slope
        step *= min(1.0, 3.0 / float(np.abs(step).max()))
        descent = float(slope @ step)
        for _ in range(25):
            new, new_slope = loss(u + step)
            if new <= value + 1e-4 * descent:
                break
            step, descent = step / 2, descent / 2
        else:
            return u, value, True  # no shorter step improves: the limit of floating point
        change = new_slope - slope
        inverse = _curved(inverse, step, change)
        small = small + 1 if value - new < 1e-9 * max(1.0, abs(value)) else 0
        u, value, slope = u + step, new, new_slope
        if small >= 2 or float(np.abs(slope).max()) < 1e-6:
            return u, value, True
    return u, value, False


def _curved(inverse: Floats | None, step: Floats, change: Floats) -> Floats | None:
    """The inverse Hessian updated by one step; unchanged where the curvature along it is not positive."""
    curvature = float(step @ change)
    if curvature <= 1e-12:
        return inverse
    if inverse is None:
        inverse = np.eye(len(step)) * curvature / float(change @ change)
    left = np.eye(len(step)) - np.outer(step, change) / curvature
    return left @ inverse @ left.T + np.outer(step, step) / curvature


def _named(theta: Floats, log_x: Floats, nll: float, converged: bool) -> WeibullMixture:
    shape, scale = np.exp(theta[1::2]), np.exp(theta[2::2])
    log_mean = theta[2::2] + np.array([math.lgamma(1 + 1 / k) for k in shape])
    joint, _, _ = _log_parts(log_x, theta)
    high = int(np.argmax(log_mean))
    p_high = np.exp(joint[high] - np.logaddexp(joint[0], joint[1]))
    weight = float(theta[0]) if high == 0 else 1 - float(theta[0])
    low = 1 - high
    return WeibullMixture(weight, (float(shape[high]), float(shape[low])), (float(scale[high]), float(scale[low])), nll, converged, p_high)


def checked_weights(x: ArrayLike) -> Floats:
    """x as float64 of shape (n,), n >= 1, finite and non-negative, or an InputError."""
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise InputError(f"path weights must be finite numbers of at least 0, shape (n,), at least one; shape {values.shape} was given")
    return values


@dataclass(frozen=True)
class Pruned:
    """Which paths to keep, shape (n,), and the mixture of weights over their mean that says so.

    The mixture is None where too few weights differ; all are kept then.
    """

    keep: NDArray[np.bool_]
    mixture: WeibullMixture | None


def prune_paths(x: ArrayLike) -> Pruned:
    """Drop path i if P_high(x_i) < 1/2 and x_i is below the mean; with fewer than 5 different weights keep all.

    A path at or above the mean is never dropped, so one always remains. Zhou et al. 2025 (RPC), section 3.2. The mixture is
    fitted to the weights over their mean, so that only relative weights matter, however small the probabilities.

    Args:
        x: path weights, shape (n,), non-negative and finite.
    """
    values = checked_weights(x)
    largest = values.max()
    relative = values / largest if largest > 0 else np.ones(len(values))
    relative = relative / (math.fsum(relative) / len(values))
    if len(np.unique(relative)) < FEWEST:
        return Pruned(np.ones(len(values), dtype=bool), None)
    mixture = fit_weibull_mixture(relative)
    return Pruned((mixture.p_high >= 0.5) | (relative >= 1 - 1e-12), mixture)


class Pruner(Term):
    """Says which candidates to keep, from their relative weights."""

    kind: ClassVar[str] = "pruner"

    def __call__(self, x: Floats) -> NDArray[np.bool_]:
        """True for the candidates to keep, shape (n,); at least one is kept.

        Args:
            x: relative weights, non-negative and finite, shape (n,).
        """
        raise NotImplementedError


@registered
class weibull(Pruner):
    """Drops candidates that belong to the low component of a Weibull mixture and weigh less than the mean: `prune_paths`."""

    def __call__(self, x: Floats) -> NDArray[np.bool_]:
        return prune_paths(x).keep
