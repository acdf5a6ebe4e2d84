"""A task: problems and the grader that alone knows their gold answers; the registry that makes one from a line of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from ponder.core.errors import InputError, did_you_mean
from ponder.core.problem import Problem
from ponder.core.seeds import generator

Grader = Callable[[Problem, str | None, str], float]
"""Credit in [0, 1] for an answer: its canonical value and the text it was read from."""

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """Problems with their grader.

    Attributes:
        name: the text that `load` makes it from; unique in a run.
        about: one line for a list.
        problems: what is asked.
        answers: problem id -> gold answer, canonical under the problem's reader where the grader compares values.
        guess: expected accuracy of a uniform guess; 0 where that means nothing.
        grader: how answers are graded; by equality with the gold answer if None.
    """

    name: str
    about: str
    problems: Sequence[Problem]
    answers: Mapping[str, str] = field(repr=False)
    guess: float = 0.0
    grader: Grader | None = field(default=None, repr=False, compare=False)

    def gold(self, problem: Problem) -> str:
        """The right answer of a problem of this task."""
        if problem.id not in self.answers:
            raise InputError(f"the task {self.name!r} has no problem {problem.id!r}")
        return self.answers[problem.id]

    def grade(self, problem: Problem, value: str | None, text: str = "") -> float:
        """Credit in [0, 1] for an answer; 0 for none.

        Args:
            problem: one of this task's problems.
            value: the answer as the problem's reader gives it.
            text: what it was read from, for graders that need more than the value.
        """
        gold = self.gold(problem)
        if self.grader is not None:
            return min(1.0, max(0.0, self.grader(problem, value, text)))
        return float(value is not None and (value == gold or (problem.reads == "number" and _same_percent(value, gold, text))))


def _same_percent(value: str, gold: str, text: str) -> bool:
    """Whether "25%" (the number 1/4) answers a question whose gold answer counts percents (25)."""
    try:
        return "%" in text and Fraction(value) * 100 == Fraction(gold)
    except (ValueError, ZeroDivisionError):
        return False


@dataclass(frozen=True)
class Maker:
    """How a kind of task is made.

    Attributes:
        about: one line for a list.
        make: (rest of the name, options, limit, seed) -> task. The rest is what follows "kind:" in `gym:countdown`.
        options: option name -> (default, meaning); None if the maker checks its options itself.
        form: how the name is written in a list, if it takes a rest.
    """

    about: str
    make: Callable[[str, dict[str, Any], int | None, int], Task]
    options: Mapping[str, tuple[Any, str]] | None = None
    form: str = ""


def split_spec(spec: str) -> tuple[str, str, dict[str, str]]:
    """ "kind:rest,key=value" as (kind, rest, options). The rest may hold commas that no "key=" follows."""
    kind, _, tail = spec.partition(":")
    first, *pairs = re.split(r",\s*(?=[A-Za-z_]\w*=)", tail)
    if re.match(r"[A-Za-z_]\w*=", first):
        first, pairs = "", [first, *pairs]
    options: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key in options:
            raise InputError(f"{spec!r} gives {key} twice")
        options[key] = value
    return kind.strip(), first.strip(), options


def closest(given: str, known: Sequence[str]) -> str:
    """A hint for an error: the nearest known name, or all of them."""
    return did_you_mean(given, known, f"there are {', '.join(known)}")


def checked_options(owner: str, given: Mapping[str, str], known: Mapping[str, tuple[Any, str]]) -> dict[str, Any]:
    """Options as the type of their defaults (whole numbers and texts), defaults filled in.

    Raises:
        InputError: for an unknown option or one of the wrong type.
    """
    values: dict[str, Any] = {key: default for key, (default, _) in known.items()}
    for key, value in given.items():
        if key not in known:
            raise InputError(f"the task {owner!r} has no option {key!r}; {closest(key, list(known)) if known else 'it has none'}")
        values[key] = value if isinstance(known[key][0], str) else whole(f"{owner}: {key}", value)
    return values


def whole(name: str, value: str) -> int:
    """A text as a whole number, or an InputError that names it."""
    if not re.fullmatch(r"[-+]?\d{1,9}", value.strip()):
        raise InputError(f"{name} must be a whole number, not {value!r}")
    return int(value)


def subset(items: Sequence[T], limit: int | None, seed: int) -> list[T]:
    """All items in their order; with a limit, the first `limit` of the order that the seed shuffles them into."""
    if limit is None:
        return list(items)
    order = generator(seed, ("tasks", "subset")).permutation(len(items))
    return [items[int(i)] for i in order[:limit]]


def draw(size: int, n: int, rng: np.random.Generator) -> list[int]:
    """n different whole numbers below `size`, in random order; size may exceed any machine word."""
    if size <= 4 * n:
        return [int(i) for i in rng.permutation(size)[:n]]
    drawn: dict[int, None] = {}
    while len(drawn) < n:
        bits = int.from_bytes(rng.bytes(size.bit_length() // 8 + 9), "big")
        drawn.setdefault(bits % size)
    return list(drawn)
