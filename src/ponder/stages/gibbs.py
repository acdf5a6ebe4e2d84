"""Particle Gibbs: sweeps of a particle filter that each keep one trajectory of the sweep before."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.algebra import Proper, Stage
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.population import Population, take
from ponder.core.problem import Candidate
from ponder.core.resampling import multinomial
from ponder.core.schedules import Schedule
from ponder.core.stepwise import extend, loop, resample, rested, retraced, stacked, start, step_program
from ponder.core.terms import Range, registered
from ponder.stages.weigh import weigh

Body = Annotated[Stage, "one step of the filter: extend(), then weigh(...), with resample(multinomial) before, between or after"]
Ancestors = Annotated[bool, "redraw the ancestors of the kept trajectory, which then moves even where few particles survive"]


@registered
class gibbs(Proper):
    """Particle Gibbs (Andrieu, Doucet & Holenstein 2010, section 2.4.3; Puri et al. 2025, Algorithm 2).

    The first sweep is `start(n) | loop(body)`. Each later one is conditional sequential Monte Carlo: particle 0 is a trajectory
    drawn from the last particles of the sweep before, and the n - 1 others are new. With `ancestors` (Lindsten, Jordan & Schoen 2014)
    the kept trajectory gets a new beginning at each resampling, drawn in proportion to weight times the probability of its remaining
    steps after that beginning times the factors that they then bring.

    Returns the particles of all sweeps but the first `burn`, those of each sweep sharing an equal part of the total, which is the first
    sweep's. So the population stays proper: a sweep is a move that leaves the target as it is, made from a properly weighted draw.
    When the budget ends, whole sweeps are kept, or what there is of the first.
    """

    body: Body
    n: Annotated[int, Range(2, 100_000), "how many particles a sweep has, the kept one included"]
    sweeps: Annotated[int, Range(1, 100_000), "how many sweeps, the first included"] = 4
    ancestors: Ancestors = False
    burn: Annotated[int, Range(0), "how many sweeps are left out of the result; sweeps - 1 keeps the last alone"] = 0

    def validate(self) -> None:
        filter_body(self.body, "gibbs")
        if self.burn >= self.sweeps:
            raise InputError(f"gibbs: burn must be less than the {self.sweeps} sweeps, not {self.burn}")

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        ready(population, context, self.ancestors)
        chain = Chain(self.body, self.n, self.ancestors)
        for sweep in range(self.sweeps):
            if not chain.sweep(population, context.at(sweep)):
                break
        return chain.pooled(self.burn)


def filter_body(body: Stage, owner: str) -> tuple[Stage, ...]:
    """The stages of a body that conditional sequential Monte Carlo can run.

    Raises:
        InputError: for another one.
    """
    stages = body.flat()
    others = [s for s in stages if not isinstance(s, resample)]
    if not others or others[0] != extend() or len(stages) > len(others) + 1 or not all(isinstance(s, weigh) for s in others[1:]):
        raise InputError(f"{owner} needs a body of one extend(), then weigh(...)s, and at most one resample(multinomial); {body} is none")
    for stage in stages:
        if isinstance(stage, resample) and (not isinstance(stage.scheme, multinomial) or stage.n is not None):
            raise InputError(f"{owner} keeps one trajectory, which needs resample(multinomial) with as many survivors; {stage} is none")
        if isinstance(stage, weigh) and isinstance(stage.temperature, Schedule) and type(stage.temperature).of is not Schedule.of:
            raise InputError(f"{owner} needs factors that depend on a particle alone, and those of {stage} depend on the others")
        if isinstance(stage, weigh) and stage.again:
            raise InputError(f"{owner} needs a target, and with again=True it depends on how long other particles are; {stage} has it")
    return stages


def ready(population: Population[Any], context: Context, ancestors: bool) -> None:
    """Refuse, before anything is spent, what cannot be run.

    Raises:
        InputError: for a run without a program, more than one beginning, or a program that cannot graft.
    """
    program = step_program(context)
    if len(population) != 1:
        raise InputError(f"a chain of sweeps starts from one beginning, and there are {len(population)} candidates; put it first")
    if ancestors:
        if not hasattr(program, "graft"):
            raise InputError(f"ancestor sampling needs a program with a method `graft`, and {type(program).__name__} has none")
        beginning = program.start(1, context.at("ready"))
        program.graft(beginning[0], beginning[0], beginning, context.at("ready"))  # nothing put behind nothing: free, or refused


class Chain:
    """A Markov chain of sweeps at one temperature.

    Attributes:
        reference: where the trajectory that the next sweep keeps ends; None before the first sweep.
    """

    def __init__(self, body: Stage, n: int, ancestors: bool) -> None:
        self.reference: Any = None
        self._body, self._n, self._ancestors = body, n, ancestors
        self._done: list[Population[Any]] = []

    def sweep(self, population: Population[Any], context: Context) -> bool:
        """Run one sweep and draw the next reference; False if no further one can be run."""
        kept = Reference(self.reference, self._body.flat() if self._ancestors else ()) if self._done else None
        last = (start(self._n) | loop(self._body))(population, replace(context, reference=kept))
        whole = bool(np.all(step_program(context).finished(last.items))) and not last.dead
        if whole or not self._done:
            self._done.append(last)
        elif not whole:
            context.trace.note(f"sweep {len(self._done) + 1} was not finished and is left out")
        if whole:
            item = last.items[int(context.rng("reference").choice(len(last), p=last.weights))]
            self.reference = _awake(item)
        return whole

    def pooled(self, burn: int = 0) -> Population[Any]:
        """The particles of the sweeps after the first `burn` (of the last, if there are no more), with the total of the first."""
        sweeps = self._done[burn:] or self._done[-1:]
        if self._done[0].dead:
            return self._done[0]
        parts = [p.sharing(self._done[0], len(sweeps)) for p in sweeps]
        return functools.reduce(lambda first, second: first.beside(second), parts)


def _awake(final: Any) -> Any:
    """A kept trajectory is weighed as it goes along, its end too, so its end must not look as if it had been passed by."""
    return replace(final, resting=False) if isinstance(final, Candidate) else final


@dataclass
class Reference:
    """The trajectory that a sweep keeps. Implements `ponder.core.context.Reference`; ancestor sampling moves its end."""

    final: Any
    body: tuple[Stage, ...] = ()
    """The sweep's stages for ancestor sampling; none keep the ancestors as they are."""

    def resample(self, population: Population[Any], context: Context) -> Population[Any]:
        """Particle 0 survives as itself, or with a new beginning; the others are drawn independently from all."""
        n = len(population)
        first = self._ancestor(population, context) if self.body else 0
        chosen = np.array([first, *multinomial()(population.weights, n - 1, context.rng())], dtype=np.intp)
        return population.equal(take(population.items, chosen))

    def _ancestor(self, population: Population[Any], context: Context) -> int:
        """The index of the new beginning (Lindsten, Jordan & Schoen 2014, eq. 3 and section 4.1)."""
        program = step_program(context)
        finals, steps = program.graft(self.final, population.items[0], population.items, context.at("graft"))
        logits = population.log_weights + steps
        able = np.flatnonzero(np.isfinite(logits))
        if 0 not in able:  # what could not be put back must not be left: the move would not be reversible
            return 0
        after = self.body[next(i for i, s in enumerate(self.body) if isinstance(s, resample)) + 1 :]
        rest = Population(take(population.items, able), logits[able])
        weighed = along(take(finals, able), rest, after, self.body, context.at("future"))
        if weighed.dead:
            return 0
        pick = int(context.rng("ancestor").choice(len(able), p=weighed.weights))
        self.final = _awake(weighed.items[pick])
        return int(able[pick])


def along(
    finals: Sequence[Any], population: Population[Any], rest: Sequence[Stage], body: Sequence[Stage], context: Context
) -> Population[Any]:
    """Each state taken along the known trajectory to its end, and weighed on the way as a filter with this body weighs it.

    Args:
        finals: where the trajectories end, one a state.
        population: the states.
        rest: the stages that are left of the context's round.
        body: the stages of every later round.
        context: nothing is drawn in it, and nothing resampled.
    """
    program, stages, round_ = step_program(context), rest, context.round
    while True:
        for i, stage in enumerate(stages):
            if isinstance(stage, extend):
                population = Population(_advanced(finals, population.items, context), population.log_weights)
            elif isinstance(stage, weigh):
                population = stage(population, context.at(round_, i).in_round(round_))
        if np.all(program.finished(population.items)):
            return population
        stages, round_ = body, round_ + 1


def _advanced(finals: Sequence[Any], states: Sequence[Any], context: Context) -> Sequence[Any]:
    """Each unfinished state one step along its trajectory; finished ones as an extension passes them by."""
    program = step_program(context)
    done = program.finished(states)
    passed = rested(states)
    return stacked([passed[i] if done[i] else retraced(finals[i], states[i], context)[0] for i in range(len(states))], states)


def log_factors(finals: Sequence[Any], body: Sequence[Stage], context: Context) -> NDArray[np.float64]:
    """Log of the product of all factors that the body's scorers give m whole trajectories, shape (m,), at a temper of 1.

    Scores that candidates remember are not asked for again.
    """
    beginnings = stacked([step_program(context).retrace(final, None)[0] for final in finals], finals)
    return along(finals, Population(beginnings, np.zeros(len(finals))), body, body, replace(context, temper=1.0, round=0)).log_weights
