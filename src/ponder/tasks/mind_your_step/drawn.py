"""Tasks whose problems are drawn one by one, so that fewer are a part of more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.tasks.base import Task


def drawn_task(
    about: str, one: Callable[[int], tuple[Problem, str]], *, kind: str, n: int, most: int, limit: int | None, seed: int, guess: float
) -> Task:
    """A task of n problems.

    Args:
        about: one line for a list.
        one: problem and gold answer of a number.
        kind: the task's name; every problem's `data` says it.
        n, most: how many there are, and how many there may be.
        limit: at most so many are drawn.
        seed: stands in the ids.
        guess: expected accuracy of a guess.

    Raises:
        InputError: n is not between 1 and `most`.
    """
    if not 1 <= n <= most:
        raise InputError(f"{kind}: n must be between 1 and {most}, not {n}")
    made = [one(number) for number in range(min(n, limit or n))]
    problems = tuple(replace(p, id=f"{seed}-{i}", data={"kind": kind, **p.data}) for i, (p, _) in enumerate(made))
    return Task("", about, problems, {p.id: gold for p, (_, gold) in zip(problems, made, strict=True)}, guess=guess)
