"""Procedures that calculate: Count, Cumulate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from ponder.tasks.procbench.base import Procedure, State, alnum, between, listed


@dataclass(frozen=True)
class Count(Procedure):
    """Count the letters of strings, read their digits, and add up the products."""

    strings: tuple[str, ...]

    number = 3
    form = "Intermediate states are lists of four strings; the final state is an integer."
    rules = """Go through strings in order and calculate three numbers for each. The initial state is the string 0.
Each string s is one step. N1 is how many letters s holds. N2 is the number that its digits make when they are read from left to right \
without the letters; leading zeros do not count, and without digits it is 0. N3 is N1 times N2. The state after such a step is \
[s, N1, N2, N3], all written as strings.
The last step, after all strings, adds up the numbers N3. The final state is this sum, an integer."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        return cls(tuple(alnum(rng, between(rng, 4, 9), 0.75) for _ in range(k - 1)))

    def question(self) -> str:
        return f"Strings: {listed(self.strings)}"

    def states(self) -> list[State]:
        rows: list[State] = []
        total = 0
        for text in self.strings:
            first, second = sum(map(str.isalpha, text)), int("0" + "".join(filter(str.isdigit, text)))
            rows.append([text, str(first), str(second), str(first * second)])
            total += first * second
        return ["0", *rows, total]


@dataclass(frozen=True)
class Cumulate(Procedure):
    """Add and multiply in turn."""

    first: int
    operations: tuple[tuple[str, int], ...]

    number = 21
    form = "States are integers."
    rules = """Calculate with a running number. Go through the operations in order; each is one step.
Add n adds n to the number, Multiply n multiplies it by n. Work strictly in the given order.
The initial state is the given number, and the state after a step is the running number."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        def operation() -> tuple[str, int]:
            return ("Add", between(rng, 0, 9)) if between(rng, 0, 1) else ("Multiply", between(rng, 1, 5))

        return cls(between(rng, 1, 9), tuple(operation() for _ in range(k)))

    def question(self) -> str:
        return f"Number: {self.first}\nOperations: {listed(f'{kind} {n}' for kind, n in self.operations)}"

    def states(self) -> list[State]:
        found = [self.first]
        for kind, n in self.operations:
            found.append(found[-1] + n if kind == "Add" else found[-1] * n)
        return list(found)
