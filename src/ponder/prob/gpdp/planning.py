"""Finite Markov decision problems: value iteration, policy iteration, and harvesting on a grid of stocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError
from ponder.prob.gpdp.dynamics import Fishery


@dataclass(frozen=True)
class Plan:
    """A policy for a finite problem.

    Attributes:
        policy: index of the action in each state, the lowest among equals, shape (states,).
        value: expected discounted reward from each state, shape (states,).
        sweeps: how many it took.
    """

    policy: np.ndarray
    value: np.ndarray
    sweeps: int


def value_iteration(p: np.ndarray, reward: np.ndarray, discount: float, tol: float = 5e-7, horizon: int | None = None) -> Plan:
    """Solve V = max_a [ reward + discount P_a V ] from V = 0.

    Args:
        p: transition probabilities, shape (actions, states, states).
        reward: shape (states, actions).
        discount: in (0, 1); 1 is admitted with a `horizon`.
        tol: stop when no value changes by as much; ignored with a `horizon`.
        horizon: do exactly this many sweeps: the first decision of a problem of that many steps.

    Raises:
        InputError: shapes that do not match, rows that do not sum to 1, or a discount out of range.
    """
    _checked(p, reward, discount, horizon)
    actions, states, _ = p.shape
    value, sweeps = np.zeros(states), 0
    stacked = p.reshape(actions * states, states)
    while True:
        worth = reward.T + discount * (stacked @ value).reshape(actions, states)
        sweeps += 1
        new = worth.max(axis=0)
        done = sweeps == horizon if horizon is not None else np.max(np.abs(new - value)) < tol
        value = new
        if done:
            return Plan(_lowest_best(worth), value, sweeps)


def policy_iteration(p: np.ndarray, reward: np.ndarray, discount: float) -> Plan:
    """The same problem, exactly: evaluate a policy by a linear solve, improve, until nothing improves.

    Raises:
        InputError: as `value_iteration`; the discount must be below 1.
    """
    _checked(p, reward, discount, None)
    states = np.arange(p.shape[1])
    policy = np.zeros(len(states), dtype=int)
    sweeps = 0
    while True:
        sweeps += 1
        value = np.linalg.solve(np.eye(len(states)) - discount * p[policy, states], reward[states, policy])
        worth = reward.T + discount * (p @ value)
        better = worth.max(axis=0) > worth[policy, states] + 1e-10 * (1 + np.abs(value))
        if not better.any():
            return Plan(_lowest_best(worth), value, sweeps)
        policy = np.where(better, worth.argmax(axis=0), policy)


def _lowest_best(worth: np.ndarray) -> np.ndarray:
    """The lowest action within rounding of the best, so that ties do not depend on the order of summation."""
    best = worth.max(axis=0)
    return np.argmax(worth >= best - 1e-12 * (1 + np.abs(best)), axis=0)


def _checked(p: np.ndarray, reward: np.ndarray, discount: float, horizon: int | None) -> None:
    if p.ndim != 3 or p.shape[1] != p.shape[2] or reward.shape != (p.shape[1], p.shape[0]):
        raise InputError(f"transitions are (actions, states, states) and rewards (states, actions), not {p.shape} and {reward.shape}")
    if not np.all(p >= 0) or not np.allclose(p.sum(axis=2), 1, atol=1e-8):
        raise InputError("every row of the transition matrices must be probabilities that sum to 1")
    if horizon is not None and horizon < 1:
        raise InputError(f"a horizon is at least 1 sweep, not {horizon}")
    if not 0 < discount <= 1 or (discount == 1 and horizon is None):
        raise InputError(f"the discount must be between 0 and 1 (1 only with a horizon), not {discount!r}")


def harvest_problem(after: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transitions and rewards of harvesting: the action is a harvest h on the same grid, the reward min(x, h).

    Args:
        after: row i holds the next stock's probabilities when grid[i] escapes the harvest, shape (n, n).
        grid: stocks from 0 in equal steps, shape (n,).

    Returns:
        p of shape (n, n, n) and reward of shape (n, n), for `value_iteration`.
    """
    grid = equal_steps(grid)
    i = np.arange(len(grid))
    escaped = np.maximum(i[None, :] - i[:, None], 0)  # (action, state)
    return after[escaped], np.minimum(grid[:, None], grid[None, :])


def equal_steps(grid: np.ndarray) -> np.ndarray:
    """The grid, if it starts at 0 and goes up in equal steps.

    Raises:
        InputError: otherwise.
    """
    grid = np.asarray(grid, dtype=float)
    if grid.ndim != 1 or len(grid) < 3 or grid[0] != 0 or grid[1] <= 0 or not np.allclose(np.diff(grid), grid[1]):
        raise InputError("a grid of stocks starts at 0 and goes up in equal steps, with at least 3 points")
    return grid


def density_rows(log_density: np.ndarray, mean: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Normalise densities on the grid, rows along the last axis; nothing escaped, or a mean nearest to 0, means extinction."""
    rows = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    rows /= rows.sum(axis=-1, keepdims=True)
    gone = mean < grid[1] / 2
    gone[..., 0] = True
    rows[gone] = 0
    rows[gone, 0] = 1
    return rows


def simulate_harvest(
    fishery: Fishery, policy: np.ndarray, grid: np.ndarray, years: int, runs: int, rng: np.random.Generator, start: float = 10.0
) -> tuple[np.ndarray, np.ndarray]:
    """Harvest the true stock by a policy applied at the nearest grid point.

    Returns:
        Profits, summed over the years, and whether the stock is nearest to 0 at the end; both of shape (runs,).
    """
    noise = np.exp(fishery.sigma * rng.standard_normal((years, runs)))
    stock, profit = np.full(runs, float(start)), np.zeros(runs)
    for z in noise:
        state = np.clip(np.rint(stock / grid[1]).astype(int), 0, len(grid) - 1)
        taken = np.minimum(stock, grid[policy[state]])
        profit += taken
        stock = z * fishery.mean(stock - taken)
    return profit, stock < grid[1] / 2
