"""Procedures whose state is a list: Search, Encode, Split1, Split2, Compose, Compare, FindCyclic."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Self

import numpy as np

from ponder.core.errors import InputError
from ponder.tasks.procbench.base import ALNUM, Procedure, State, between, letters, listed

_TRIES = 100_000
_STRINGS = "States are lists of strings."


@dataclass(frozen=True)
class Search(Procedure):
    """Count needles in ten strings."""

    strings: tuple[str, ...]
    needles: tuple[str, ...]

    number = 4
    form = "States are lists of 10 integers."
    rules = """Count short substrings in 10 strings. The counts of the 10 strings are all 0 at the beginning, which is the initial state.
Go through the substrings in order. Each is one step: for every string, count how often the substring occurs in it, and add that to the \
count of the string. Occurrences are searched from left to right and do not overlap.
The state after a step is the list of the 10 counts, in the order of the strings."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        needles = tuple(letters(rng, 2) for _ in range(k))
        strings: list[str] = []
        for _ in range(10):
            length, spliced = between(rng, 3, 10), between(rng, 0, 2)
            # As published, the number of needles and not their length is taken off.
            rest = letters(rng, length - spliced)
            at = between(rng, 0, len(rest))
            strings.append(rest[:at] + "".join(needles[i] for i in rng.integers(0, k, spliced)) + rest[at:])
        return cls(tuple(strings), needles)

    def question(self) -> str:
        return f"Strings: {listed(self.strings)}\nSubstrings: {listed(self.needles)}"

    def states(self) -> list[State]:
        counts = [0] * len(self.strings)
        found = [counts]
        for needle in self.needles:
            counts = [count + text.count(needle) for count, text in zip(counts, self.strings, strict=True)]
            found.append(counts)
        return list(found)


@dataclass(frozen=True)
class Encode(Procedure):
    """Write bits as runs."""

    bits: str

    number = 7
    form = _STRINGS
    rules = """Encode a string of bits by its runs. A run is a longest stretch of equal bits. The list of codes is empty at the beginning, \
which is the initial state.
Go through the runs from left to right. Each is one step: append the code c_n to the list, where c is the bit and n the length of its \
run. Three ones give 1_3.
The state after a step is the list of all codes so far."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        first = between(rng, 0, 1)
        return cls("".join(str((first + i) % 2) * between(rng, 1, 9) for i in range(k)))

    def question(self) -> str:
        return f"String: {self.bits}"

    def states(self) -> list[State]:
        codes = [f"{bit}_{len(list(run))}" for bit, run in groupby(self.bits)]
        return ["", *(codes[: i + 1] for i in range(len(codes)))]


@dataclass(frozen=True)
class Split1(Procedure):
    """Cut a string at positions of the whole string."""

    text: str
    positions: tuple[int, ...]

    number = 8
    form = _STRINGS
    rules = """Cut a string into segments. Go through the positions in order; each is one step.
A position p always counts characters of the original string: the cut lies between its first p characters and the rest, whichever \
segment that is in by now.
The initial state is the list that holds only the given string. The state after a step is the list of all segments from left to right."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        text = letters(rng, between(rng, k + 1, 30))
        return cls(text, tuple(int(i) + 1 for i in rng.permutation(len(text) - 1)[:k]))

    def question(self) -> str:
        return f"String: {self.text}\nPositions: {listed(self.positions)}"

    def states(self) -> list[State]:
        found: list[State] = []
        for i in range(len(self.positions) + 1):
            cuts = [0, *sorted(self.positions[:i]), len(self.text)]
            found.append([self.text[a:b] for a, b in pairwise(cuts)])
        return found


@dataclass(frozen=True)
class Split2(Procedure):
    """Cut segments at positions of their own."""

    text: str
    pairs: tuple[tuple[int, int], ...]

    number = 9
    form = _STRINGS
    rules = """Cut a string into segments. Go through the pairs (i, j) in order; each is one step.
A pair cuts segment i of the present list between its first j characters and the rest; both parts take its place in the list. Segments \
are counted from 0, from left to right, and anew after each step.
The initial state is the list that holds only the given string. The state after a step is the list of all segments."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        text = letters(rng, between(rng, k + 1, 30))
        sizes, pairs = [len(text)], []
        for _ in range(k):
            can = [i for i, size in enumerate(sizes) if size > 1]
            i = can[between(rng, 0, len(can) - 1)]
            j = between(rng, 1, sizes[i] - 1)
            sizes[i : i + 1] = [j, sizes[i] - j]
            pairs.append((i, j))
        return cls(text, tuple(pairs))

    def question(self) -> str:
        return f"String: {self.text}\nPairs: {listed(self.pairs)}"

    def states(self) -> list[State]:
        found = [[self.text]]
        for i, j in self.pairs:
            now = found[-1]
            found.append([*now[:i], now[i][:j], now[i][j:], *now[i + 1 :]])
        return list(found)


@dataclass(frozen=True)
class Compose(Procedure):
    """Rewrite pairs of neighbours into single characters."""

    text: str
    rewriting: tuple[tuple[str, str], ...]

    number = 10
    form = "States are lists of one-character strings."
    rules = """Rewrite a list of characters by rules of the form A, B -> C: the neighbours A and B, in this order, become the \
one character C.
One step looks at the pairs of neighbours from the right end of the list to the left, and rewrites the first pair it meets that is the \
left side of a rule. Then the next step starts again from the right end. Go on until no pair of neighbours is the left side of a rule.
The initial state is the given list, and the state after a step is the whole list."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        length = between(rng, k + 3, 30)
        for _ in range(_TRIES):
            made = cls._drawn(letters(rng, length), between(rng, max(1, k - 5), min(length - 2, k + 5)), rng)
            if made is not None and len(made.states()) == k + 1:
                return made
        raise InputError(f"no rules were found that rewrite {length} characters in {k} steps")

    @classmethod
    def _drawn(cls, text: str, count: int, rng: np.random.Generator) -> Self | None:
        """Rules that some order of rewriting uses `count` of, and decoys; None if two have one left side."""
        rules: dict[str, str] = {}
        now = text
        for _ in range(count):
            at, right = between(rng, 0, len(now) - 2), letters(rng, 1)
            if now[at : at + 2] in rules:
                return None
            rules[now[at : at + 2]] = right
            now = now[:at] + right + now[at + 2 :]
        decoys = [letters(rng, 3) for _ in range(count // 7 + 1)]
        if len(rules.keys() | {d[:2] for d in decoys}) < len(rules) + len(decoys):
            return None
        listed_rules = [*rules.items(), *((d[:2], d[2]) for d in decoys)]
        return cls(text, tuple(listed_rules[i] for i in rng.permutation(len(listed_rules))))

    def question(self) -> str:
        written = "\n".join(f"{ab[0]}, {ab[1]} -> {c}" for ab, c in self.rewriting)
        return f"Rules:\n{written}\nCharacters: {listed(self.text)}"

    def states(self) -> list[State]:
        table, now, found = dict(self.rewriting), self.text, [list(self.text)]
        while (at := next((i for i in range(len(now) - 2, -1, -1) if now[i : i + 2] in table), None)) is not None:
            now = now[:at] + table[now[at : at + 2]] + now[at + 2 :]
            found.append(list(now))
        return list(found)


@dataclass(frozen=True)
class Compare(Procedure):
    """Common prefixes with candidates, up to the one that is the target."""

    target: str
    candidates: tuple[str, ...]

    number = 13
    form = "Intermediate states are strings; the final state is a list of strings."
    rules = """Compare a target with candidates, in order, until one is equal to it. The initial state is the empty string.
Each candidate is one step: find the longest common prefix of the target and the candidate, that is, all characters from the start up to \
the first difference. The state after such a step is this common prefix.
The candidate that is equal to the target is the last step, and further candidates are ignored. The state after it, the final state, is \
the list of all common prefixes found, in order, the last one being the target itself."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        target = letters(rng, k + 1)
        others: list[str] = []
        count = between(rng, k, k + 9)
        while len(others) < count:
            tail = between(rng, 1, k)
            other = target[: k + 1 - tail] + letters(rng, tail)
            if other != target:
                others.append(other)
        return cls(target, (*others[: k - 1], target, *others[k - 1 :]))

    def question(self) -> str:
        return f"Target: {self.target}\nCandidates: {listed(self.candidates)}"

    def states(self) -> list[State]:
        prefixes: list[str] = []
        for candidate in self.candidates:
            same = next((i for i, (a, b) in enumerate(zip(self.target, candidate, strict=False)) if a != b), len(self.target))
            prefixes.append(self.target[:same])
            if candidate == self.target:
                break
        return ["", *prefixes[:-1], prefixes]


@dataclass(frozen=True)
class FindCyclic(Procedure):
    """Step along a closed row of characters, counting down."""

    row: str
    start: str
    count: int

    number = 23
    form = "Intermediate states are lists of two strings; the final state is a string."
    rules = """Step along a row of different characters, which is closed: behind the last character comes the first. You are given a \
character of the row and a counter, as [character, counter]; this is the initial state.
One step goes to the next character to the right and takes 1 off the counter. Go on until the counter is 0.
The state after a step is [character, counter], both written as strings; but when the counter is 0, the state is the character alone."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        # As published: a length of 1 to k + 4, a count of 1 to the length, drawn again until the count is k.
        weights = 1 / np.arange(k, k + 5)
        length = k + int(rng.choice(5, p=weights / weights.sum()))
        row = "".join(ALNUM[i] for i in rng.permutation(36)[:length])
        return cls(row, row[between(rng, 0, len(row) - 1)], k)

    def question(self) -> str:
        return f"Row: {self.row}\nStart: [{self.start}, {self.count}]"

    def states(self) -> list[State]:
        at = self.row.index(self.start)
        visited = [self.row[(at + i) % len(self.row)] for i in range(self.count + 1)]
        return [*([c, str(self.count - i)] for i, c in enumerate(visited[:-1])), visited[-1]]
