"""Growing a population step by step: start, extend, loop, split. The one loop that every search and every filter runs in.

Whatever can be started and extended (`ponder.core.context.Program`) runs here: a reasoner over a language model, whose states are
candidates, and a state-space model, whose states are an array with a leading particle axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, cast

import numpy as np

from ponder.core.algebra import Pipeline, Proper, Stage
from ponder.core.context import Context, Program
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.population import Population, take
from ponder.core.problem import Candidate
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
            return Population(states, np.full(self.n, population.log_evidence - np.log(self.n)))
        repeated = population.at(np.repeat(np.arange(len(population)), self.n))
        return repeated.reweight(-np.log(self.n))


def _untouched(item: Any) -> bool:
    return item is None or (isinstance(item, Candidate) and not item.finish)


@registered
class extend(Proper):
    """Branch every unfinished candidate `width` ways by one step of the program; finished ones pass unchanged."""

    width: Annotated[int, Range(1, 10_000), "children of each candidate"] = 1

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        program = step_program(context)
        done = np.asarray(program.finished(population.items), dtype=bool)
        open_ = np.flatnonzero(~done)
        if not len(open_):
            return population
        states = take(population.items, open_)
        children, increments = _grown(states, self.width, context, kept=context.reference is not None and not done[0])
        parents = np.concatenate([np.flatnonzero(done), np.repeat(open_, self.width)])
        items = joined(rested(take(population.items, np.flatnonzero(done))), children)
        share = np.concatenate([np.zeros(int(done.sum())), increments - np.log(self.width)])
        return Population(items, population.log_weights[parents] + share).at(np.argsort(parents, kind="stable"))


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
    if isinstance(items, np.ndarray):
        return items
    return tuple(replace(c, resting=True) if isinstance(c, Candidate) and not c.resting else c for c in items)


def stacked(items: Sequence[Any], like: Sequence[Any]) -> Sequence[Any]:
    """Single states as one sequence of the same kind as `like`: an array, or a tuple."""
    return cast(Any, np.stack(items)) if isinstance(like, np.ndarray) else tuple(items)


def joined(first: Any, second: Any) -> Any:
    """One sequence after another; arrays stay arrays."""
    if isinstance(second, np.ndarray):
        return np.concatenate([first, cast(Any, second)])
    return (*first, *second)


@registered
class loop(Stage):
    """Repeat the body until every candidate is finished, the budget ends or `limit` rounds have passed."""

    body: Stage
    limit: Annotated[int, Range(1), "the most rounds"] = 1000

    @property
    def proper(self) -> bool:
        return self.body.proper

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        body = self.body if isinstance(self.body, Pipeline) else Pipeline((self.body,))  # a pipeline tells the trace of each round
        for round_ in range(self.limit):
            if _all_finished(population, context) or population.dead:
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
        items = parts[0].items
        for part in parts[1:]:
            items = joined(items, part.items)
        return Population(items, np.concatenate([part.log_weights for part in parts]))
