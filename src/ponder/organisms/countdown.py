"""Countdown with three numbers: use each once, with + - *, to make a target.

A prompt is `120705095>`: the three numbers with two digits each, the target with three, and `>`. The response is two lines,
`012+007=019;019*005=095`, ended by a line break: two of the numbers make a result, which with the third makes the target.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError
from ponder.organisms import characters
from ponder.organisms.characters import ALPHABET, END, EQUALS, GO, SEPARATOR, Ints

__all__ = ["ALPHABET", "HIGHEST", "LENGTH", "PROMPT", "READS", "STEP", "Check", "Problems", "canonical", "check", "encode", "problems"]
__all__ += ["prompts", "questions", "responses", "solve", "step_correct"]

PROMPT = 10
STEP = 12
LENGTH = PROMPT + 2 * STEP
HIGHEST = 20

READS = (
    f"three numbers and a target, such as 'Use 12, 7, 5 to make 95': numbers from 1 to {HIGHEST}, a target from 1 to 999 that they can "
    "make with + - * when each is used once"
)
_LINE = re.compile(r"(\d{3})([-+*])(\d{3})=(\d{3})", re.ASCII)


@dataclass(frozen=True)
class Problems:
    """Countdown problems as arrays, each with the solution that it was made from.

    Attributes:
        numbers: shape (n, 3).
        targets: shape (n,).
        left, kinds, right, results: the two lines of the solution, left operand, operator as a place in "+-*", right operand and
            result, each of shape (n, 2).
    """

    numbers: Ints
    targets: Ints
    left: Ints
    kinds: Ints
    right: Ints
    results: Ints

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Check:
    """What the exact checker says of a response, whole or begun.

    Attributes:
        valid: for each written line, whether it is well formed, uses numbers that are there and is calculated right; nothing
            after a line that is not valid is.
        reachable: whether the target can still be made, or has been made, after the lines written so far.
        solved: whether exactly two valid lines make the target.
    """

    valid: tuple[bool, ...]
    reachable: bool
    solved: bool


def problems(n: int, rng: np.random.Generator) -> Problems:
    """n random problems that have a solution: three numbers, two operations and an order are drawn uniformly, the larger operand goes
    first, and draws whose intermediate result is 0 or whose target is not in 1..999 are drawn again."""
    parts: list[tuple[Ints, ...]] = []
    total = 0
    while not parts or total < n:
        m = 2 * (n - total) + 16
        numbers, kinds = rng.integers(1, HIGHEST + 1, (m, 3)), rng.integers(0, 3, (m, 2))
        a, b, c = rng.permuted(numbers, axis=1).T
        first = characters.apply(kinds[:, 0], np.maximum(a, b), np.minimum(a, b))
        target = characters.apply(kinds[:, 1], np.maximum(first, c), np.minimum(first, c))
        left = np.stack([np.maximum(a, b), np.maximum(first, c)], -1)
        right = np.stack([np.minimum(a, b), np.minimum(first, c)], -1)
        keep = np.flatnonzero((first > 0) & (target > 0) & (target < 1000))
        parts.append(tuple(x[keep] for x in (numbers, target, left, kinds, right, np.stack([first, target], -1))))
        total += len(keep)
    return Problems(*(np.concatenate(column)[:n] for column in zip(*parts, strict=True)))


def encode(made: Problems) -> Ints:
    """Prompts and responses as tokens, shape (n, 34): 10 of the prompt, 24 of the response with the line break that ends it."""
    n = len(made)
    prompt = [characters.digits(made.numbers, 2).reshape(n, 6), characters.digits(made.targets, 3), np.full((n, 1), GO)]
    ends = np.broadcast_to([SEPARATOR, END], (n, 2))
    lines = [
        characters.digits(made.left, 3),
        characters.operators(made.kinds)[..., None],
        characters.digits(made.right, 3),
        np.full((n, 2, 1), EQUALS),
        characters.digits(made.results, 3),
        ends[..., None],
    ]
    return np.concatenate([*prompt, np.concatenate(lines, -1).reshape(n, 2 * STEP)], -1)


def prompts(made: Problems) -> list[str]:
    """The canonical prompts."""
    return characters.texts(encode(made)[:, :PROMPT])


def responses(made: Problems) -> list[str]:
    """One right response each, without the line break that ends it."""
    return characters.texts(encode(made)[:, PROMPT:-1])


def questions(made: Problems) -> list[str]:
    """The problems as people write them: "Use 12, 7, 5 to make 95"."""
    return [f"Use {a}, {b}, {c} to make {t}" for (a, b, c), t in zip(made.numbers, made.targets, strict=True)]


def canonical(question: str) -> str:
    """The canonical prompt of a question.

    Args:
        question: a canonical prompt, or a text that holds four whole numbers, the target last: "Use 12, 7, 5 to make 95".

    Raises:
        InputError: saying what this organism reads, if the text holds no such problem.
    """
    text = question.strip()
    match = re.fullmatch(r"(\d\d)(\d\d)(\d\d)(\d{3})>", text, re.ASCII)
    parts = list(match.groups()) if match else re.findall(r"\d+", text, re.ASCII)
    # Signs and points would make other numbers of the digits.
    if len(parts) != 4 or (match is None and re.search(r"[-+*/]\s*\d|\d[.,/]\d|>", text)):
        raise InputError(f"this organism reads {READS}; given was {question[:80]!r}")
    *numbers, target = (int(p[-10:]) for p in parts)
    if not all(1 <= x <= HIGHEST for x in numbers) or not 1 <= target <= 999 or not _reach(tuple(numbers), target):
        raise InputError(f"this organism reads {READS}; given were {', '.join(map(str, numbers))} and the target {target}")
    return "".join(f"{x:02d}" for x in numbers) + f"{target:03d}>"


def solve(prompt: str) -> str:
    """One right response to a canonical prompt or a question that `canonical` reads."""
    numbers, target = _parsed(canonical(prompt))
    lines = _reach(numbers, target)
    return ";".join(lines or ())


def check(prompt: str, text: str) -> Check:
    """Check a response exactly.

    Args:
        prompt: a canonical prompt or a question that `canonical` reads.
        text: the response, whole or begun; a last line without its separator counts as written.
    """
    pool, target = _parsed(canonical(prompt))
    lines = text.partition("\n")[0].removesuffix(";")
    valid: list[bool] = []
    for line in lines.split(";") if lines else []:
        rest = _after(line, pool) if all(valid) and len(pool) > 1 else None
        valid.append(rest is not None)
        pool = rest or pool
    reachable = all(valid) and _reach(pool, target) is not None
    return Check(tuple(valid), reachable, reachable and len(pool) == 1)


def step_correct(prompt: str, steps: Sequence[str]) -> tuple[bool, ...]:
    """For each step, whether the response up to and with it is valid and the target can still be made (at the last line: is made)."""
    return tuple(check(prompt, "".join(s.rstrip(";\n") + ";" for s in steps[: i + 1])).reachable for i in range(len(steps)))


def _parsed(prompt: str) -> tuple[tuple[int, ...], int]:
    return (int(prompt[:2]), int(prompt[2:4]), int(prompt[4:6])), int(prompt[6:9])


def _after(line: str, pool: tuple[int, ...]) -> tuple[int, ...] | None:
    """The numbers that are left after a line; None if it is not valid."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    a, b, result = int(match[1]), int(match[3]), int(match[4])
    rest = list(pool)
    for x in (a, b):
        if x not in rest:
            return None
        rest.remove(x)
    return (*rest, result) if characters.calculate(match[2], a, b) == result else None


def _reach(pool: tuple[int, ...], target: int) -> tuple[str, ...] | None:
    """Lines that make the target of all numbers; None if there are none. Results stay within what three digits can write."""
    if len(pool) == 1:
        return () if pool[0] == target else None
    for i, a in enumerate(pool):
        for j, b in enumerate(pool):
            rest = tuple(x for k, x in enumerate(pool) if k not in (i, j))
            for operator in characters.OPERATORS if i != j else "":
                result = characters.calculate(operator, a, b)
                if 0 <= result <= 999:
                    more = _reach((*rest, result), target)
                    if more is not None:
                        return (f"{a:03d}{operator}{b:03d}={result:03d}", *more)
    return None
