"""The algebra of methods: stages, pipelines of stages, and the forms that hold other stages.

A stage maps a weighted population to a weighted population. `a | b` runs b on what a made; `a + b` runs both on the same
population and pools the results. Leaf stages are `Proper` or `Decider`; forms are proper if all they hold is.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.population import Population
from ponder.core.terms import Range, Term, registered

Count = Annotated[int, Range(1)]


class Stage(Term):
    """Maps a population to a population."""

    kind: ClassVar[str] = "stage"

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        raise NotImplementedError

    @property
    def proper(self) -> bool:
        """True if the stage keeps the population properly weighted for its target."""
        return isinstance(self, Proper)

    def __or__(self, other: object) -> Pipeline:
        return Pipeline((self, as_stage(other)))

    def __ror__(self, other: object) -> Pipeline:
        return Pipeline((as_stage(other), self))

    def __add__(self, other: object) -> Union:
        return Union((self, as_stage(other)))

    def flat(self) -> tuple[Stage, ...]:
        """The stage as a sequence of stages that are no pipelines."""
        return (self,)


def as_stage(value: object) -> Stage:
    """A stage as it is, or a stage class with its defaults."""
    if isinstance(value, type) and issubclass(value, Stage):
        return value()
    if not isinstance(value, Stage):
        raise InputError(f"only stages can be joined with | and +, not {value!r}")
    return value


class Proper(Stage):
    """A stage that keeps expectations, and the evidence estimate, unbiased."""


class Decider(Stage):
    """A stage that spends what inference has bought: it chooses, and what it returns is no unbiased estimate any more."""


class Pipeline(Stage):
    """Stages in a row. Equal to any other pipeline of the same stages, whatever its name and however it is nested."""

    stages: tuple[Stage, ...]
    label: str = ""

    def __post_init__(self) -> None:
        if not self.stages:
            raise InputError("a pipeline needs at least one stage")
        opened: list[Stage] = []
        for stage in self.stages:  # `a | b | c` is one row; named pipelines stay whole, so that they print by name
            opened += stage.stages if isinstance(stage, Pipeline) and not stage.label else (as_stage(stage),)
        object.__setattr__(self, "stages", tuple(opened))

    def simplest(self) -> Stage:
        return self.stages[0] if len(self.stages) == 1 and not self.label else self

    @property
    def proper(self) -> bool:
        return all(stage.proper for stage in self.stages)

    def flat(self) -> tuple[Stage, ...]:
        return tuple(leaf for stage in self.stages for leaf in stage.flat())

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        """Run the stages; when the budget ends inside one, go on with what there is, so that deciders still decide."""
        for i, stage in enumerate(self.flat()):
            try:
                population = stage(population, context.at(i))
            except BudgetExhausted as end:
                context.trace.note(f"{end}; {stage} was left out")
            context.trace.add(str(stage), population, context.meter.bill.tokens, context.round)
        return population

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and self.flat() == other.flat()

    def __hash__(self) -> int:
        return hash(self.flat())

    def __str__(self) -> str:
        return self.label or " | ".join(str(stage) for stage in self.stages)


class Union(Stage):
    """Branches that run on the same population; their results are pooled, each in proportion to its size."""

    branches: tuple[Stage, ...]

    def __post_init__(self) -> None:
        opened: list[Stage] = []
        for branch in self.branches:
            opened += branch.branches if isinstance(branch, Union) else (branch,)
        object.__setattr__(self, "branches", tuple(opened))

    @property
    def proper(self) -> bool:
        return all(branch.proper for branch in self.branches)

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        pooled: Population[Any] | None = None
        for i, branch in enumerate(self.branches):
            try:
                result = branch(population, context.at("+", i))
            except BudgetExhausted as end:
                context.trace.note(f"{end}; {branch} was left out")
                continue
            pooled = result if pooled is None else pooled.union(result)
        return population if pooled is None else pooled

    def __str__(self) -> str:
        return " + ".join(_grouped(branch) for branch in self.branches)


def _grouped(stage: Stage) -> str:
    bare = isinstance(stage, Pipeline) and not stage.label and len(stage.stages) > 1
    return f"({stage})" if bare else str(stage)


class Condition(Term):
    """Says when enough has been drawn."""

    kind: ClassVar[str] = "condition"

    def __call__(self, population: Population[Any], context: Context) -> bool:
        raise NotImplementedError


@registered
class until(Stage):
    """Unite fresh runs of the stage until the condition holds, the limit is reached or the budget ends.

    Stopping depends on what was drawn, so the result is not properly weighted.
    """

    condition: Condition
    stage: Stage
    limit: Annotated[int, Range(1), "the most runs of the stage"] = 64

    @property
    def proper(self) -> bool:
        return False

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        pooled: Population[Any] | None = None
        for run in range(self.limit):
            try:
                context.meter.allowance()  # a pipeline would catch the end of the budget and bring home an empty candidate
                fresh = self.stage(population, context.at(run).in_round(run))
            except BudgetExhausted as end:
                if pooled is None:
                    raise
                context.trace.note(f"{end} after {run} runs of {self.stage}")
                return pooled
            pooled = fresh if pooled is None else pooled.union(fresh)
            context.trace.add(str(self), pooled, context.meter.bill.tokens, run)
            if self.condition(pooled, context.at("condition", run).in_round(run)):
                return pooled
        return pooled if pooled is not None else population
