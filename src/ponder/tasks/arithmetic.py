"""Arithmetic problems made on the spot, with worked examples in front of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.tasks.base import Maker, Task, draw

SHOTS = 3
_LEVELS = {1: (1, 2, "+"), 2: (2, 2, "+-"), 3: (2, 3, "+-"), 4: (2, 3, "+-*"), 5: (3, 4, "+-*")}
_DO: dict[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def _few_shot(about: str, drawn: list[tuple[str, int]], same: Callable[[str], Any], n: int, limit: int | None, seed: int) -> Task:
    """A task of n problems out of drawn (expression, result) pairs; the rest are examples, never those that are `same` as the asked one."""
    asked, spare = drawn[:n], drawn[n:]
    problems = []
    for i, (expression, _) in enumerate(asked[:limit]):
        shown = [(e, r) for e, r in [*spare, *asked] if same(e) != same(expression)][:SHOTS]
        examples = tuple((f"What is {e}?", f"{e} = {r}") for e, r in shown)
        problems.append(Problem(f"What is {expression}?", id=f"{seed}-{i}", examples=examples, reads="number", style="few-shot"))
    return Task("", about, tuple(problems), {p.id: str(r) for p, (_, r) in zip(problems, asked, strict=False)})


def _times_tables(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    low, high = options["low"], options["high"]
    if not 0 <= low <= high - 2:
        raise InputError(f"times-tables: low must be 0 or more and high at least low + 2, not low={low}, high={high}")
    width = high - low + 1
    n = _size("times-tables", options["n"], width**2)
    numbers = draw(width**2, width**2, generator(seed, ("tasks", "times-tables", low, high)))
    pairs = [(low + i // width, low + i % width) for i in numbers]
    drawn = [(f"{a} * {b}", a * b) for a, b in pairs]
    return _few_shot(TIMES_TABLES.about, drawn, lambda e: sorted(e.split(" * ")), n, limit, seed)


def _arithmetic(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    level = options["difficulty"]
    if level not in _LEVELS:
        raise InputError(f"arithmetic: difficulty must be between 1 and {len(_LEVELS)}, not {level}")
    digits, terms, signs = _LEVELS[level]
    digits, terms, signs = options["digits"] or digits, options["terms"] or terms, options["operators"] or signs
    if not (1 <= digits <= 12 and 2 <= terms <= 12):
        raise InputError(f"arithmetic: digits must be between 1 and 12 and terms between 2 and 12, not {digits} and {terms}")
    if not set(signs) <= set(_DO) or len(set(signs)) < len(signs):
        raise InputError(f"arithmetic: operators must be different ones of {''.join(_DO)}, not {signs!r}")
    first, span = 10 ** (digits - 1), 9 * 10 ** (digits - 1)
    size = span**terms * len(signs) ** (terms - 1)
    n = _size("arithmetic", options["n"], size)
    codes = draw(size, min(size, n + SHOTS), generator(seed, ("tasks", "arithmetic", digits, terms, signs)))
    drawn = [_expression(code, first, span, terms, signs) for code in codes]
    return _few_shot(ARITHMETIC.about, drawn, str, n, limit, seed)


def _expression(code: int, first: int, span: int, terms: int, signs: str) -> tuple[str, int]:
    """The expression with a given number, and its value; products bind before sums."""
    code, digit = divmod(code, span)
    text, sums = str(first + digit), [first + digit]
    for _ in range(terms - 1):
        code, place = divmod(code, span * len(signs))
        sign, term = signs[place // span], first + place % span
        text += f" {sign} {term}"
        if sign == "*":
            sums[-1] *= term
        else:
            sums.append(_DO[sign](0, term))
    return text, sum(sums)


def _size(owner: str, n: int, size: int) -> int:
    if not 1 <= n <= size:
        raise InputError(f"{owner}: n must be between 1 and {size}, the number of different problems, not {n}")
    return n


TIMES_TABLES = Maker(
    "products of two small numbers, three worked examples in front",
    _times_tables,
    {"low": (2, "the smallest factor"), "high": (12, "the largest factor"), "n": (100, "how many problems")},
)
ARITHMETIC = Maker(
    "sums, differences and products of several numbers, harder from difficulty 1 to 5",
    _arithmetic,
    {
        "difficulty": (1, "1 (one digit, two terms, +) to 5 (three digits, four terms, + - *)"),
        "digits": (0, "digits of each term; 0: by difficulty"),
        "terms": (0, "terms of an expression; 0: by difficulty"),
        "operators": ("", "some of +-*; empty: by difficulty"),
        "n": (50, "how many problems"),
    },
)
