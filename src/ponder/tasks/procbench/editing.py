"""Procedures that edit a string: Sort, Substitute, Decompose, PushPop, Rotate, DeleteChar, MoveCyclic."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase
from typing import Self

import numpy as np

from ponder.core.errors import InputError
from ponder.tasks.procbench.base import ALNUM, Procedure, State, alnum, between, letters, listed

_TRIES = 100_000


@dataclass(frozen=True)
class Sort(Procedure):
    """Bring the letters into alphabetical order by exchanges."""

    text: str

    number = 1
    rules = """Sort the characters of a string by exchanges. Positions are counted from 0, and the sorted part is empty at the beginning.
Take the letters from a to z in turn. For each, go through the positions behind the sorted part from left to right. Wherever the letter \
stands, exchange it with the first character behind the sorted part, which then is one character longer.
An exchange that leaves the string as it was is no step; every other one is. The initial state is the given string, and the state after \
a step is the whole string."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        for _ in range(_TRIES):
            made = cls(letters(rng, between(rng, 5, 50)))
            if len(made.states()) == k + 1:
                return made
        raise InputError(f"no string of 5 to 50 letters was found that is sorted in {k} exchanges")

    def question(self) -> str:
        return f"String: {self.text}"

    def states(self) -> list[State]:
        now, done, found = list(self.text), 0, [self.text]
        for letter in ascii_lowercase:
            for i in range(done, len(now)) if letter in now else ():
                if now[i] == letter:
                    if now[done] != letter:
                        now[i], now[done] = now[done], now[i]
                        found.append("".join(now))
                    done += 1
        return list(found)


@dataclass(frozen=True)
class Substitute(Procedure):
    """Replace the characters one after the other by a table."""

    text: str
    pairs: tuple[tuple[str, str], ...]

    number = 6
    rules = """Replace the characters of a string one after the other. A pair (a, b) says that the character a is replaced by b.
Go through the positions of the string from left to right. Each is one step: replace the character there by the one that its pair gives.
A position is replaced once only. The initial state is the given string, and the state after a step is the whole string."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        text = alnum(rng, k)
        mapped = [ALNUM[i] for i in rng.permutation(36) if ALNUM[i] in text]
        pairs: list[tuple[str, str]] = []
        for i, char in enumerate(mapped):
            free = [c for c in ALNUM if c not in mapped[: i + 1]]
            pairs.append((char, free[between(rng, 0, len(free) - 1)]))
        return cls(text, tuple(pairs))

    def question(self) -> str:
        return "Pairs: " + " ".join(f"({a}, {b})" for a, b in self.pairs) + f"\nString: {self.text}"

    def states(self) -> list[State]:
        table = dict(self.pairs)
        replaced = "".join(table[c] for c in self.text)
        return [replaced[:i] + self.text[i:] for i in range(len(self.text) + 1)]


@dataclass(frozen=True)
class Decompose(Procedure):
    """Rewrite single characters into two."""

    text: str
    rewriting: tuple[tuple[str, str], ...]

    number = 11
    rules = """Rewrite a string by rules of the form A -> BC: the character A becomes the two characters B and C.
One step finds the leftmost character of the string that is the left side of a rule, and rewrites this one character. Go on until no \
character of the string is the left side of a rule.
The initial state is the given string, and the state after a step is the whole string."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        for _ in range(_TRIES):
            text = letters(rng, between(rng, k + 5, k + 15))
            there, count = sorted(set(text)), between(rng, 1, min(23, k))
            left = [there[i] for i in rng.permutation(len(there))[:count]]
            if len(left) == count and sum(map(text.count, left)) == k:
                other = "".join(c for c in ascii_lowercase if c not in left)
                return cls(text, tuple((a, letters(rng, 2, other)) for a in left))
        raise InputError(f"no rules were found that decompose a string in {k} steps")

    def question(self) -> str:
        return f"String: {self.text}\nRules:\n" + "\n".join(f"{a} -> {bc}" for a, bc in self.rewriting)

    def states(self) -> list[State]:
        table, now, found = dict(self.rewriting), self.text, [self.text]
        while (at := next((i for i, c in enumerate(now) if c in table), None)) is not None:
            now = now[:at] + table[now[at]] + now[at + 1 :]
            found.append(now)
        return list(found)


@dataclass(frozen=True)
class PushPop(Procedure):
    """Add and take characters at both ends. Actions are "push_left(c)", "push_right(c)", "pop_left", "pop_right"."""

    text: str
    actions: tuple[str, ...]

    number = 16
    rules = """Carry out actions on a string, one a step, in order.
push_left(c) puts the character c before the first character, push_right(c) puts it behind the last one. pop_left removes the first \
character, pop_right the last one; on an empty string they change nothing.
The initial state is the given string, and the state after a step is the whole string."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        kinds = rng.integers(0, 4, k)
        pushed = letters(rng, k)
        written = [
            ("push_left({})", "push_right({})", "pop_left", "pop_right")[kind].format(c) for kind, c in zip(kinds, pushed, strict=True)
        ]
        return cls(letters(rng, k), tuple(written))

    def question(self) -> str:
        return f"String: {self.text}\nActions: {listed(self.actions)}"

    def states(self) -> list[State]:
        now, found = self.text, [self.text]
        for action in self.actions:
            if action.startswith("push"):
                now = action[-2] + now if action.startswith("push_left") else now + action[-2]
            else:
                now = now[1:] if action == "pop_left" else now[:-1]
            found.append(now)
        return list(found)


@dataclass(frozen=True)
class Rotate(Procedure):
    """Rotate parts of a string by one place to the right."""

    text: str
    ranges: tuple[tuple[int, int], ...]

    number = 17
    rules = """Rotate parts of a string. Go through the pairs (m, n) in order; each is one step.
Positions are counted from 0. The part from position m up to but not including position n is rotated by one place to the right: its last \
character moves to its front, and the others move one place to the right. The rest of the string stays as it is.
The initial state is the given string, and the state after a step is the whole string."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        text = letters(rng, between(rng, 5, 14))
        ranges: list[tuple[int, int]] = []
        for _ in range(k):
            last = between(rng, 1, len(text) - 1)
            ranges.append((between(rng, 0, last - 1), last + 1))
        return cls(text, tuple(ranges))

    def question(self) -> str:
        return f"String: {self.text}\nPairs: {listed(self.ranges)}"

    def states(self) -> list[State]:
        now, found = self.text, [self.text]
        for m, n in self.ranges:
            now = now[:m] + now[n - 1] + now[m : n - 1] + now[n:]
            found.append(now)
        return list(found)


@dataclass(frozen=True)
class DeleteChar(Procedure):
    """Delete the first occurrence of each of some characters."""

    text: str
    characters: str

    number = 19
    rules = """Delete characters from a string. Go through the listed characters in order; each is one step.
A step deletes the first occurrence of the character from the left, and no other.
The initial state is the given string, and the state after a step is the whole string."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        text = letters(rng, between(rng, k + 1, 30))
        return cls(text, "".join(text[i] for i in rng.permutation(len(text))[:k]))

    def question(self) -> str:
        return f"String: {self.text}\nCharacters: {listed(self.characters)}"

    def states(self) -> list[State]:
        now, found = self.text, [self.text]
        for character in self.characters:
            now = now.replace(character, "", 1)
            found.append(now)
        return list(found)


@dataclass(frozen=True)
class MoveCyclic(Procedure):
    """Move the x in a row that is closed to a circle."""

    width: int
    place: int
    moves: tuple[tuple[str, int], ...]

    number = 22
    rules = """A row of places holds one x; the other places hold -. Go through the moves in order; each is one step.
(right, n) moves the x by n places to the right, (left, n) by n places to the left. The row is closed: behind its last place comes its \
first, and before its first comes its last.
The initial state is the given row, and the state after a step is the whole row."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        width = 5 * between(rng, 1, 10)
        moves = tuple((("left", "right")[between(rng, 0, 1)], between(rng, 1, width)) for _ in range(k))
        return cls(width, between(rng, 0, width - 1), moves)

    def question(self) -> str:
        return f"Row: {self._row(self.place)}\nMoves: " + " ".join(f"({way}, {n})" for way, n in self.moves)

    def states(self) -> list[State]:
        place, found = self.place, [self._row(self.place)]
        for way, n in self.moves:
            place = (place + (n if way == "right" else -n)) % self.width
            found.append(self._row(place))
        return list(found)

    def _row(self, place: int) -> str:
        return "-" * place + "x" + "-" * (self.width - place - 1)
