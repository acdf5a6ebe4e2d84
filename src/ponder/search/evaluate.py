"""What configurations do on a task's questions: run for real, every answer and every engine call kept in the search's folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.bench.run import Plan, run
from ponder.bench.store import Key, RunStore
from ponder.core.algebra import Pipeline
from ponder.core.errors import InputError, PonderError
from ponder.core.problem import Problem
from ponder.search.template import Space

Floats = NDArray[np.float64]
COSTS = ("tokens", "calls", "seconds", "money", "idealized_seconds")
"""Parts of a bill that a search can count as cost."""


class Interrupted(PonderError):
    """The user stopped the search; what was asked until then is kept."""


@dataclass
class Runs:
    """Answers of pipelines to questions, asked once and then known. Pipelines that begin alike share their samples.

    Attributes:
        plan: tasks (one), models, sampling and budget as of a run; its methods and problems are replaced by what is asked.
        problems: the questions, in the order in which a search sees them.
        store: where answers and calls are kept; opened by the caller.
        cost: which part of the bill is the cost.
        on_answer: called with every new answer.
    """

    plan: Plan
    problems: Sequence[Problem]
    store: RunStore
    cost: str = "tokens"
    on_answer: Callable[[dict[str, Any]], None] | None = None
    _rows: dict[Key, dict[str, Any]] = field(default_factory=dict[Key, dict[str, Any]], repr=False)

    def __post_init__(self) -> None:
        if self.cost not in COSTS:
            raise InputError(f"a search counts {', '.join(COSTS)} as cost, not {self.cost!r}")
        self._rows = self.store.answers()

    def ask(self, method: Pipeline, problems: Sequence[Problem]) -> tuple[Floats, Floats]:
        """Grades and costs of a method on problems, means over the plan's seeds, both of shape (problems,).

        Raises:
            Interrupted: the user stopped it.
            PonderError: a question could not be answered, with the first reason.
        """
        task = self.plan.tasks[0]
        keys = [[(task.name, str(method), seed, p.id) for seed in self.plan.seeds] for p in problems]
        new = [p for p, row in zip(problems, keys, strict=True) if any(k not in self._rows for k in row)]
        if new:
            part = dataclasses.replace(task, problems=tuple(new))
            outcome = run(dataclasses.replace(self.plan, tasks=(part,), methods=(method,)), self.store, self._keep)
            if outcome.interrupted:
                raise Interrupted("the search was stopped; the same command goes on")
            if outcome.errors:
                key, error = next(iter(outcome.errors.items()))
                raise PonderError(f"{len(outcome.errors)} questions could not be answered; {key[1]} on {key[3]}: {error}")
        rows = [[self._rows[k] for k in row] for row in keys]
        grades = np.array([float(np.mean([r["correct"] for r in row])) for row in rows])
        costs = np.array([float(np.mean([r["bill"].get(self.cost, 0.0) for r in row])) for row in rows])
        return grades, costs

    def _keep(self, key: Key, row: dict[str, Any]) -> None:
        self._rows[key] = row
        if self.on_answer is not None:
            self.on_answer(row)


@dataclass(frozen=True)
class Searched:
    """A space on runs: what `ponder.search.search` asks."""

    space: Space
    runs: Runs

    def __call__(self, index: int, questions: range) -> tuple[Floats, Floats]:
        return self.runs.ask(self.space[index].pipeline, [self.runs.problems[i] for i in questions])
