"""State-space models as programs whose states are arrays: a particle filter is the core's loop over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.population import Batch, logsumexp
from ponder.core.seeds import derive

Draw = Callable[[int, np.random.Generator], NDArray[Any]]
Move = Callable[[int, NDArray[Any], np.random.Generator], NDArray[Any]]
LogDensity = Callable[[int, NDArray[Any], Any], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Particles(Batch):
    """States of all particles after `time` observations.

    Attributes:
        values: shape (n, ...).
        time: how many observations have been seen.
        parents: which particle of `before` each descends from, shape (n,); None without history.
        before: the particles that these were moved from; None without history and at the beginning.
    """

    values: NDArray[Any]
    time: int = 0
    parents: NDArray[np.intp] | None = None
    before: Particles | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def at(self, indices: NDArray[np.intp]) -> Particles:
        return Particles(self.values[indices], self.time, None if self.parents is None else self.parents[indices], self.before)

    def beside(self, other: Particles) -> Particles:
        if self.time != other.time or self.before is not other.before:
            raise InputError(f"particles of one batch have one time and one history; these have times {self.time} and {other.time}")
        parents = None if self.parents is None or other.parents is None else np.concatenate([self.parents, other.parents])
        return Particles(np.concatenate([self.values, other.values]), self.time, parents, self.before)

    def generations(self) -> list[Particles]:
        """The particles after each observation and its resampling, oldest first. Needs a model with `history=True`."""
        line: list[Particles] = [self]
        while line[-1].before is not None and line[-1].parents is not None:
            line.append(line[-1].before)
        return line[::-1]

    def ancestors(self) -> NDArray[np.intp]:
        """Which particle of each generation every particle descends from, oldest generation first, shape (n, times).

        The last column is 0..n-1; the number of distinct entries of a column is how many lineages of that time are left.
        """
        line = [np.arange(len(self))]
        for generation in self.generations()[:0:-1]:
            assert generation.parents is not None
            line.append(generation.parents[line[-1]])
        return np.stack(line[::-1], axis=1)

    def trajectories(self) -> NDArray[Any]:
        """Where each particle has been, oldest first, shape (n, times, ...). Needs a model with `history=True`."""
        pairs = zip(self.generations(), self.ancestors().T, strict=True)
        return np.stack([generation.values[chosen] for generation, chosen in pairs], axis=1)


class StateSpace:
    """A hidden Markov process in discrete time with observations. Implements `ponder.core.context.Program`.

    Args:
        first: first(n, rng) draws n states at the first observation, shape (n, ...).
        move: move(t, states, rng) draws the states at observation t, t = 1, 2, ...
        log_density: log_density(t, states, y) is log p(y_t | x_t), shape (n,).
        observations: y_0, y_1, ...; at least one.
        history: keep all generations, so that trajectories can be read off.

    Raises:
        InputError: without observations; while it runs, for densities that are NaN or +inf.
    """

    def __init__(self, first: Draw, move: Move, log_density: LogDensity, observations: ArrayLike, history: bool = False) -> None:
        self.observations = np.asarray(observations)
        if not len(self.observations):
            raise InputError("a state-space model needs at least one observation, and there are none")
        self.first, self.move, self.log_density, self.history = first, move, log_density, history

    def start(self, n: int, context: Context) -> Particles:
        return Particles(np.empty((n, 0)))

    def finished(self, states: Particles) -> NDArray[np.bool_]:
        return np.full(len(states), states.time >= len(self.observations))

    def extend(self, states: Particles, width: int, context: Context) -> tuple[Particles, NDArray[np.float64]]:
        t = states.time
        # SFC64 is the fastest of numpy's generators that pass the usual batteries.
        rng = np.random.Generator(np.random.SFC64(derive(context.root, (*context.path, "extend"))))
        parents = np.repeat(np.arange(len(states)), width) if width > 1 or self.history else None
        values = states.values if width == 1 else np.repeat(states.values, width, axis=0)
        new = self.move(t, values, rng) if t else self.first(len(values), rng)
        log_weights = self.log_density(t, new, self.observations[t])
        if not np.max(log_weights) < np.inf:
            raise InputError(f"log_density gave NaN or +inf at observation {t}")
        kept = self.history and t > 0
        return Particles(new, t + 1, parents if kept else None, states if kept else None), log_weights


def linear_gaussian(
    y: ArrayLike, rho: float = 0.9, sd_state: float = 1.0, sd_seen: float = 1.0, history: bool = False, dtype: Any = np.float64
) -> StateSpace:
    """x_0 ~ N(0, sd_state^2 / (1 - rho^2)), x_t = rho x_{t-1} + sd_state e_t, y_t = x_t + sd_seen u_t; |rho| < 1."""
    _positive(sd_state=sd_state, sd_seen=sd_seen)
    first, move = _autoregression(0.0, rho, sd_state, dtype)
    level = -math.log(sd_seen * math.sqrt(2 * math.pi))

    def log_density(t: int, x: NDArray[Any], seen: Any) -> NDArray[np.float64]:
        off = (x - dtype(seen)) * dtype(1 / (sd_seen * math.sqrt(2)))
        return level - off * off

    return StateSpace(first, move, log_density, y, history)


def stochastic_volatility(
    y: ArrayLike, mu: float = -1.0, rho: float = 0.95, sigma: float = 0.2, history: bool = False, dtype: Any = np.float64
) -> StateSpace:
    """x_0 ~ N(mu, sigma^2 / (1 - rho^2)), x_t = mu + rho (x_{t-1} - mu) + sigma e_t, y_t ~ N(0, exp(x_t)); |rho| < 1."""
    _positive(sigma=sigma)
    first, move = _autoregression(mu, rho, sigma, dtype)
    half = 0.5 * math.log(2 * math.pi)

    def log_density(t: int, x: NDArray[Any], seen: Any) -> NDArray[np.float64]:
        spread = np.exp(-x)
        spread *= dtype(0.5 * seen * seen)
        spread += dtype(0.5) * x
        return -half - spread

    return StateSpace(first, move, log_density, y, history)


def _autoregression(mean: float, rho: float, sd: float, dtype: Any) -> tuple[Draw, Move]:
    """The stationary process x_t = mean + rho (x_{t-1} - mean) + sd e_t."""
    if not abs(rho) < 1:
        raise InputError(f"a stationary process needs |rho| < 1, not {rho}")

    def first(n: int, rng: np.random.Generator) -> NDArray[Any]:
        return dtype(mean) + rng.standard_normal(n, dtype=dtype) * dtype(sd / math.sqrt(1 - rho**2))

    def move(t: int, x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        new = rng.standard_normal(len(x), dtype=dtype)
        new *= dtype(sd)
        new += dtype(rho) * x
        if mean:  # a pass over all particles
            new += dtype(mean * (1 - rho))
        return new

    return first, move


def hidden_markov(first: ArrayLike, step: ArrayLike, emission: ArrayLike, y: ArrayLike, history: bool = False) -> StateSpace:
    """Finitely many states and symbols.

    Args:
        first: probabilities of the first state, shape (k,).
        step: step[i, j] = p(j | i), shape (k, k).
        emission: emission[i, s] = p(s | i), shape (k, symbols).
        y: symbols.
    """
    p, a, b = _rows(first, step, emission)
    logs = np.log(b, out=np.full(b.shape, -np.inf), where=b > 0)
    begins, ends = np.cumsum(p), np.cumsum(a, axis=1)

    def begin(n: int, rng: np.random.Generator) -> NDArray[Any]:
        return np.minimum(np.searchsorted(begins, rng.random(n), side="right"), len(p) - 1)

    def move(t: int, x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        return np.minimum((rng.random(len(x))[:, None] >= ends[x]).sum(1), len(p) - 1)

    return StateSpace(begin, move, lambda t, x, seen: logs[x, int(seen)], y, history)


def kalman_log_evidence(y: ArrayLike, rho: float = 0.9, sd_state: float = 1.0, sd_seen: float = 1.0) -> float:
    """log p(y) of `linear_gaussian` (Kalman 1960)."""
    mean, variance, total = 0.0, sd_state**2 / (1 - rho**2), 0.0
    for t, seen in enumerate(np.asarray(y, dtype=float)):
        if t:
            mean, variance = rho * mean, rho**2 * variance + sd_state**2
        spread = variance + sd_seen**2
        total -= 0.5 * ((seen - mean) ** 2 / spread + math.log(2 * math.pi * spread))
        gain = variance / spread
        mean, variance = mean + gain * (seen - mean), (1 - gain) * variance
    return total


def forward_log_evidence(first: ArrayLike, step: ArrayLike, emission: ArrayLike, y: ArrayLike) -> float:
    """log p(y) of `hidden_markov` by the forward algorithm (Rabiner 1989)."""
    p, a, b = _rows(first, step, emission)
    with np.errstate(divide="ignore"):
        log_a, log_b, alpha = np.log(a), np.log(b), np.log(p)
    for t, seen in enumerate(np.asarray(y, dtype=int)):
        if t:
            alpha = np.array([logsumexp(alpha + log_a[:, j]) for j in range(len(alpha))])
        alpha = alpha + log_b[:, seen]
    return logsumexp(alpha)


def _positive(**given: float) -> None:
    for name, value in given.items():
        if not (value > 0 and math.isfinite(value)):
            raise InputError(f"{name} is a standard deviation above 0, not {value}")


def _rows(first: ArrayLike, step: ArrayLike, emission: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    p, a, b = (np.asarray(m, dtype=np.float64) for m in (first, step, emission))
    if a.shape != (len(p), len(p)) or b.ndim != 2 or len(b) != len(p):
        raise InputError(f"{len(p)} states need a step of shape ({len(p)}, {len(p)}) and an emission row each, not {a.shape} and {b.shape}")
    for name, rows in (("first", p[None]), ("step", a), ("emission", b)):
        if not (np.min(rows) >= 0) or np.abs(rows.sum(1) - 1).max() > 1e-9:
            raise InputError(f"the rows of {name} are probabilities that add up to 1, and these are not: {rows.tolist()!r:.80}")
    return p, a, b
