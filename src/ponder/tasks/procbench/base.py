"""What a procedure of ProcBench is: an instance that writes its own question and executes itself, state by state."""

from __future__ import annotations

from string import ascii_lowercase, digits
from typing import ClassVar, Self

import numpy as np

SHORTEST, LONGEST = 2, 25
"""Steps of a run."""

State = str | int | list[str] | list[int]
"""A state; the equality of `ponder.core.steps` goes by its type."""

ALNUM = ascii_lowercase + digits
_ANSWER = """Report the states as one JSON object, with nothing behind it:
{{"intermediate": [...], "final": ...}}
"intermediate" lists the state after every step but the last, in order, without the initial state. "final" is the state after the last \
step. {states}"""


class Procedure:
    """One instance of a task. Subclasses are frozen dataclasses whose fields are the instance.

    Attributes:
        number: of the task, 1 to 23.
        rules: the algorithm as the prompt spells it out.
        form: how states are written as JSON.
    """

    number: ClassVar[int]
    rules: ClassVar[str]
    form: ClassVar[str] = "States are strings."

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        """A random instance whose run has k steps, SHORTEST <= k <= LONGEST."""
        raise NotImplementedError

    def question(self) -> str:
        """The instance as text, all that the prompt says of it."""
        raise NotImplementedError

    def states(self) -> list[State]:
        """The run s_0, s_1, ..., s_k: the initial state and the state after every step."""
        raise NotImplementedError

    def prompt(self) -> str:
        """Rules, how to answer, and the question."""
        return f"{self.rules}\n{answer_form(self.form)}\n[Question]\n{self.question()}"


def answer_form(states: str = "") -> str:
    """The request for an answer that `ponder.core.steps` reads; `states` says how a state is written."""
    return _ANSWER.format(states=states).strip()


def name(number: int) -> str:
    """A task's published name, "task01" to "task23"."""
    return f"task{number:02}"


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """A uniform whole number, both ends included."""
    return int(rng.integers(low, high + 1))


def letters(rng: np.random.Generator, length: int, alphabet: str = ascii_lowercase) -> str:
    """Uniform characters with replacement."""
    return "".join(alphabet[i] for i in rng.integers(0, len(alphabet), length))


def alnum(rng: np.random.Generator, length: int, share: float = 0.5) -> str:
    """Letters of weight `share` each and digits of weight 1 - `share` each, with replacement."""
    weights = np.array([share] * 26 + [1 - share] * 10)
    return "".join(ALNUM[i] for i in rng.choice(36, length, p=weights / weights.sum()))


def listed(items: object) -> str:
    """Items in square brackets, as questions write them."""
    return "[" + ", ".join(map(str, items)) + "]"  # pyright: ignore[reportArgumentType, reportCallIssue]
