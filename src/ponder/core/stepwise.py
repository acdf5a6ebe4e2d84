"""Growing a population step by step: start, extend, resample, loop, split. The one loop that every search and every filter runs in.

Whatever can be started and extended (`ponder.core.context.Program`) runs here: a reasoner over a language model, whose states are
candidates, and a state-space model, whose states are an array with a leading particle axis.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, cast

import numpy as np

from ponder.core.algebra import Pipeline, Proper, Stage
from ponder.core.context import Context, Program
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.population import Batch, Population, joined, take
from ponder.core.problem import Candidate
from ponder.core.resampling import Resampler, systematic
from ponder.core.terms import Range, registered


@registered
class start(Proper):
    """Make n copies of the beginning (of every candidate); the total weight is kept."""

    n: Annotated[int, Range(1, 100_000), "how many particles"]

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        if context.program is not None and len(population) == 1 and _untouched(population.items[0]):
            states = context.program.start(self.n, context)
            if context.reference is not None:
                states = joined(stacked([context.program.retrace(context.reference.final, None)[0]], states), states[1:])
            return population.equal(states)
        parents = np.repeat(np.arange(len(population)), self.n)
        return population.grown(take(population.items, parents), np.zeros(len(parents)), self.n)


def _untouched(item: Any) -> bool:
    return item is None or (isinstance(item, Candidate) and not item.finish)


@registered
class extend(Proper):
    """Branch every unfinished candidate `width` ways by one step of the program; finished ones pass unchanged."""

    width: Annotated[int, Range(1, 10_000), "children of each candidate"] = 1

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        program = step_program(context)
        done = np.asarray(program.finished(population.items), dtype=bool)
        kept = context.reference is not None and not done[0]
        if not done.any():
            return population.grown(*_grown(population.items, self.width, context, kept), self.width)
        open_, closed = np.flatnonzero(~done), np.flatnonzero(done)
        if not len(open_):
            return population.grown(rested(population.items), np.zeros(len(population)))
        growing, resting = population.at(open_), population.at(closed)
        grown = growing.grown(*_grown(growing.items, self.width, context, kept), self.width)
        resting = resting.grown(rested(resting.items), np.zeros(len(closed)))
        parents = np.concatenate([closed, np.repeat(open_, self.width)])
        return resting.beside(grown).at(np.argsort(parents, kind="stable"))


def _grown(states: Sequence[Any], width: int, context: Context, kept: bool) -> tuple[Sequence[Any], np.ndarray[Any, Any]]:
    """The children of all states and their increments; with `kept` the first goes on along the reference and costs nothing."""
    program = step_program(context)
    if not kept or context.reference is None:
        return program.extend(states, width, context)
    first, increment = retraced(context.reference.final, states[0], context)
    own = stacked([first], states)
    if len(states) == 1:
        return own, np.array([increment])
    children, increments = program.extend(states[1:], width, context)
    return joined(own, children), np.concatenate([[increment], increments])


def retraced(final: Any, state: Any, context: Context) -> tuple[Any, float]:
    """`Program.retrace`; a candidate's parent is the state that was given, which may remember more than the one it once had."""
    child, increment = step_program(context).retrace(final, state)
    return (replace(child, parent=state) if isinstance(child, Candidate) else child), increment


def step_program(context: Context) -> Program:
    """The run's program.

    Raises:
        InputError: if it has none.
    """
    if context.program is None:
        raise InputError("this method works step by step, and this run has no program whose steps it could take")
    return context.program


def rested(items: Sequence[Any]) -> Sequence[Any]:
    """Candidates that an extension passes by because they are finished; arrays as they are."""
    if isinstance(items, np.ndarray | Batch):
        return items
    return tuple(replace(c, resting=True) if isinstance(c, Candidate) and not c.resting else c for c in items)


def stacked(items: Sequence[Any], like: Sequence[Any]) -> Sequence[Any]:
    """Single states as one sequence of the same kind as `like`: an array, or a tuple."""
    return cast(Any, np.stack(items)) if isinstance(like, np.ndarray) else tuple(items)


@registered
class resample(Proper):
    """Draw n survivors in proportion to weight; afterwards all weigh the same and the total is kept."""

    scheme: Annotated[Resampler, "how survivors are drawn"] = systematic()
    ess: Annotated[float, Range(0, 1), "resample only when the effective share of the population falls below this"] = 1.0
    n: Annotated[int | None, Range(1), "how many survivors; by default as many as there are"] = None

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        if population.dead or (self.ess < 1 and population.ess >= self.ess * len(population)):
            return population
        if context.reference is not None:
            return context.reference.resample(population, context)
        return population.resample(self.scheme, context.rng(), self.n)


@registered
class loop(Stage):
    """Repeat the body until every candidate is finished, the budget ends or `limit` rounds have passed."""

    body: Stage
    limit: Annotated[int, Range(1), "the most rounds"] = 1000
    all: Annotated[bool, "run all `limit` rounds, even if every candidate is finished: what moves finished ones asks for that"] = False

    @property
    def proper(self) -> bool:
        return self.body.proper

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        body = self.body if isinstance(self.body, Pipeline) else Pipeline((self.body,))  # a pipeline tells the trace of each round
        for round_ in range(self.limit):
            if population.dead or (not self.all and _all_finished(population, context)):
                return population
            try:
                context.meter.allowance()
                population = body(population, context.at(round_).in_round(round_))
            except BudgetExhausted as end:
                context.trace.note(f"{end} in round {round_ + 1} of {self}")
                return population
        if not _all_finished(population, context):
            context.trace.note(f"loop ended after its limit of {self.limit} rounds with unfinished candidates")
        return population


def _all_finished(population: Population[Any], context: Context) -> bool:
    if context.program is not None:
        return bool(np.all(context.program.finished(population.items)))
    return all(getattr(item, "finished", False) for item in population.items)


@registered
class split(Stage):
    """Partition the population into m parts, run the stage in each, unite what comes back."""

    m: Annotated[int, Range(1, 10_000), "how many parts"]
    stage: Stage

    @property
    def proper(self) -> bool:
        return self.stage.proper

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        copies = population if len(population) >= self.m else start(-(-self.m // len(population)))(population, context)
        parts: list[Population[Any]] = []
        for i, indices in enumerate(np.array_split(np.arange(len(copies)), self.m)):
            part = copies.at(indices)
            try:
                part = self.stage(part, context.at(i))
            except BudgetExhausted as end:
                context.trace.note(f"{end}; part {i + 1} of {self.m} was left as it was")
            parts.append(part)
        return functools.reduce(lambda first, second: first.beside(second), parts)
