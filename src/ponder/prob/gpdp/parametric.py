"""Parametric dynamics with flat priors: posterior draws, selection criteria, transition matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError, need
from ponder.prob.gpdp.dynamics import Model
from ponder.prob.gpdp.planning import density_rows, equal_steps
from ponder.prob.gpdp.regression import pairs

_SIGMA = (1e-6, 100.0)


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes:
        model: which.
        draws: posterior draws of its parameters and then of sigma, shape (k, parameters + 1).
        best: the maximum of the likelihood, shape (parameters + 1,).
        log_likelihood: at `best`.
        deviances: minus twice the log-likelihood of each draw, shape (k,).
        deviance_at_mean: the same at the mean of the draws.
        pairs: number of data.
    """

    model: Model
    draws: np.ndarray
    best: np.ndarray
    log_likelihood: float
    deviances: np.ndarray
    deviance_at_mean: float
    pairs: int


def _log_likelihood(model: Model, theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """log p(y | x, theta) of log-normal noise, up to the data's own Jacobian; -inf outside the priors. theta (k, p + 1), result (k,)."""
    low, high = np.array([*model.low, _SIGMA[0]]), np.array([*model.high, _SIGMA[1]])
    inside = np.all((theta > low) & (theta < high), axis=1)
    safe = np.where(inside[:, None], theta, (low + high) / 2)
    with np.errstate(all="ignore"):
        off = np.log(y)[None, :] - np.log(model.function(x[None, :], *(safe[:, [j]] for j in range(len(model.low)))))
        total = -0.5 * np.sum((off / safe[:, -1:]) ** 2, axis=1) - len(x) * np.log(safe[:, -1])
    return np.where(inside & np.isfinite(total), total, -np.inf)


def fit_parametric(
    model: Model, x: np.ndarray, y: np.ndarray, rng: np.random.Generator, chains: int = 64, steps: int = 6000, keep: int = 100
) -> Fit:
    """Draw from the posterior by differential evolution Metropolis (ter Braak 2006); the first half of the steps is dropped.

    Raises:
        InputError: fewer than 3 pairs, or a stock of zero: its logarithm has no noise.
    """
    x, y = pairs(x, y)
    if min(x.min(), y.min()) <= 0:
        raise InputError("log-normal noise needs stocks above 0: leave the zeros out")
    low, high = np.array([*model.low, 0.01]), np.array([*model.high, 1.0])
    start = rng.uniform(low, high, (200 * chains, len(low)))
    density = _log_likelihood(model, start, x, y)
    first = np.argsort(-density)[:chains]
    state, density = start[first], density[first]
    scale, kept = 2.38 / np.sqrt(2 * len(low)), []
    for step in range(steps):
        a, b = rng.permutation(chains), rng.permutation(chains)
        factor = 1.0 if step % 10 == 0 else scale
        proposed = state + factor * (state[a] - state[b]) + rng.normal(0, 1e-4, state.shape)
        new = _log_likelihood(model, proposed, x, y)
        taken = np.log(rng.random(chains)) < new - density
        state, density = np.where(taken[:, None], proposed, state), np.where(taken, new, density)
        if step >= steps // 2 and step % 50 == 0:
            kept.append(state)
    pooled = np.concatenate(kept)
    values = _log_likelihood(model, pooled, x, y)
    best = need("scipy.optimize", "prob").minimize(
        lambda t: min(-float(_log_likelihood(model, t[None], x, y)[0]), 1e10),
        pooled[int(np.argmax(values))],
        method="Nelder-Mead",
        options={"maxiter": 4000, "xatol": 1e-8, "fatol": 1e-10},
    )
    at_mean = float(-2 * _log_likelihood(model, pooled.mean(axis=0)[None], x, y)[0])
    draws = pooled[rng.choice(len(pooled), keep, replace=False)]
    return Fit(model, draws, best.x, -float(best.fun), -2 * values, at_mean, len(x))


def criteria(fit: Fit) -> dict[str, float]:
    """AIC, BIC and DIC of a fit; smaller is preferred."""
    p = len(fit.best)
    mean = float(fit.deviances.mean())
    return {
        "AIC": 2 * p - 2 * fit.log_likelihood,
        "BIC": p * float(np.log(fit.pairs)) - 2 * fit.log_likelihood,
        "DIC": 2 * mean - fit.deviance_at_mean,
    }


def parametric_transitions(model: Model, draws: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Next stock's probabilities for each escapement on the grid, averaged over draws of (parameters, sigma), shape (n, n).

    Raises:
        InputError: draws of another number of columns, or a sigma that is not positive.
    """
    grid, draws = equal_steps(grid), np.atleast_2d(draws)
    if draws.shape[1] != len(model.low) + 1 or draws[:, -1].min() <= 0:
        raise InputError(f"draws of {model.name} are {len(model.low)} parameters and a positive sigma, not rows like {draws[0]}")
    mean = model.function(grid[None, :], *(draws[:, [j]] for j in range(len(model.low))))  # (k, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(grid)[None, None, :] - np.log(mean)[:, :, None]
        log_density = -0.5 * (logs / draws[:, -1][:, None, None]) ** 2 - logs
    log_density = np.where(np.isfinite(log_density), log_density, -1e300)
    return density_rows(log_density, mean, grid).mean(axis=0)
