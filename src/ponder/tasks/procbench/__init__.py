"""ProcBench (Fujisawa et al. 2024, arXiv 2410.03117): 23 procedures to be followed step by step, made here or read from published rows."""

from __future__ import annotations

import re
from typing import Any

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.core.steps import METRICS, Steps, parse_steps
from ponder.tasks.base import Maker, Task, closest, subset
from ponder.tasks.procbench.base import LONGEST, SHORTEST, Procedure, name
from ponder.tasks.procbench.editing import Decompose, DeleteChar, MoveCyclic, PushPop, Rotate, Sort, Substitute
from ponder.tasks.procbench.growing import Copy, Decode, Gather, Rhythm
from ponder.tasks.procbench.lists import Compare, Compose, Encode, FindCyclic, Search, Split1, Split2
from ponder.tasks.procbench.numbers import Count, Cumulate
from ponder.tasks.procbench.published import published
from ponder.tasks.procbench.words import Count2, DeleteWord, FillWord

_FAMILIES: tuple[tuple[type[Procedure], ...], ...] = (
    (Sort, Substitute, Decompose, PushPop, Rotate, DeleteChar, MoveCyclic),
    (Gather, Copy, Rhythm, Decode),
    (Search, Encode, Split1, Split2, Compose, Compare, FindCyclic),
    (Count, Cumulate),
    (Count2, FillWord, DeleteWord),
)
PROCEDURES: dict[int, type[Procedure]] = {kind.number: kind for kind in sorted((k for f in _FAMILIES for k in f), key=lambda k: k.number)}
"""The 23 procedures by their published numbers."""

MOST = 1000
"""The most problems of a procedure and a length."""


def draw(number: int, k: int, seed: int = 0, index: int = 0) -> Procedure:
    """An instance of a procedure whose run has k steps.

    Args:
        number: of the procedure, 1 to 23.
        k: steps, 2 to 25.
        seed, index: which instance; everything random comes from these.

    Raises:
        InputError: there is no such procedure or length.
    """
    if number not in PROCEDURES:
        raise InputError(f"ProcBench has the tasks 1 to {len(PROCEDURES)}, not {number}")
    if not SHORTEST <= k <= LONGEST:
        raise InputError(f"runs of ProcBench have {SHORTEST} to {LONGEST} steps, not {k}")
    return PROCEDURES[number].draw(k, generator(seed, ("tasks", "procbench", number, k, index)))


def label(procedure: Procedure) -> Steps:
    """The right answer to an instance: its states but the initial one."""
    _, *intermediate, final = procedure.states()
    return Steps(tuple(intermediate), final)


def _make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    metric = options["metric"]
    if metric not in METRICS:
        raise InputError(f"procbench: no metric is called {metric!r}; {closest(metric, list(METRICS))}")
    tasks = _numbers("tasks", options["tasks"], 1, len(PROCEDURES))
    lengths = _numbers("lengths", options["lengths"], SHORTEST, LONGEST)
    per = options["per_length"]
    if not 1 <= per <= MOST:
        raise InputError(f"procbench: per_length must be between 1 and {MOST}, not {per}")
    if options["source"] == "procedural":
        keys = [(number, k, i) for number in tasks for k in lengths for i in range(per)]
        made = [_generated(number, k, i, seed) for number, k, i in subset(keys, limit, seed)]
    else:
        made = subset(published(options["source"], tasks, lengths, per), limit, seed)
    labels = {problem.id: right for problem, right in made}

    def grader(problem: Problem, value: str | None, text: str) -> float:
        return METRICS[metric](labels[problem.id], parse_steps(value or ""))

    return Task("", PROCBENCH.about, tuple(p for p, _ in made), {key: right.to_json() for key, right in labels.items()}, 0.0, grader)


def _generated(number: int, k: int, index: int, seed: int) -> tuple[Problem, Steps]:
    procedure = draw(number, k, seed, index)
    data = {"task": name(number), "steps": k, "procedure": procedure}
    return Problem(procedure.prompt(), id=f"{seed}-{name(number)}-{k}-{index}", reads="steps", data=data), label(procedure)


def _numbers(option: str, text: str, low: int, high: int) -> list[int]:
    """ "2-5,8" as [2, 3, 4, 5, 8]."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        ends = (first, last or first)
        written = all(re.fullmatch(r"\d{1,4}", end, re.ASCII) for end in ends)
        if not written or not low <= int(ends[0]) <= int(ends[1]) <= high:
            raise InputError(
                f"procbench: {option} must be numbers from {low} to {high}, such as {low}-{low + 3},{high}; not {part.strip()!r}"
            )
        found += range(int(ends[0]), int(ends[1]) + 1)
    return sorted(set(found))


PROCBENCH = Maker(
    "procedures that are fully spelled out, to be followed for 2 to 25 steps; every state counts",
    _make,
    {
        "tasks": (f"1-{len(PROCEDURES)}", "which procedures, such as 15,19-21"),
        "lengths": (f"{SHORTEST}-{LONGEST}", "numbers of steps"),
        "per_length": (10, "problems of a procedure and a length"),
        "metric": ("sm", "the credit: " + ", ".join(METRICS)),
        "source": ("procedural", '"procedural" (made here), "hub" (the published rows), or a file or folder of such rows'),
    },
)
