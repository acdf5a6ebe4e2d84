"""The characters that organisms read and write, as tokens: an id is the character's place in the alphabet."""

from __future__ import annotations

from typing import Any

import numpy as np

ALPHABET = "_0123456789+-*>;\n="
"""`_` fills unused places of a prompt, `>` ends the prompt, `;` ends a step, the line break ends the text."""

PAD, GO, SEPARATOR, END, EQUALS = (ALPHABET.index(c) for c in "_>;\n=")
OPERATORS = "+-*"

Ints = np.ndarray[Any, np.dtype[np.int64]]

_OPERATOR_IDS = np.array([ALPHABET.index(c) for c in OPERATORS])
_ZERO = ALPHABET.index("0")


def digits(numbers: Ints, width: int) -> Ints:
    """The tokens of whole numbers from 0 to 10**width - 1, shape (..., width), leading zeros written."""
    return numbers[..., None] // 10 ** np.arange(width - 1, -1, -1) % 10 + _ZERO


def operators(kinds: Ints) -> Ints:
    """The tokens of operators given as places in `OPERATORS`."""
    return _OPERATOR_IDS[kinds]


def numbers(tokens: Ints) -> Ints:
    """The numbers that rows of digit tokens write, shape (..., width) -> (...); -1 where a token is no digit."""
    found = tokens - _ZERO
    written = found @ 10 ** np.arange(tokens.shape[-1] - 1, -1, -1)
    return np.where(((found >= 0) & (found <= 9)).all(-1), written, -1)


def texts(tokens: Ints) -> list[str]:
    """Rows of tokens as texts, shape (n, length)."""
    letters = np.array(list(ALPHABET))
    return ["".join(row) for row in letters[tokens]]


def apply(kinds: Ints, a: Ints, b: Ints) -> Ints:
    """a + b, a - b or a * b, elementwise, by places in `OPERATORS`."""
    return np.choose(kinds, [a + b, a - b, a * b])


def calculate(operator: str, a: int, b: int) -> int:
    """a + b, a - b or a * b, by the operator's character."""
    return {"+": a + b, "-": a - b, "*": a * b}[operator]
