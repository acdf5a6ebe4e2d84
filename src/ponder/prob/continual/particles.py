"""The posterior after each task by particles that see every task so far: exact up to their number, nothing fitted in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.core.population import Population
from ponder.core.resampling import systematic
from ponder.core.seeds import generator
from ponder.prob.continual.carriers import Density
from ponder.prob.continual.sequential import LogLikelihood
from ponder.prob.errors import ImpossibleModelError


def particle_posteriors(
    log_likelihood: LogLikelihood,
    prior: Density,
    tasks: Sequence[tuple[Any, Any]],
    particles: int = 512,
    moves: int = 3,
    leapfrog: int = 8,
    seed: int = 0,
) -> list[Population[Any]]:
    """Tempered sequential Monte Carlo over tasks (Del Moral, Doucet & Jasra 2006), moves by blackjax's HMC.

    A task's likelihood enters to powers that rise to 1 in steps that halve the effective sample size; after each, particles are resampled
    and move under the density that they stand for. The size of the moves is adapted to the acceptance of former ones and to their spread.

    Args:
        log_likelihood: as in `SequentialPosterior`.
        prior: what the particles are first drawn from.
        tasks: pairs (x, y), in order.
        particles: how many, at least 2.
        moves, leapfrog: HMC moves after each step, leapfrog steps a move.
        seed: of everything random.

    Returns:
        For each task the population after it, items of shape (particles, D); its `log_evidence` estimates log p(y_1, ..., y_t | x).

    Raises:
        InputError: a number too small, or no task.
        ImpossibleModelError: a task that is impossible under all particles.
    """
    if min(particles - 1, moves, leapfrog, len(tasks)) < 1:
        raise InputError("there must be at least 1 task, 2 particles, 1 move and 1 leapfrog step")
    rng, found = generator(seed, ["particles"]), list[Population[Any]]()
    mover = _Mover(log_likelihood, prior, tasks, moves, leapfrog)
    population: Population[Any] = Population(cast(Any, prior.sample(particles, rng)))
    for task in range(len(tasks)):
        power = 0.0
        while power < 1:
            fits = mover.likelihoods[task](population.items)
            step = _halving(fits, 1 - power)
            power = 1.0 if step == 1 - power else power + step
            population = population.reweight(step * fits)
            if population.dead:
                raise ImpossibleModelError(f"task {task} has likelihood zero under all {particles} particles")
            population = population.resample(systematic(), rng)
            moved = mover(np.asarray(population.items), np.append(np.ones(task), power), rng)
            population = Population(cast(Any, moved), population.log_weights)
        found.append(population)
    return found


def _halving(fits: NDArray[np.float64], most: float) -> float:
    """The power at which weights exp(power * fits) have half their number as effective sample size; at most `most`."""

    def ess(power: float) -> float:
        return Population(range(len(fits)), power * fits).ess

    if ess(most) >= len(fits) / 2:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if ess(middle) > len(fits) / 2 else (low, middle)
    return high


class _Mover:
    """HMC moves of all particles at once that keep prior x product of the first tasks' likelihoods to given powers."""

    def __init__(self, log_likelihood: LogLikelihood, prior: Density, tasks: Sequence[tuple[Any, Any]], moves: int, leapfrog: int) -> None:
        jax, blackjax = need("jax", "prob"), need("blackjax", "prob")
        self._jax, self._step = jax, 0.2
        each = [lambda theta, x=x, y=y: log_likelihood(theta, x, y) for x, y in tasks]
        self.likelihoods = [_on_numpy(jax.jit(jax.vmap(f))) for f in each]

        def all_moves(keys: Any, states: Any, powers: Any, step: Any, inverse_mass: Any) -> Any:
            def density(theta: Any) -> Any:
                return prior.log_prob(theta) + sum(p * f(theta) for p, f in zip(powers, each, strict=False))

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
