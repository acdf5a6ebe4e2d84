"""The search for a pipeline: configurations are proposed, tried on more and more questions while they look good, and ranked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import pareto
from ponder.core.errors import InputError, did_you_mean
from ponder.search.optimisers import OPTIMISERS, Told
from ponder.search.template import Choice, Space

Floats = NDArray[np.float64]


class Evaluator(Protocol):
    """What a configuration does on questions; whatever it was asked before it may answer from a store."""

    def __call__(self, index: int, questions: range) -> tuple[Floats, Floats]:
        """Grades in [0, 1] and costs of these questions, both of shape (len(questions),)."""
        ...


@dataclass(frozen=True)
class Table:
    """An evaluator that looks up what all configurations did before.

    Attributes:
        grades: shape (configurations, questions).
        costs: of that shape.
    """

    grades: Floats
    costs: Floats

    def __post_init__(self) -> None:
        if self.grades.ndim != 2 or self.grades.shape != self.costs.shape:
            raise InputError(f"grades and costs need one shape (configurations, questions), not {self.grades.shape} and {self.costs.shape}")

    def __call__(self, index: int, questions: range) -> tuple[Floats, Floats]:
        where = slice(questions.start, questions.stop)
        return self.grades[index, where], self.costs[index, where]


@dataclass(frozen=True)
class Plan:
    """How to search.

    Attributes:
        questions: how many there are to search on.
        optimiser: a name in `ponder.search.optimisers.OPTIMISERS`.
        evaluations: the most configurations to try; None is all of them.
        within: the most that a question may cost on the mean; None is no limit. What costs more cannot win.
        front: search for the whole front of accuracy against cost instead of the most accurate within the limit.
        rungs: successive halving: how many questions a configuration sees before it must be among the best 1 / `keep` of all that came
            so far; rising. () tries every configuration on all questions.
        keep: see `rungs`.
        seed: of the optimiser.
    """

    questions: int
    optimiser: str = "tpe"
    evaluations: int | None = None
    within: float | None = None
    front: bool = False
    rungs: tuple[int, ...] = ()
    keep: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            hint = did_you_mean(self.optimiser, OPTIMISERS, f"there are {', '.join(OPTIMISERS)}")
            raise InputError(f"no optimiser is called {self.optimiser!r}; {hint}")
        if self.questions < 1 or (self.evaluations is not None and self.evaluations < 1) or self.keep < 2:
            raise InputError("a search needs at least 1 question, 1 evaluation, and keeps at most 1 in 2")
        if list(self.rungs) != sorted(set(self.rungs)) or (self.rungs and not 1 <= self.rungs[0] <= self.rungs[-1] < self.questions):
            raise InputError(f"rungs must rise and be below the {self.questions} questions, not {self.rungs}")
        if self.within is not None and not self.within > 0:
            raise InputError(f"a question's cost must be limited to more than 0, not {self.within}")
        if self.front and self.rungs:
            raise InputError("halving drops what is not accurate, and a front needs what is cheap: search for a front without rungs")


def halving(questions: int, keep: int = 3, least: int = 10) -> tuple[int, ...]:
    """Rungs for so many questions: a `keep`-th part at each, as long as at least `least` remain.

    >>> halving(200)
    (22, 66)
    """
    rungs: list[int] = []
    while questions // keep >= least:
        questions //= keep
        rungs.append(questions)
    return tuple(reversed(rungs))


@dataclass(frozen=True)
class Trial:
    """What one configuration did.

    Attributes:
        index: its number in the space.
        method: its text.
        options: for each choice the number of its option, None where the choice is not there.
        score: mean grade of the questions it saw.
        cost: mean cost of them.
        questions: how many they were.
        complete: whether it saw all of them.
        allowed: whether its cost is within the limit.
    """

    index: int
    method: str
    options: tuple[int | None, ...]
    score: float
    cost: float
    questions: int
    complete: bool
    allowed: bool


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        choices: of the space.
        size: configurations of the space.
        trials: in the order in which they were tried.
        best: the most accurate of the complete ones within the limit, the cheapest of equal ones; None if there is none.
        front: those that no other complete one beats (cheaper and better), cheapest first.
        asked: questions that were asked in all.
    """

    choices: tuple[Choice, ...]
    size: int
    trials: tuple[Trial, ...]
    best: Trial | None
    front: tuple[Trial, ...]
    asked: int

    def best_so_far(self) -> list[float]:
        """The highest score of a complete, allowed trial after each trial; NaN before the first."""
        scores = [t.score if t.complete and t.allowed else -math.inf for t in self.trials]
        return [s if s > -math.inf else math.nan for s in np.maximum.accumulate(scores).tolist()]

    def importance(self) -> dict[str, float]:
        """For each choice the share of the variance of scores that the means of its options explain (its first-order effect).

        Where all configurations were tried on all questions it is the choice's main effect; else what the trials show of it.
        """
        scores = np.array([t.score for t in self.trials]).round(12)  # equal means may differ in their last digit
        total = scores.var() if np.ptp(scores) else 0.0
        shares: dict[str, float] = {}
        for at, choice in enumerate(self.choices):
            groups: dict[int | None, list[float]] = {}
            for trial in self.trials:
                groups.setdefault(trial.options[at], []).append(trial.score)
            between = sum(len(g) * (np.mean(g) - scores.mean()) ** 2 for g in groups.values()) / len(scores)
            shares[choice.name] = float(between / total) if total > 0 else 0.0
        return shares

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "size": self.size,
            "asked": self.asked,
            "best": asdict(self.best) if self.best else None,
            "front": [t.method for t in self.front],
            "importance": self.importance(),
            "trials": [asdict(t) for t in self.trials],
        }


def search(space: Space, evaluate: Evaluator, plan: Plan, on_trial: Callable[[Trial], None] | None = None) -> Found:
    """Try configurations until the plan's evaluations or the space end.

    Args:
        evaluate: what a configuration does on questions 0 to `plan.questions` - 1.
        on_trial: called with each trial as it ends.
    """
    proposals = OPTIMISERS[plan.optimiser](space, plan.seed, 2 if plan.front else 1)
    most = min(len(space), plan.evaluations or len(space))
    seen: list[list[float]] = [[] for _ in plan.rungs]
    trials: list[Trial] = []
    index = next(proposals)
    while True:
        trial = _tried(space, index, evaluate, plan, seen)
        trials.append(trial)
        if on_trial is not None:
            on_trial(trial)
        if len(trials) == most:
            break
        index = proposals.send(Told(_values(trial, plan), trial.questions, trial.complete))
    complete = [t for t in trials if t.complete]
    allowed = [t for t in complete if t.allowed]
    best = min(allowed, key=lambda t: (-round(t.score, 12), t.cost, t.index), default=None)
    front = [complete[i] for i in pareto([t.cost for t in complete], [t.score for t in complete])] if complete else []
    return Found(space.choices, len(space), tuple(trials), best, tuple(front), sum(t.questions for t in trials))


def _tried(space: Space, index: int, evaluate: Evaluator, plan: Plan, seen: Sequence[list[float]]) -> Trial:
    """A configuration on as many questions as it earns."""
    grades, costs = np.empty(0), np.empty(0)
    complete, allowed = True, True
    for rung, upto in enumerate((*plan.rungs, plan.questions)):
        more, paid = evaluate(index, range(len(grades), upto))
        grades, costs = np.concatenate([grades, more]), np.concatenate([costs, paid])
        allowed = plan.within is None or float(costs.mean()) <= plan.within
        if upto == plan.questions:
            break
        seen[rung].append(float(grades.mean()))
        better = sum(s > seen[rung][-1] for s in seen[rung])
        if not allowed or better >= max(1, math.ceil(len(seen[rung]) / plan.keep)):
            complete = False
            break
    configuration = space[index]
    return Trial(
        index, str(configuration), configuration.options, float(grades.mean()), float(costs.mean()), len(grades), complete, allowed
    )


def _values(trial: Trial, plan: Plan) -> tuple[float, ...]:
    """What the optimiser is told: a configuration over the limit is worse than any within it, the more so the dearer it is."""
    score = trial.score if trial.allowed or plan.within is None else 1 - trial.cost / plan.within
    return (score, -trial.cost) if plan.front else (score,)
