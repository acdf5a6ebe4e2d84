"""The posterior after each task by particles that see every task so far: exact up to their number, nothing fitted in between."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.core.population import Population
from ponder.core.seeds import derive
from ponder.core.stepwise import extend, loop, resample, start
from ponder.prob.continual.carriers import Density
from ponder.prob.continual.sequential import LogLikelihood
from ponder.prob.infer import running
from ponder.prob.statespace import StateSpace


def particle_posteriors(
    log_likelihood: LogLikelihood,
    prior: Density,
    tasks: Sequence[tuple[Any, Any]],
    particles: int = 512,
    temperatures: int = 12,
    moves: int = 2,
    leapfrog: int = 8,
    seed: int = 0,
) -> list[Population[Any]]:
    """Tempered sequential Monte Carlo over tasks (Del Moral, Doucet & Jasra 2006): the core's loop, moves by blackjax's HMC.

    A task enters in `temperatures` steps, its likelihood to the powers (k / temperatures)^3. Before each, particles move under the density
    that they stand for. The size of those moves is adapted to the acceptance of former ones and to the particles' spread.

    Args:
        log_likelihood: as in `SequentialPosterior`.
        prior: what the particles are first drawn from.
        tasks: pairs (x, y), in order.
        particles, temperatures, moves, leapfrog: how many; HMC moves before each step, leapfrog steps a move.
        seed: of everything random.

    Returns:
        For each task the population after it, items of shape (particles, D); its `log_evidence` estimates log p(y_1, ..., y_t | x).

    Raises:
        InputError: a number below 1, or no task.
    """
    if min(particles, temperatures, moves, leapfrog, len(tasks)) < 1:
        raise InputError("there must be at least 1 task, particle, temperature, move and leapfrog step")
    powers = (np.arange(temperatures + 1) / temperatures) ** 3
    schedule = [(t, a, b) for t in range(len(tasks)) for a, b in pairwise(powers)]
    mover = _Mover(log_likelihood, prior, tasks, moves, leapfrog)

    def move(at: int, states: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        task, before, _ = schedule[at]
        return mover(states, (np.arange(len(tasks)) < task) + before * (np.arange(len(tasks)) == task), rng)

    def log_weight(at: int, states: NDArray[Any], seen: Any) -> NDArray[np.float64]:
        task, before, after = schedule[at]
        return (after - before) * mover.likelihoods[task](states)

    program = StateSpace(lambda n, rng: prior.sample(n, rng), move, log_weight, np.arange(len(schedule)))
    found: list[Population[Any]] = []
    population: Population[Any] = Population((None,), [0.0])
    population = start(particles)(population, running(program, derive(seed, ["start"])))
    for task in range(len(tasks)):
        body = loop(extend() | resample(ess=0.5), limit=temperatures)
        population = body(population, running(program, derive(seed, ["task", task])))
        found.append(Population(cast(Any, np.asarray(population.items)), population.log_weights))
    return found


class _Mover:
    """HMC moves of all particles at once that keep prior x product of likelihoods to given powers."""

    def __init__(self, log_likelihood: LogLikelihood, prior: Density, tasks: Sequence[tuple[Any, Any]], moves: int, leapfrog: int) -> None:
        jax, blackjax = need("jax", "prob"), need("blackjax", "prob")
        self._jax, self._step = jax, 0.2
        each = [lambda theta, x=x, y=y: log_likelihood(theta, x, y) for x, y in tasks]
        self.likelihoods = [_on_numpy(jax.jit(jax.vmap(f))) for f in each]

        def all_moves(keys: Any, states: Any, powers: Any, step: Any, inverse_mass: Any) -> Any:
            def density(theta: Any) -> Any:
                return prior.log_prob(theta) + sum(p * f(theta) for p, f in zip(powers, each, strict=True))

            kernel = blackjax.hmc(density, step, inverse_mass, leapfrog)

            def particle(key: Any, theta: Any) -> Any:
                def one(state: Any, key: Any) -> Any:
                    state, info = kernel.step(key, state)
                    return state, info.acceptance_rate

                state, rates = jax.lax.scan(one, kernel.init(theta), jax.random.split(key, moves))
                return state.position, rates.mean()

            return jax.vmap(particle)(keys, states)

        self._moves = jax.jit(all_moves)

    def __call__(self, states: NDArray[Any], powers: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        keys = self._jax.random.split(self._jax.random.key(int(rng.integers(2**31))), len(states))
        moved, rates = self._moves(keys, states, powers, self._step, states.var(axis=0) + 1e-8)
        self._step *= float(np.exp(np.mean(rates) - 0.8))
        return np.asarray(moved, dtype=float)


def _on_numpy(f: Any) -> Any:
    return lambda states: np.asarray(f(states), dtype=float)
