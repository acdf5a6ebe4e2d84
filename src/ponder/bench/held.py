"""A run's figures through a reusable holdout: the training half is shown, the holdout half only vouches for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ponder.bench.store import Key
from ponder.bench.summary import Row, summarise
from ponder.core.errors import BudgetExhausted, InputError
from ponder.trust.holdout import Holdout, halves

Answers = Mapping[Key, dict[str, Any]]


def held_rows(
    answers: Answers, methods: Sequence[str], tasks: Mapping[str, Sequence[str]], folder: Path, *, about: str = "", budget: int = 100
) -> list[Row]:
    """Rows of the training half of each task, each with what the holdout half says of it (`Row.held`).

    A method that was asked before with the same answers gets the same estimate and spends nothing. A method with unanswered
    questions is not asked about, and once the budget is spent nothing is: `held` is None then.

    Args:
        answers: a run's answers.
        methods: pipelines' texts.
        tasks: task name -> ids of all its problems. They make the halves, so a ledger belongs to one choice of problems.
        folder: where the ledgers lie, one a task; all runs that tune on the same task must share it.
        about: what else tells one configuration from another (the model, its sampling).
        budget: how many times each task's holdout may disagree.

    Raises:
        InputError: the ledger is of other problems or another budget, or a task has too few problems for two halves.
    """
    rows: list[Row] = []
    for task, ids in tasks.items():
        kept = {ids[i] for i in halves(ids, salt=task)[1]}
        train, held = [i for i in ids if i not in kept], [i for i in ids if i in kept]
        holdout = Holdout(len(held), budget=budget, ledger=folder / f"{_file_name(task)}.sqlite", rows=held)
        mine = {key: row for key, row in answers.items() if key[0] == task}
        grades = _grades(mine)
        for row in summarise({key: row for key, row in mine.items() if key[3] not in kept}, methods, [task]):
            scores, asked = grades[row.method], [key[2] for key in mine if key[1] == row.method]
            seeds = sorted(set(asked))
            if len(asked) < len(ids) * len(seeds):
                rows.append(row)
                continue
            name = f"{row.method} | seeds {','.join(map(str, seeds))} | {about}"
            try:
                rows.append(replace(row, held=holdout.ask([scores[i] for i in train], [scores[i] for i in held], name)))
            except BudgetExhausted:
                rows.append(row)
        holdout.ledger.close()
    return rows


def _grades(answers: Answers) -> dict[str, dict[str, float]]:
    """Method -> problem -> mean grade over its seeds."""
    grades: dict[str, dict[str, list[float]]] = {}
    for (_, method, _, problem), row in answers.items():
        grades.setdefault(method, {}).setdefault(problem, []).append(float(row["correct"]))
    return {method: {problem: float(np.mean(g)) for problem, g in found.items()} for method, found in grades.items()}


def _file_name(task: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_=." else "-" for c in task)
    if not kept.strip("-."):
        raise InputError(f"no ledger can be named after the task {task!r}")
    return kept[:80]
