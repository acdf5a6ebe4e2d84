"""Brothers and sisters, counted: a question about one family in twelve characters.

A prompt is `A3b6s?bs>`: a name, how many brothers and sisters that person has (in either order), then whose siblings are asked about
(`.` the person's own, `b` a brother's, `s` a sister's) and which (`b` brothers, `s` sisters, `i` all siblings). The response is the
number with two digits, `07`, ended by a line break. Names A to F are female, G to L male.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError
from ponder.organisms.characters import Ints

__all__ = [
    "ALPHABET",
    "HOPS",
    "LENGTH",
    "MOST",
    "NAMES",
    "PROMPT",
    "READS",
    "STEP",
    "WHAT",
    "Questions",
    "canonical",
    "encode",
    "questions",
]

NAMES = "ABCDEFGHIJKL"
ALPHABET = "_0123456789bsi.?>\n" + NAMES
HOPS = ".bs"
WHAT = "bsi"
PROMPT, STEP = 9, 3
LENGTH = PROMPT + STEP
MOST = 9
"""The most brothers or sisters of a person; the fewest are 1."""
READS = (
    f"questions like 'Alice has 3 brothers and she also has 6 sisters. How many sisters does Alice's brother have?', 1 to {MOST} of each"
)

_CANONICAL = re.compile(rf"[{NAMES}][1-9](?:b[1-9]s|s[1-9]b)\?[{HOPS}][{WHAT}]>")
_STATED = re.compile(r"(\w+) has (\d+) (brother|sister)s? and (she|he) also has (\d+) (brother|sister)s?\.")
_ASKED = re.compile(r"How many (brother|sister|sibling)s does (\w+?)(?:'s (brother|sister))? have(?: in total)?\?")


@dataclass(frozen=True)
class Questions:
    """Questions as arrays of shape (n,).

    Attributes:
        names: places in `NAMES`; the first half is female.
        brothers, sisters: of the named person, from 1 to `MOST`.
        sisters_first: whether the sisters are named first.
        hops: places in `HOPS`: whose siblings are asked about.
        what: places in `WHAT`: which of them.
    """

    names: Ints
    brothers: Ints
    sisters: Ints
    sisters_first: Ints
    hops: Ints
    what: Ints

    def __len__(self) -> int:
        return len(self.names)

    @property
    def female(self) -> Ints:
        """1 for a question about a woman, 0 about a man."""
        return (self.names < len(NAMES) // 2).astype(np.int64)

    @property
    def answers(self) -> Ints:
        """The right numbers. All children of the family are counted, and the person whose siblings they are is taken off."""
        girls, boys = self.sisters + self.female, self.brothers + 1 - self.female
        woman = np.choose(self.hops, [self.female, 0 * self.female, 0 * self.female + 1])
        return np.choose(self.what, [boys - (1 - woman), girls - woman, boys + girls - 1])

    @property
    def held_out(self) -> np.ndarray:
        """Whether the question is how many sisters a woman's brother has: the answer counts herself."""
        return (self.female == 1) & (self.hops == HOPS.index("b")) & (self.what == WHAT.index("s"))

    def take(self, rows: np.ndarray) -> Questions:
        """Some of the questions, in order."""
        return Questions(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def questions(n: int, rng: np.random.Generator) -> Questions:
    """n questions, everything drawn uniformly and independently."""
    sizes = (len(NAMES), MOST, MOST, 2, len(HOPS), len(WHAT))
    names, brothers, sisters, first, hops, what = (rng.integers(0, size, n) for size in sizes)
    return Questions(names, brothers + 1, sisters + 1, first, hops, what)


def encode(asked: Questions) -> Ints:
    """Prompts with their right responses as tokens, shape (n, 12)."""
    n = len(asked)
    zero, letter = ALPHABET.index("0"), {c: np.full(n, ALPHABET.index(c)) for c in "bs?>\n"}
    first = asked.sisters_first == 1
    columns = [
        asked.names + ALPHABET.index(NAMES[0]),
        np.where(first, asked.sisters, asked.brothers) + zero,
        np.where(first, letter["s"], letter["b"]),
        np.where(first, asked.brothers, asked.sisters) + zero,
        np.where(first, letter["b"], letter["s"]),
        letter["?"],
        np.array([ALPHABET.index(c) for c in HOPS])[asked.hops],
        np.array([ALPHABET.index(c) for c in WHAT])[asked.what],
        letter[">"],
        asked.answers // 10 + zero,
        asked.answers % 10 + zero,
        letter["\n"],
    ]
    return np.stack(columns, -1)


def canonical(question: str) -> str:
    """The canonical prompt of a question; a man is called G and a woman A.

    Args:
        question: a canonical prompt, or an English text that holds a question as `READS` shows it.

    Raises:
        InputError: saying what this organism reads, if the text holds no such question.
    """
    text = question.strip()
    if _CANONICAL.fullmatch(text):
        return text
    stated, asked = _STATED.search(text), _ASKED.search(text)
    if stated is None or asked is None or stated[1] != asked[2] or stated[3] == stated[6]:
        raise InputError(f"this organism reads {READS}; given was {question[:120]!r}")
    counts = [(int(stated[2]), stated[3][0]), (int(stated[5]), stated[6][0])]
    if not all(1 <= n <= MOST for n, _ in counts):
        raise InputError(f"this organism reads {READS}; given were {counts[0][0]} and {counts[1][0]}")
    what = "i" if asked[1] == "sibling" else asked[1][0]
    hop = "." if asked[3] is None else asked[3][0]
    clauses = "".join(f"{n}{kind}" for n, kind in counts)
    return f"{'A' if stated[4] == 'she' else 'G'}{clauses}?{hop}{what}>"
