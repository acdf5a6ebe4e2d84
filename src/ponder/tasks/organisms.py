"""The problems that the organisms were trained on: chained arithmetic and countdown. No problem comes twice in a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.reading import marked
from ponder.core.seeds import generator
from ponder.organisms import chain, countdown
from ponder.tasks.base import Maker, Task

MOST = 10_000
"""The most problems of a task. There are more different chains than this even of a single operation."""

_BLOCK = 512
_N = (500, f"how many problems, at most {MOST}")
_Made = list[tuple[str, str]]


def _chain(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    low, high = options["low"], options["high"]
    if not 1 <= low <= high <= chain.SLOTS:
        raise InputError(f"chain: low and high must satisfy 1 <= low <= high <= {chain.SLOTS}, not low={low}, high={high}")
    n = _size("chain", options["n"], limit)

    def block(rng: np.random.Generator) -> _Made:
        made = chain.problems(_BLOCK, rng, rng.integers(low, high + 1, _BLOCK))
        return [(f"What is {q}, worked from left to right?", str(a)) for q, a in zip(chain.questions(made), made.answers, strict=True)]

    drawn = _different(block, n, generator(seed, ("tasks", "chain", low, high)))
    problems = tuple(Problem(question, id=f"{seed}-{i}", reads="number") for i, (question, _) in enumerate(drawn))
    return Task("", CHAIN.about, problems, _golds(problems, drawn))


def _countdown(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    n = _size("countdown", options["n"], limit)

    def block(rng: np.random.Generator) -> _Made:
        made = countdown.problems(_BLOCK, rng)
        return list(zip(countdown.questions(made), countdown.responses(made), strict=True))

    drawn = _different(block, n, generator(seed, ("tasks", "countdown")))
    problems = tuple(Problem(question, id=f"{seed}-{i}", reads="text") for i, (question, _) in enumerate(drawn))
    return Task("", COUNTDOWN.about, problems, _golds(problems, drawn), grader=_solves)


def _solves(problem: Problem, value: str | None, text: str) -> float:
    """1 if the two lines solve the problem, whatever solution they are; they may stand behind an answer mark."""
    written = text or value or ""
    return float(countdown.check(problem.question, (marked(written) or written).strip().rstrip(".")).solved)


def _different(block: Callable[[np.random.Generator], _Made], n: int, rng: np.random.Generator) -> _Made:
    """The first n different (question, gold) pairs that blocks of draws hold: fewer are a part of more."""
    found: dict[str, str] = {}
    while len(found) < n:
        for question, gold in block(rng):
            found.setdefault(question, gold)
    return list(found.items())[:n]


def _golds(problems: tuple[Problem, ...], drawn: _Made) -> dict[str, str]:
    return {p.id: gold for p, (_, gold) in zip(problems, drawn, strict=True)}


def _size(owner: str, n: int, limit: int | None) -> int:
    if not 1 <= n <= MOST:
        raise InputError(f"{owner}: n must be between 1 and {MOST}, not {n}")
    return n if limit is None else min(n, limit)


CHAIN = Maker(
    "chains of + - * worked from left to right, which the chain organisms were trained on",
    _chain,
    {"low": (4, "the fewest operations, from 1"), "high": (8, f"the most operations, up to {chain.SLOTS}"), "n": _N},
)
COUNTDOWN = Maker(
    "make a target of three numbers, which the countdown organisms were trained on; every right solution counts",
    _countdown,
    {"n": _N},
)
