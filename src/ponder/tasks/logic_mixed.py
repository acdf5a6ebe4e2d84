"""Logic problems of FOLIO's shapes, made on the spot; what follows is decided by models."""

from __future__ import annotations

from typing import Any

import numpy as np

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.logic.formula import Formula, Not, closed
from ponder.logic.mixed import mixed_problem, mixed_sentence
from ponder.logic.models import follows
from ponder.logic.theories import LABELS, Label
from ponder.tasks.base import Maker, Task
from ponder.tasks.logic import MOST, problem_of, task_of


def made_mixed(index: int, seed: int) -> tuple[tuple[Formula, ...], Formula, Label]:
    """Premises, conclusion and label of an index in the task `logic-mixed`; labels go round."""
    rng, wanted = generator(seed, ("tasks", "logic-mixed", index)), LABELS[index % len(LABELS)]
    while True:
        premises, conclusion, label = _drawn(rng)
        if label == wanted:
            return premises, conclusion, wanted


def _drawn(rng: np.random.Generator) -> tuple[tuple[Formula, ...], Formula, Label | None]:
    """A problem with its label; None where models do not decide it, premises contradict each other or hold the conclusion, or a statement
    says nothing."""
    premises, conclusion = mixed_problem(rng)
    if any(follows((), statement) for statement in (*premises, conclusion)):
        return premises, conclusion, None
    yes, no = (follows(premises, goal) for goal in (conclusion, Not(closed(conclusion))))
    if None in (yes, no) or (yes and no) or conclusion in premises:
        return premises, conclusion, None
    return premises, conclusion, "True" if yes else "False" if no else "Uncertain"


def _mixed(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    n = options["n"]
    if not 1 <= n <= MOST:
        raise InputError(f"logic-mixed: n must be between 1 and {MOST}, not {n}")
    found = [made_mixed(i, seed) for i in range(n if limit is None else min(n, limit))]
    problems = tuple(
        problem_of([*map(mixed_sentence, premises)], mixed_sentence(conclusion), f"{seed}-{i}")
        for i, (premises, conclusion, _) in enumerate(found)
    )
    return task_of(LOGIC_MIXED.about, problems, [label for *_, label in found])


LOGIC_MIXED = Maker(
    "statements with quantifiers, exclusive choices and equivalences: does a statement follow, does its negation, or neither?",
    _mixed,
    {"n": (120, f"how many problems, at most {MOST}")},
)
