"""The prior over chains and their observations that a network for rates is trained on (Berghaus et al. 2024, arXiv 2406.06419)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ponder.core.errors import InputError, need
from ponder.prob.markov_jump.chain import mislabelled
from ponder.prob.markov_jump.panel import Panel

SHAPES = ((1.0, 1.0), (1.0, 2.0), (1.0, 3.0), (2.0, 5.0))
"""Beta distributions that the rates of a chain come from, one a chain."""
FINE = 100
"""Points of the grid that irregular observations are a random subset of."""


@dataclass(frozen=True)
class JumpTasks:
    """Chains and what was seen of them, side by side. All arrays are padded to the same number of states.

    Attributes:
        times: since the first observation of a path, shape (tasks, paths, points).
        states: labels seen, shape (tasks, paths, points).
        rates: shape (tasks, s, s), diagonal included.
        initial: distribution of the first state, shape (tasks, s).
        n_states: how many states are real, shape (tasks,).
        label_noise: shape (tasks,).
    """

    times: np.ndarray
    states: np.ndarray
    rates: np.ndarray
    initial: np.ndarray
    n_states: np.ndarray
    label_noise: np.ndarray

    def __len__(self) -> int:
        return len(self.rates)

    @property
    def links(self) -> np.ndarray:
        """Which jumps are possible, shape (tasks, s, s)."""
        return (self.rates > 0) & ~np.eye(self.rates.shape[1], dtype=bool)

    def beside(self, other: JumpTasks) -> JumpTasks:
        """These tasks and others of the same shape."""
        return JumpTasks(*(np.concatenate([getattr(t, f.name) for t in (self, other)]) for f in fields(self)))

    def panel(self, task: int) -> Panel:
        """The observations of one chain."""
        return Panel.from_paths(list(self.times[task]), list(self.states[task]), int(self.n_states[task]))

    def truth(self, task: int) -> np.ndarray:
        """The rates of one chain, without padding."""
        n = self.n_states[task]
        return self.rates[task, :n, :n]


@dataclass(frozen=True)
class JumpPrior:
    """Random chains: half of them fully connected, rates from a Beta distribution, started at rest or nearly uniformly.

    Args:
        least, most: numbers of states, drawn evenly.
        noise: probabilities of a wrong label, one drawn a chain.
        t_end: how long a chain is watched; a rate is below 1, so at most `t_end` jumps of a kind are due.
        padded: to how many states arrays are padded; by default `most`.

    Raises:
        InputError: fewer than 2 states, noise outside [0, 1), or a time that is not above 0.
    """

    least: int = 2
    most: int = 6
    noise: tuple[float, ...] = (0.0, 0.01, 0.05, 0.1)
    t_end: float = 10.0
    padded: int | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.least <= self.most <= (self.padded or self.most):
            raise InputError(f"chains have 2 states or more and no more than arrays hold, not {self.least} to {self.most} in {self.padded}")
        if not self.noise or not all(0 <= e < 1 for e in self.noise) or not self.t_end > 0:
            raise InputError(f"label noise lies in [0, 1) and chains are watched for a time above 0, not {self.noise} and {self.t_end}")

    def chains(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Rates of n chains, padded with zeros, and their numbers of states."""
        size = self.padded or self.most
        n_states = rng.integers(self.least, self.most + 1, n)
        real = np.arange(size) < n_states[:, None]
        pairs = real[:, :, None] & real[:, None] & ~np.eye(size, dtype=bool)
        links = pairs.copy()
        loose = np.flatnonzero(rng.random(n) < 0.5)
        while len(loose):
            coin = np.triu(rng.random((len(loose), size, size)) < 0.5, 1)
            links[loose] = (coin | coin.swapaxes(1, 2)) & pairs[loose]
            reach = np.linalg.matrix_power((links[loose] | np.eye(size, dtype=bool)).astype(float), size)
            loose = loose[((reach == 0) & pairs[loose]).any(axis=(1, 2))]
        a, b = np.array(SHAPES)[rng.integers(len(SHAPES), size=n)].T[:, :, None, None]
        rates = links * rng.beta(a, b, (n, size, size))
        rates[:, np.arange(size), np.arange(size)] = -rates.sum(axis=2)
        return rates, n_states

    def tasks(self, n: int, paths: int, points: int, rng: np.random.Generator, regular: bool | None = None) -> JumpTasks:
        """n chains, each seen on `paths` paths at `points` times: at the same even steps, or at times that differ from path to path.

        A chain that is looked at in steps is drawn in steps, by its exact transition matrix.

        Args:
            points: between 2 and `FINE`.
            regular: whether at even steps; by default a coin says it for all n.
        """
        if not 2 <= points <= FINE or paths < 1 or n < 1:
            raise InputError(f"a task has at least 1 path of 2 to {FINE} points, not {paths} of {points}")
        rates, n_states = self.chains(n, rng)
        regular = bool(rng.random() < 0.5) if regular is None else regular
        steps = points if regular else FINE
        grid = np.linspace(0, self.t_end, steps)
        move = np.clip(need("scipy.linalg", "prob").expm(rates * grid[1]), 0, None)
        initial = self._initial(move, n_states, rng)
        seen = _walks(np.cumsum(move, axis=2), np.cumsum(initial, axis=1), n_states, paths, steps, rng)
        times = np.broadcast_to(grid, seen.shape)
        if not regular:
            chosen = np.sort(np.argsort(rng.random(seen.shape), axis=2)[:, :, :points], axis=2)
            seen, times = np.take_along_axis(seen, chosen, axis=2), grid[chosen]
        noise = rng.choice(self.noise, n)
        seen = mislabelled(seen, n_states[:, None, None], noise[:, None, None], rng)
        return JumpTasks(times - times[:, :, :1], seen, rates, initial, n_states, noise)

    def _initial(self, move: np.ndarray, n_states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """At rest (a power of the transition matrix that no chain of this prior has not settled in), or nearly uniform."""
        real = np.arange(move.shape[1]) < n_states[:, None]
        rest = np.linalg.matrix_power(move, 2**20)[:, 0]
        nearly = rng.gamma(50.0, size=rest.shape)
        p = np.where(rng.random((len(move), 1)) < 0.5, rest, nearly) * real
        return p / p.sum(axis=1, keepdims=True)


def _walks(move: np.ndarray, first: np.ndarray, n_states: np.ndarray, paths: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Paths of discrete chains given by cumulative probabilities, shape (tasks, paths, steps)."""
    tasks, last = np.arange(len(move))[:, None], n_states[:, None] - 1
    seen = np.empty((len(move), paths, steps), dtype=np.int64)
    now = (rng.random((len(move), paths, 1)) >= first[:, None]).sum(axis=2)
    for k in range(steps):
        now = np.minimum(now if k == 0 else (rng.random((len(move), paths, 1)) >= move[tasks, now]).sum(axis=2), last)
        seen[:, :, k] = now
    return seen
