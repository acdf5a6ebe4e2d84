"""Artificial grammars for a small net: a token for each pair of neighbouring letters, a string's ends counted as letters.

Shown strings are read once, one behind the other; each question is a string behind them. `?` asks for Y or N at once; `:` asks for up to
eight pairs that the strings follow, then `?` and Y or N. Sums modulo 10 are asked in the same two ways, with what is reached after each
operation in the place of the rules: `3+4-9?` is answered by `8`, `3+4-9:` by `78?8`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ponder.tasks.mind_your_step.grammar import LETTERS, LONGEST, pairs

FIRST = tuple(f"^{c}" for c in LETTERS)
LAST = tuple(f"{c}$" for c in LETTERS)
PAIRS = (*FIRST, *(a + b for a in LETTERS for b in LETTERS), *LAST)
ASK, THINK, YES, NO = "?:YN"
MARKS = "_" + ASK + THINK + YES + NO + "0123456789+-"
"""`_` fills rows."""
ALPHABET = MARKS + "".join(chr(0x100 + i) for i in range(len(PAIRS)))
"""Pairs are written as one character each, in the order of `PAIRS`."""
IDS = {c: i for i, c in enumerate(ALPHABET)}
PAIR_IDS = {pair: len(MARKS) + i for i, pair in enumerate(PAIRS)}

STUDY = 15
RULES = 8
"""The most rules that are written before an answer."""
SLIP, HASTE = 0.1, 0.5
"""The rule inducer's noise: the share of its rules that are a random pair, and the spread of the counts by which it ranks pairs."""
OPERATIONS = 5
QUESTION = STUDY * (LONGEST + 1)
"""The place at which every question begins."""
CONTEXT = QUESTION + LONGEST + 1 + RULES + 3


def ids(text: str) -> list[int]:
    """A string as tokens."""
    return [PAIR_IDS[pair] for pair in pairs(text)]


def induced(study: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Up to `RULES` pairs that shown strings follow, those seen most often first, as somebody writes them who counts in haste and slips."""
    counts = Counter(pair for text in study for pair in pairs(text))
    ranked = sorted(counts, key=lambda pair: -np.log(counts[pair]) - HASTE * rng.normal())
    return list(dict.fromkeys(PAIRS[rng.integers(len(PAIRS))] if rng.random() < SLIP else pair for pair in ranked[:RULES]))


@dataclass(frozen=True)
class Sum:
    """A sum modulo 10.

    Attributes:
        start: its first digit.
        added: what is added to it one after the other, from -9 to 9.
    """

    start: int
    added: tuple[int, ...]

    @property
    def reached(self) -> list[int]:
        """What is reached after each operation; the last is the answer."""
        return [int(x) for x in (self.start + np.cumsum(self.added)) % 10]

    @property
    def text(self) -> str:
        return str(self.start) + "".join(f"{'-' if x < 0 else '+'}{abs(x)}" for x in self.added)


def random_sum(rng: np.random.Generator) -> Sum:
    """A sum of `OPERATIONS` operations."""
    signs = rng.choice([-1, 1], OPERATIONS)
    return Sum(int(rng.integers(10)), tuple(int(x) for x in signs * rng.integers(1, 10, OPERATIONS)))
