"""What strategies did at budgets, so that allocations are fitted and judged without generating anything again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.bench.store import Key
from ponder.core.algebra import Stage
from ponder.core.errors import InputError

Floats = NDArray[np.float64]
Entry = tuple[float, float, float]
"""How right the answer was, in [0, 1]; what it cost; the score that the strategy gave it."""


@dataclass(frozen=True)
class Cache:
    """What every strategy reached on every question at every budget; NaN where it was not tried.

    Attributes:
        questions, strategies, budgets: what the axes stand for.
        correct: mean grade over repetitions, shape (questions, strategies, budgets).
        cost: mean cost, in one unit, of that shape.
        score: mean score or confidence of the answer, of that shape.
    """

    questions: tuple[str, ...]
    strategies: tuple[str, ...]
    budgets: tuple[int, ...]
    correct: Floats
    cost: Floats
    score: Floats

    def __post_init__(self) -> None:
        shape = (len(self.questions), len(self.strategies), len(self.budgets))
        for name in ("correct", "cost", "score"):
            if getattr(self, name).shape != shape:
                raise InputError(f"{name} must have shape {shape} (questions, strategies, budgets), not {getattr(self, name).shape}")
        if 0 in shape:
            raise InputError("a cache needs at least one question, strategy and budget")

    @classmethod
    def of(cls, entries: Mapping[tuple[str, str, int], Sequence[Entry]]) -> Cache:
        """From (question, strategy, budget) -> one entry a repetition."""
        questions = tuple(dict.fromkeys(question for question, _, _ in entries))
        strategies = tuple(dict.fromkeys(strategy for _, strategy, _ in entries))
        budgets = tuple(sorted({budget for _, _, budget in entries}))
        table = np.full((3, len(questions), len(strategies), len(budgets)), np.nan)
        rows, columns, layers = ({v: i for i, v in enumerate(axis)} for axis in (questions, strategies, budgets))
        for (question, strategy, budget), found in entries.items():
            table[:, rows[question], columns[strategy], layers[budget]] = np.mean(found, axis=0)
        return cls(questions, strategies, budgets, *table)

    def at(self, strategy: str, budget: int) -> tuple[Floats, Floats]:
        """Grades and costs of every question, both of shape (questions,).

        Raises:
            InputError: the strategy was not tried at this budget on every question.
        """
        for name, value, known in (("strategy", strategy, self.strategies), ("budget", budget, self.budgets)):
            if value not in known:
                raise InputError(f"no {name} {value!r} was tried; there are {', '.join(map(str, known))}")
        where = (slice(None), self.strategies.index(strategy), self.budgets.index(budget))
        if np.isnan(self.correct[where]).any():
            missing = int(np.isnan(self.correct[where]).sum())
            raise InputError(f"{strategy} was never tried at a budget of {budget} on {missing} of {len(self.questions)} questions")
        return self.correct[where], self.cost[where]


def from_answers(
    answers: Mapping[Key, Mapping[str, Any]], strategies: Mapping[str, Callable[[int], Stage]], budgets: Sequence[int], task: str = ""
) -> Cache:
    """The cache of a run: `from_answers(RunStore(folder).answers(), {"vote": self_consistency, ...}, (4, 16, 64))`.

    Costs are the tokens that were computed: read or generated, but for those taken from an engine's cache.

    Args:
        answers: the answers of a `ponder.bench.store.RunStore`; seeds are repetitions.
        strategies: by name, what makes the method of a budget; the run must have asked for just these methods.
        budgets: what they were made with.
        task: which task's answers; by default the run's only one.

    Raises:
        InputError: none of the methods is in the run, or the run has several tasks and none was named.
    """
    tasks = {key[0] for key in answers}
    if len(tasks) > 1 and not task:
        raise InputError(f"the run has several tasks, {', '.join(sorted(tasks))}; name one")
    named = {str(make(budget)): (name, budget) for name, make in strategies.items() for budget in budgets}
    entries: dict[tuple[str, str, int], list[Entry]] = {}
    for (found, method, _, question), row in answers.items():
        if method in named and found == (task or found):
            computed = row["bill"]["tokens"] - row["bill"]["cached"]
            entry = (float(row["correct"]), float(computed), float(row["confidence"]))
            entries.setdefault((question, *named[method]), []).append(entry)
    if not entries:
        there = sorted({key[1] for key in answers})
        raise InputError(f"the run has none of the methods {', '.join(named)}; it has {', '.join(there) or 'no answers'}")
    return Cache.of(entries)
