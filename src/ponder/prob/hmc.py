"""Hamiltonian Monte Carlo on programs whose draws are continuous; the kernels, their adaptation and the gradients are blackjax's and JAX's.

A program's base draws are uniform; HMC moves their normal scores z, u = Phi(z), so that the target is a standard normal density times the
weight of the run. The model is traced with JAX: it computes with operators and `jax.numpy`, and its sites do not depend on what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ponder.core.context import Trace as StageTrace
from ponder.core.errors import InputError, need
from ponder.core.population import Population
from ponder.core.seeds import derive
from ponder.prob.distributions import Distribution
from ponder.prob.errors import ImpossibleModelError
from ponder.prob.infer import Posterior
from ponder.prob.program import Program, Trace


class _SmoothSites:
    """The sites of one run whose base draws are given as normal scores; weights are JAX numbers."""

    exact = False

    def __init__(self, name: str, scores: Any) -> None:
        self._name, self._z, self._jnp = name, scores, need("jax.numpy", "prob")
        self.values, self.scores = list[Any](), list[Any]()

    def _next(self) -> Any:
        at = len(self.values)
        if self._z is None:
            return self._jnp.zeros(())
        if at >= len(self._z):
            raise InputError(f"{self._name} made more draws than when it was first run: its sites must not depend on what is drawn")
        return self._z[at]

    def random(self) -> Any:
        self.values.append(need("jax.scipy.stats", "prob").norm.cdf(self._next()))
        return self.values[-1]

    def sample(self, distribution: Distribution) -> Any:
        self.values.append(distribution.of_score(self._next()))
        return self.values[-1]

    def observe(self, distribution: Distribution, value: Any) -> None:
        self.factor(distribution.log_prob(value))

    def score(self, weight: Any) -> None:
        self.factor(self._jnp.log(weight))

    def factor(self, log_weight: Any) -> None:
        self.scores.append(self._jnp.asarray(log_weight, dtype=float))

    def inner(self, run: Callable[[Any], Any]) -> Any:
        raise InputError(f"{self._name} runs an inner algorithm, whose estimate has no gradient: use pmmh or smc2")


def _runner(program: Program) -> tuple[Callable[[Any], tuple[Any, tuple[Any, ...], tuple[Any, ...]]], int]:
    """The program as a function of normal scores that JAX can trace (value, values of the sites, scores), and its number of draws."""
    jax = need("jax", "prob")

    def run(z: Any) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
        sites = _SmoothSites(program.name, z)
        try:
            value = program.model(sites)  # pyright: ignore[reportArgumentType]
        except jax.errors.TracerArrayConversionError as error:
            raise InputError(f"{program.name} applies numpy or math to a drawn value: use jax.numpy, which has a gradient") from error
        except (jax.errors.ConcretizationTypeError, TypeError) as error:
            why = str(error).splitlines()[0]
            raise InputError(f"{program.name} branches on a drawn value, or applies numpy or math to one ({why:.120})") from error
        if z is not None and len(sites.values) != len(z):
            raise InputError(f"{program.name} made {len(sites.values)} draws and then {len(z)}: its sites must not depend on what is drawn")
        return value, tuple(sites.values), tuple(sites.scores)

    first = jax.eval_shape(lambda: run(None))
    return run, len(first[1])


def nuts(program: Program, draws: int = 1000, warmup: int = 1000, chains: int = 4, seed: int = 0, accept: float = 0.8) -> Posterior:
    """The no-U-turn sampler (Hoffman & Gelman 2014) with adapted step sizes and a diagonal mass matrix.

    Args:
        program: a program of continuous draws.
        draws: states kept of each chain.
        warmup: steps before them, in which the kernel is adapted.
        chains: one after another in the result's population.
        seed: of everything random.
        accept: the acceptance that the step size is adapted to.

    Returns:
        All states with equal weights, oldest first within a chain. The notes say how many of the transitions diverged.

    Raises:
        InputError: a discrete draw, a branch on a drawn value, an inner algorithm, or no draw at all.
        ImpossibleModelError: no start of positive weight was found.
    """
    return _sampled("nuts", program, draws, warmup, chains, seed, accept, {})


def hmc(
    program: Program, draws: int = 1000, warmup: int = 1000, chains: int = 4, leapfrog: int = 10, seed: int = 0, accept: float = 0.8
) -> Posterior:
    """Hamiltonian Monte Carlo with a fixed number of leapfrog steps (Duane et al. 1987; Neal 2011); otherwise like `nuts`.

    Args:
        leapfrog: steps of a trajectory. Of a fixed length it can come back to where it was: watch the effective draws, or use `nuts`.
    """
    return _sampled("hmc", program, draws, warmup, chains, seed, accept, {"num_integration_steps": leapfrog})


def _sampled(
    kind: str, program: Program, draws: int, warmup: int, chains: int, seed: int, accept: float, more: dict[str, int]
) -> Posterior:
    if min(draws, warmup, chains, *more.values()) < 1 or not 0 < accept < 1:
        raise InputError(
            f"{kind} needs draws, warmup and chains of at least 1 and an acceptance in (0, 1), not {draws}, {warmup}, {chains}"
        )
    jax, blackjax = need("jax", "prob"), need("blackjax", "prob")
    with jax.enable_x64(True):
        run, size = _runner(program)
        if not size:
            raise InputError(f"{program.name} draws nothing, so there is nothing to move")
        jnp = jax.numpy

        def log_density(z: Any) -> Any:
            return -0.5 * z @ z + sum(run(z)[2], jnp.zeros(()))

        algorithm = getattr(blackjax, kind)

        def chain(key: Any, start: Any) -> tuple[Any, Any]:
            warm, key = jax.random.split(key)
            adaptation = blackjax.window_adaptation(algorithm, log_density, target_acceptance_rate=accept, **more)
            (state, parameters), _ = adaptation.run(warm, start, num_steps=warmup)
            step = algorithm(log_density, **parameters).step

            def one(state: Any, key: Any) -> tuple[Any, Any]:
                state, info = step(key, state)
                return state, (state.position, info.acceptance_rate, info.is_divergent)

            return jax.lax.scan(one, state, jax.random.split(key, draws))[1]

        begin = _starts(program, jax.jit(log_density), size, chains, seed)
        once = jax.jit(chain)
        found = [once(jax.random.key(derive(seed, (kind, c))), begin[c]) for c in range(chains)]
        z, acceptance, divergent = (np.concatenate([np.asarray(f[i]) for f in found]) for i in range(3))
        results = jax.tree.map(np.asarray, jax.jit(jax.vmap(run))(z))
        uniform = np.asarray(jax.scipy.stats.norm.cdf(z))
    notes = StageTrace()
    if divergent.any():
        notes.note(f"{int(divergent.sum())} of {len(z)} transitions diverged: parts of the posterior may be missed; raise accept")
    return Posterior(Population(_traces(uniform, results, jax)), float(acceptance.mean()), notes, chains)


def _starts(program: Program, log_density: Callable[[Any], Any], size: int, chains: int, seed: int, retries: int = 100) -> list[Any]:
    """Draws of the prior that have a positive weight."""
    rng, found = np.random.default_rng(derive(seed, ("starts",))), list[Any]()
    for _ in range(retries * chains):
        z = rng.standard_normal(size)
        if np.isfinite(float(log_density(z))):
            found.append(z)
        if len(found) == chains:
            return found
    raise ImpossibleModelError(f"{program.name}: none of {retries * chains} runs has a positive weight to start from")


def _traces(uniform: np.ndarray, results: tuple[Any, Any, Any], jax: Any) -> tuple[Trace, ...]:
    """Runs as traces, numbers as Python's."""
    value, values, scores = results
    leaves, form = jax.tree.flatten(value)
    rows = zip(*([_plain(row) for row in leaf] for leaf in leaves), strict=True) if leaves else iter(lambda: (), None)
    columns = [np.stack(c, axis=1).tolist() if c else [[]] * len(uniform) for c in (values, scores)]
    return tuple(
        Trace(tuple(u), tuple(v), (), tuple(s), True, jax.tree.unflatten(form, row))
        for u, v, s, row in zip(uniform.tolist(), *columns, rows, strict=False)
    )


def _plain(value: Any) -> Any:
    return value.item() if np.ndim(value) == 0 else value
