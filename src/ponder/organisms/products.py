"""Products of two numbers, in a stream of thought that may call a tool.

A prompt is `37*84>`: two numbers of two digits each. A response states a value, `so 3108.`, and may doubt it: `so 3018. Wait, so 3108.`;
the last value is the answer. A tool call stands in brackets and its result in braces: `Wait, use python [37*84]{3108}so 3108.`. A prompt
that ends with `#` in place of `>` comes only from the documents in which tools are used.
"""

from __future__ import annotations

import re

import numpy as np

from ponder.core.errors import InputError
from ponder.organisms.characters import Ints

ALPHABET = "_0123456789*>#[]{}?., \n" + "Waeghiklnopstuy"
"""A character is a token; its id is its place. `_` is filling."""

PROMPT = 6
LOWEST, HIGHEST = 2, 99
READS = f"a product such as 'What is 37 * 84?' of two numbers from {LOWEST} to {HIGHEST}"
STEP = 0
"""A response has no steps of one length."""

_FRIENDLY = re.compile(r"(?<!\d)(\d{1,4})\s*[*×]\s*(\d{1,4})(?!\d)", re.ASCII)
_CANONICAL = re.compile(r"\d\d\*\d\d[>#]", re.ASCII)


def problems(n: int, rng: np.random.Generator) -> Ints:
    """n random products, shape (n, 2): the first factor from 10 to 99, the second from 2 to 9 or from 10 to 99 with equal chance."""
    small = rng.random(n) < 0.5
    second = np.where(small, rng.integers(LOWEST, 10, n), rng.integers(10, HIGHEST + 1, n))
    return np.stack([rng.integers(10, HIGHEST + 1, n), second], -1)


HELD_OUT = np.random.default_rng(99).random((HIGHEST + 1, HIGHEST + 1)) < 0.1
"""Pairs of factors that no organism is trained on, shape (100, 100)."""


def draw(n: int, rng: np.random.Generator, held_out: bool = False) -> list[tuple[int, int]]:
    """n random products, with repeats, of those that are held out or of the others."""
    found: list[tuple[int, int]] = []
    while len(found) < n:
        found += [(int(a), int(b)) for a, b in problems(n, rng) if HELD_OUT[a, b] == held_out]
    return found[:n]


def count(held_out: bool) -> int:
    """How many different products there are of a kind."""
    return int((HELD_OUT[10:, LOWEST:] == held_out).sum())


def canonical(question: str) -> str:
    """The canonical prompt of a question.

    Args:
        question: a canonical prompt, or a text with one product in it: "What is 37 * 84?".

    Raises:
        InputError: saying what this organism reads, if the text holds no such product.
    """
    if _CANONICAL.fullmatch(question):
        return question
    found = _FRIENDLY.findall(question)
    if len(found) != 1 or not all(LOWEST <= int(x) <= HIGHEST for x in found[0]):
        raise InputError(f"this organism reads {READS}; given was {question[:80]!r}")
    return "{:02d}*{:02d}>".format(*map(int, found[0]))
