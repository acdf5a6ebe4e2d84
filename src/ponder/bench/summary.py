"""From a run's answers to a table: what each method gets right, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ponder.bench.stats import Interval, bootstrap, expected_calibration_error, pareto
from ponder.bench.store import Key
from ponder.trust.holdout import Estimate


@dataclass(frozen=True)
class Row:
    """One method on one task.

    Attributes:
        task, method: which.
        problems: problems answered, each once a seed; abstentions count as wrong.
        accuracy: mean grade with its bootstrap interval over problems (seeds of a problem averaged first).
        random: mean grade of a candidate picked at random from the same samples: what choosing without judgement gives.
        oracle: mean grade of the best candidate: coverage, what perfect choosing would give.
        abstained: share of questions without an answer.
        calibration_error: expected calibration error of the confidence, 10 bins.
        tokens, calls, seconds, money: means a question.
        front: True if no other method of the task is both cheaper in tokens and better.
        held: what a reusable holdout says of the accuracy, if the run has one; the other figures are then of the training half.
    """

    task: str
    method: str
    problems: int
    accuracy: Interval
    random: float
    oracle: float
    abstained: float
    calibration_error: float
    tokens: float
    calls: float
    seconds: float
    money: float
    front: bool = False
    held: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def summarise(answers: dict[Key, dict[str, Any]], methods: Sequence[str], tasks: Sequence[str]) -> list[Row]:
    """A row a task and method, tasks and methods in the given order; those without answers are left out."""
    rows: list[Row] = []
    for task in tasks:
        rows += _fronted([_row(task, m, found) for m in methods if (found := _of(answers, task, m))])
    return rows


def _of(answers: dict[Key, dict[str, Any]], task: str, method: str) -> list[tuple[str, dict[str, Any]]]:
    return [(key[3], row) for key, row in answers.items() if key[:2] == (task, method)]


def _row(task: str, method: str, found: list[tuple[str, dict[str, Any]]]) -> Row:
    grades: dict[str, list[float]] = {}
    for problem, row in found:
        grades.setdefault(problem, []).append(row["correct"])
    rows = [row for _, row in found]

    def mean(name: str) -> float:
        return float(np.mean([row["bill"][name] if name in row["bill"] else row[name] for row in rows]))

    given = [row for row in rows if not row["abstained"]]
    return Row(
        task=task,
        method=method,
        problems=len(grades),
        accuracy=bootstrap([float(np.mean(g)) for g in grades.values()]),
        random=mean("random"),
        oracle=mean("oracle"),
        abstained=mean("abstained"),
        calibration_error=expected_calibration_error([r["confidence"] for r in given], [r["correct"] >= 1 for r in given])
        if given
        else 0.0,
        tokens=mean("tokens"),
        calls=mean("calls"),
        seconds=mean("seconds"),
        money=mean("money"),
    )


def _fronted(rows: list[Row]) -> list[Row]:
    if not rows:
        return []
    best = set(pareto([r.tokens for r in rows], [r.accuracy.value for r in rows]).tolist())
    return [Row(**{**vars(r), "front": i in best}) for i, r in enumerate(rows)]
