"""Inference algorithms as compositions of the core's stages, and chains of the same kernels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

from numpy.typing import ArrayLike

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.context import Trace as StageTrace
from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.core.problem import Problem
from ponder.core.resampling import Resampler, multinomial, systematic
from ponder.core.seeds import derive, generator
from ponder.core.stepwise import extend, loop, resample, start
from ponder.prob.errors import ImpossibleModelError
from ponder.prob.exact import Enumerator, ExactPopulation, LogFraction
from ponder.prob.kernels import Kernel, independent, mh, single_site
from ponder.prob.program import Program, Sites, Trace

ROUNDS = 10**6


@dataclass(frozen=True)
class Posterior:
    """What an inference algorithm found: a weighted population, or the states of a chain in order, oldest first.

    Attributes:
        population: states with log-weights; `Trace`s of a Python model, arrays of a state-space model.
        acceptance: share of accepted moves of a chain; None for others.
        trace: what each stage did, and notes.
        chains: how many chains of equal length lie one after another in the population.
    """

    population: Population[Any]
    acceptance: float | None = None
    trace: StageTrace = field(default_factory=StageTrace, compare=False, repr=False)
    chains: int = 1

    @property
    def values(self) -> Sequence[Any]:
        """What the program returned in each state."""
        return [s.value if isinstance(s, Trace) else s for s in self.population.items]

    @property
    def log_evidence(self) -> float:
        return self.population.log_evidence

    @property
    def ess(self) -> float:
        return self.population.ess

    def mean(self, f: Callable[[Any], ArrayLike] | None = None) -> Any:
        """The posterior mean of f (identity by default) of the values."""
        return Population(self.values, self.population.log_weights).mean(f)


def running(program: Any, seed: int = 0, **more: Any) -> Context:
    """The context in which a program runs by itself."""
    return Context(Problem("a probabilistic program"), program=program, root=seed, **more)


def run(method: Stage, program: Any, seed: int = 0) -> Posterior:
    """Run any pipeline of stages on a program.

    Raises:
        ImpossibleModelError: if every particle has weight zero.
    """
    context = running(program, seed)
    population = method(Population((None,), [0.0]), context)
    if population.dead:
        raise ImpossibleModelError(f"all {len(population)} particles have weight zero: the observations are impossible, or n is too small")
    return Posterior(population, trace=context.trace)


def exactly(method: Stage, program: Any, source: Enumerator, begin: ExactPopulation | None = None) -> ExactPopulation:
    """One run of an enumeration: the pipeline on the program, all of whose draws are the enumeration's, its weights Fractions."""
    context = running(program, draws=lambda root, path: source)
    return cast(ExactPopulation, method(begin or ExactPopulation((None,), (Fraction(1),)), context))


def within(method: Stage, program: Any, rng: Any, begin: Any = None) -> Any:
    """The population that an inner algorithm makes, whose randomness is that of the program around it, and its log-evidence.

    Args:
        begin: the population to go on from.
    """
    if isinstance(rng, Enumerator):
        found = exactly(method, program, rng, begin)
        return found, LogFraction(found.total)
    found = method(begin or Population((None,), [0.0]), running(program, derive(int(rng.integers(2**31)))))
    return found, found.log_evidence


def filtering(n: int, scheme: Resampler = systematic(), ess: float = 1.0) -> Stage:
    """Sequential Monte Carlo: `start(n) | loop(extend() | resample(scheme, ess))`."""
    return start(n) | loop(extend() | resample(scheme, ess=ess), limit=ROUNDS)


def importance(program: Any, n: int, seed: int = 0) -> Posterior:
    """n runs of a program, weighed by their scores."""
    return run(start(n) | loop(extend(), limit=ROUNDS), program, seed)


def smc(program: Any, n: int, scheme: Resampler = systematic(), ess: float = 1.0, seed: int = 0) -> Posterior:
    """Sequential Monte Carlo with n particles; with `ess` below 1 it resamples only when the effective share falls below."""
    return run(filtering(n, scheme, ess), program, seed)


def rmsmc(
    program: Program,
    n: int,
    rounds: int,
    moves: int = 1,
    kernel: Kernel = single_site(),
    scheme: Resampler = systematic(),
    ess: float = 1.0,
    every: int = 1,
    seed: int = 0,
) -> Posterior:
    """Resample-move SMC (Gilks & Berzuini 2001): after each `every`-th of `rounds` scores every trace makes `moves` steps of the kernel."""
    body = extend() | resample(scheme, ess=ess) | mh(moves, kernel, every)
    return run(start(n) | loop(body, limit=rounds, all=True) | loop(extend(), limit=ROUNDS), program, seed)


def trace_mh(program: Program, steps: int, kernel: Kernel = single_site(), burn: int = 0, retries: int = 1000, seed: int = 0) -> Posterior:
    """A chain of Metropolis-Hastings moves over whole traces; its states after each step, without the first `burn`.

    Raises:
        ImpossibleModelError: if none of `retries` runs has a positive weight to begin with.
    """
    if steps < 1 or not 0 <= burn < steps:
        raise InputError(f"a chain needs steps >= 1 and 0 <= burn < steps, not steps={steps}, burn={burn}")
    rng = generator(seed, ("trace_mh",))
    runs = (program.run(rng) for _ in range(retries))
    state = next((t for t in runs if float(t.log_weight) > -math.inf), None)
    if state is None:
        raise ImpossibleModelError(f"{program.name}: none of {retries} runs has a positive weight to start from")
    states: list[Trace] = []
    accepted = 0
    for _ in range(steps):
        state, moved = kernel(program, state, rng)
        accepted += moved
        states.append(state)
    notes = StageTrace()
    if not accepted:
        notes.note(f"none of {steps} moves was accepted: the chain stands still; try another kernel, such as independent()")
    return Posterior(Population(tuple(states[burn:])), accepted / steps, notes)


def estimate(sites: Sites, program: Any, method: Stage) -> Any:
    """Run an inner algorithm on a program: its evidence estimate becomes a score, one of its particles is returned."""

    def inner(rng: Any) -> tuple[Any, Any]:
        found, log_evidence = within(method, program, rng)
        return _one_of(found, rng), log_evidence

    drawn, log_evidence = sites.inner(inner)
    sites.factor(log_evidence)
    return drawn


def _one_of(population: Any, rng: Any) -> Any:
    """What one of the particles returned, drawn by weight."""
    drawn = population.resample(multinomial(), rng, 1).items[0]
    return drawn.value if isinstance(drawn, Trace) else drawn


def nested(prior: Callable[[Sites], Any], model: Callable[[Any], Any], method: Stage) -> Program:
    """The program of parameters whose likelihood an inner algorithm estimates; it returns the parameters and one inner state."""

    def parameters(sites: Sites) -> Any:
        theta = prior(sites)
        return theta, estimate(sites, model(theta), method)

    return Program(parameters)


def advancing(
    prior: Callable[[Sites], Any], model: Callable[[Any], Any], n: int, scheme: Resampler = systematic(), ess: float = 0.5
) -> Program:
    """`nested` with a filter of n particles whose evidence is scored step by step: the program that SMC squared extends."""

    def parameters(sites: Sites) -> Any:
        theta = prior(sites)
        program, body = model(theta), extend() | resample(scheme, ess=ess)
        found, before = sites.inner(lambda rng: within(start(n), program, rng))
        while not all(program.finished(found.items)):
            found, total = sites.inner(lambda rng, begin=found: within(body, program, rng, begin))
            sites.factor(total - before)
            if found.dead:
                return theta, None
            before = total
        return theta, sites.inner(lambda rng: _one_of(found, rng))

    return Program(parameters)


def smc2(
    prior: Callable[[Sites], Any],
    model: Callable[[Any], Any],
    n: int,
    inner: int,
    rounds: int,
    moves: int = 1,
    every: int = 1,
    kernel: Kernel = single_site(),
    ess: float = 0.5,
    seed: int = 0,
) -> Posterior:
    """SMC squared (Chopin, Jacob & Papaspiliopoulos 2013, arXiv 1101.1528): a filter over parameters, each with a filter of its own.

    The outer particles are moved by particle marginal Metropolis-Hastings. When they move is fixed in advance: moves that are made only
    where the effective size is low bias the estimate of the evidence.

    Args:
        prior: draws the parameters.
        model: the state-space model or program of given parameters.
        n: parameters.
        inner: particles of each inner filter.
        rounds: observations.
        moves: of each parameter, each time; a move runs its filter again from the beginning.
        every: rounds from one moving to the next.
        kernel: how parameters are proposed.
        ess: the share of effective parameters below which they are resampled.

    Raises:
        ImpossibleModelError: every parameter has weight zero.
    """
    return rmsmc(advancing(prior, model, inner), n, rounds, moves, kernel, ess=ess, every=every, seed=seed)


def pmmh(
    prior: Callable[[Sites], Any], model: Callable[[Any], Any], n: int, steps: int, kernel: Kernel = single_site(), **more: Any
) -> Posterior:
    """Particle marginal Metropolis-Hastings (Andrieu, Doucet & Holenstein 2010): a chain over theta, n particles an estimate."""
    return trace_mh(nested(prior, model, filtering(n, ess=0.5)), steps, kernel, **more)


def pimh(program: Any, n: int, steps: int, **more: Any) -> Posterior:
    """Particle independent Metropolis-Hastings: independent filters, accepted with the ratio of their evidence estimates."""
    return trace_mh(nested(lambda sites: None, lambda theta: program, filtering(n, ess=0.5)), steps, independent(), **more)
