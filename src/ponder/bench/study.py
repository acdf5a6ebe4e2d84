"""Factorial studies: one pipeline for every combination of settings, all on the same questions within the same budget."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.bench.effects import Levels, StudyTable
from ponder.bench.run import Plan
from ponder.bench.store import Key
from ponder.core.algebra import Pipeline, Stage, as_stage
from ponder.core.errors import InputError, ParseError
from ponder.core.terms import Term
from ponder.core.text import parse_term
from ponder.scorers import Scorer, random


@dataclass(frozen=True)
class Study:
    """The pipelines of a full factorial grid.

    Attributes:
        axes: name -> levels as text; the first level of each axis is the setting that others are compared with.
        methods: combination of levels (by their numbers) -> pipeline. Some may be equal.

    Raises:
        InputError: an axis without two different levels, one that compares scorers and has no `random` among them, a combination
            without a pipeline.
    """

    axes: Mapping[str, tuple[str, ...]]
    methods: Mapping[Levels, Pipeline]

    def __post_init__(self) -> None:
        if not self.axes:
            raise InputError("a study needs at least one axis")
        for name, levels in self.axes.items():
            if len(set(levels)) < 2 or len(set(levels)) < len(levels):
                raise InputError(f"the axis {name} needs at least two levels, each once, not {', '.join(levels)}")
            scorers = [s for level in levels if isinstance(s := _term(level), Scorer)]
            if scorers and not any(isinstance(s, random) for s in scorers):
                raise InputError(f"the axis {name} compares scorers and needs the control `random` among {', '.join(levels)}")
        wanted = set(itertools.product(*(range(len(levels)) for levels in self.axes.values())))
        if set(self.methods) != wanted:
            raise InputError(f"a study of {len(wanted)} combinations needs a pipeline for each, and {len(self.methods)} were given")

    @classmethod
    def of(cls, axes: Mapping[str, Sequence[Any]], make: Callable[..., Stage]) -> Study:
        """The grid of a function: `Study.of({"temperature": (0.6, 1.0), "verifier": (likelihood(), random())}, method)`.

        Args:
            axes: name -> levels, values or terms; `make` gets one of each by name.
            make: the pipeline of a combination.
        """
        names = tuple(axes)
        made = {
            cell: make(**{name: axes[name][i] for name, i in zip(names, cell, strict=True)})
            for cell in itertools.product(*(range(len(axes[name])) for name in names))
        }
        pipelines = {cell: s if isinstance(s := as_stage(stage), Pipeline) else Pipeline((s,)) for cell, stage in made.items()}
        return cls({name: tuple(map(str, levels)) for name, levels in axes.items()}, pipelines)

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The different pipelines, for a `Plan`."""
        return tuple(dict.fromkeys(self.methods.values()))

    def table(self, answers: Mapping[Key, Mapping[str, Any]], plan: Plan, task: str = "") -> StudyTable:
        """The grades and tokens of a run of the study, seeds averaged.

        Args:
            answers: of the run's store.
            plan: what was run.
            task: which of the plan's tasks; by default its only one.

        Raises:
            InputError: a combination was not answered on some problem, or several tasks and none named.
        """
        tasks = {t.name: t for t in plan.tasks}
        if task not in tasks and (task or len(tasks) > 1):
            raise InputError(f"name one of the run's tasks, {', '.join(tasks)}, not {task!r}")
        chosen = tasks[task] if task else next(iter(tasks.values()))
        sizes = [len(levels) for levels in self.axes.values()]
        table = np.empty((2, *sizes, len(chosen.problems)))
        names = {pipeline: str(pipeline) for pipeline in plan.methods}
        for cell, pipeline in self.methods.items():
            for k, problem in enumerate(chosen.problems):
                keys = [(chosen.name, names[pipeline], seed, problem.id) for seed in plan.seeds]
                missing = [key for key in keys if key not in answers]
                if missing:
                    raise InputError(f"{missing[0][1]} has no answer to {problem.id} with seed {missing[0][2]}; run the study again")
                rows = [answers[key] for key in keys]
                table[(0, *cell, k)] = np.mean([row["correct"] for row in rows])
                table[(1, *cell, k)] = np.mean([row["bill"]["tokens"] for row in rows])
        return StudyTable(self.axes, table[0], table[1])


def affordable(cost: Callable[[int], float], tokens: float, most: int = 100_000) -> int:
    """The largest n whose cost is within `tokens`, by doubling and halving; `cost` must not fall as n grows.

    Args:
        cost: tokens a question at n, by a forecast or on a few problems; asked about 2 log2 n times.

    Raises:
        InputError: n = 1 costs more already.
    """
    if cost(1) > tokens:
        raise InputError(f"n = 1 costs {cost(1):,.0f} tokens a question, more than {tokens:,.0f}")
    low, high = 1, 2
    while high <= most and cost(high) <= tokens:
        low, high = high, high * 2
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) <= tokens else (low, middle)
    return low


def _term(text: str) -> Term | None:
    """A level's text as the term that it stands for, if it does."""
    try:
        value = parse_term(text)
    except (ParseError, InputError):
        return None
    return value
