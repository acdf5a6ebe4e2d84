"""Procedures that append to a running string: Gather, Copy, Rhythm, Decode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import numpy as np

from ponder.tasks.procbench.base import Procedure, State, alnum, between, letters, listed


def _running(pieces: Iterable[str]) -> list[State]:
    return list(accumulate(pieces, initial=""))


@dataclass(frozen=True)
class Gather(Procedure):
    """Append the n characters from place i of string N."""

    strings: tuple[str, ...]
    commands: tuple[tuple[int, int, int], ...]

    number = 2
    rules = """Build a string from parts of other strings. It is empty at the beginning, which is the initial state.
Go through the triples (N, i, n) in order. Each is one step: take string N of the list, and of it the n characters that start at \
position i, and append them to the end of the string built so far.
Strings and positions are counted from 0. The state after a step is the whole string built so far."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        strings = tuple(alnum(rng, between(rng, 5, 10)) for _ in range(between(rng, 2, 20)))
        commands: list[tuple[int, int, int]] = []
        for _ in range(k):
            which = between(rng, 0, len(strings) - 1)
            start = between(rng, 0, len(strings[which]) - 1)
            commands.append((which, start, between(rng, 1, len(strings[which]) - start)))
        return cls(strings, tuple(commands))

    def question(self) -> str:
        return f"Strings: {listed(self.strings)}\nTriples: {listed(self.commands)}"

    def states(self) -> list[State]:
        return _running(self.strings[which][start : start + n] for which, start, n in self.commands)


@dataclass(frozen=True)
class Copy(Procedure):
    """Append the string of an index."""

    strings: tuple[str, ...]
    indices: tuple[int, ...]

    number = 5
    rules = """Join strings of a list in the order that the indices give. The result is empty at the beginning, which is the initial state.
Go through the indices in order. Each is one step: append the whole string with that index to the end of the result.
Indices are counted from 0. The state after a step is the whole result so far."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        strings = tuple(alnum(rng, between(rng, 5, 20)) for _ in range(between(rng, 3, 25)))
        return cls(strings, tuple(between(rng, 0, len(strings) - 1) for _ in range(k)))

    def question(self) -> str:
        return f"Strings: {listed(self.strings)}\nIndices: {listed(self.indices)}"

    def states(self) -> list[State]:
        return _running(self.strings[i] for i in self.indices)


@dataclass(frozen=True)
class Rhythm(Procedure):
    """Append the next digit and the next letter of two sequences that start again when they end."""

    digits: str
    sequence: str
    steps: int

    number = 12
    rules = """Interleave two sequences, one of digits and one of letters, each of which starts again from its beginning when it has ended.
The result is empty at the beginning, which is the initial state. One step appends the next digit of the first sequence and then the \
next letter of the second one. Make as many steps as asked.
The state after a step is the whole result so far."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        variety = "abcde"[: between(rng, 2, 5)]
        return cls(letters(rng, between(rng, 4, 6), "0123456789"), letters(rng, 8, variety), k)

    def question(self) -> str:
        return f"Digits: {listed(self.digits)}\nLetters: {listed(self.sequence)}\nSteps: {self.steps}"

    def states(self) -> list[State]:
        return _running(self.digits[i % len(self.digits)] + self.sequence[i % len(self.sequence)] for i in range(self.steps))


@dataclass(frozen=True)
class Decode(Procedure):
    """Append a bit n times."""

    runs: tuple[tuple[str, int], ...]

    number = 15
    rules = """Write out a sequence of bits from its runs. The result is empty at the beginning, which is the initial state.
Go through the pieces in order. A piece bxn, such as 1x3, is one step: append the bit b to the result n times.
The state after a step is the whole result so far."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        first = between(rng, 0, 1)
        return cls(tuple((str((first + i) % 2), between(rng, 1, 9)) for i in range(k)))

    def question(self) -> str:
        return "Pieces: " + " ".join(f"{bit}x{n}" for bit, n in self.runs)

    def states(self) -> list[State]:
        return _running(bit * n for bit, n in self.runs)
