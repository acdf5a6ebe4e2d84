"""Eight of the procedures at a size that a net of half a million weights can learn, written in few characters.

A prompt is a letter for the procedure, the initial state, two characters for each command, and `>`. The response is the states,
`;` between them, ended by a line break: `Emrrda` + `be` + `ac` + `>` is answered by `marrd;rmard`. Every character has
a place in a page of lines: state j stands in line j, and command j in the last columns of the line whose state it makes. Numbers are
written with their units first, so that what is carried is known when it is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.core.steps import Steps
from ponder.tasks.procbench.base import ALNUM, LONGEST, Procedure, State, between, letters
from ponder.tasks.procbench.editing import DeleteChar, MoveCyclic, PushPop, Rotate, Sort
from ponder.tasks.procbench.growing import Copy, Decode
from ponder.tasks.procbench.numbers import Cumulate

NUMBERS = (1, 5, 15, 16, 17, 19, 21, 22)
ALPHABET = ALNUM + "ABCDEFGH" + "-()[]+*.>;\n"
COLUMNS = 32
WIDEST = COLUMNS - 4
"""The most characters of a state."""
LINES = LONGEST + 2
_TRIES = 10_000


def draw(number: int, k: int, rng: np.random.Generator) -> Procedure:
    """A small instance whose run has k steps and whose states are all of at most `WIDEST` characters.

    Raises:
        InputError: the procedure is none of `NUMBERS`, or none was found.
    """
    if number not in NUMBERS:
        raise InputError(f"there is no compact form of task {number}; there is one of {', '.join(map(str, NUMBERS))}")
    for _ in range(_TRIES):
        made = _drawn(number, k, rng)
        states = made.states()
        if len(states) == k + 1 and all(len(str(state)) <= WIDEST for state in states):
            return made
    raise InputError(f"no compact instance of task {number} with {k} steps was found")


def _drawn(number: int, k: int, rng: np.random.Generator) -> Procedure:
    size = min(between(rng, k + 1, k + 3), WIDEST)
    if number == 1:
        return Sort(letters(rng, size))
    if number == 5:
        strings = tuple(ALNUM[i] for i in rng.permutation(36)[: between(rng, 3, 10)])
        return Copy(strings, tuple(between(rng, 0, len(strings) - 1) for _ in range(k)))
    if number == 15:
        first = between(rng, 0, 1)
        return Decode(tuple((str((first + i) % 2), between(rng, 1, 2 if k < 18 else 1)) for i in range(k)))
    if number == 16:
        kinds = [("push_left({})", "push_right({})", "pop_left", "pop_right")[i] for i in rng.integers(0, 4, k)]
        return PushPop(letters(rng, min(k, 12)), tuple(kind.format(letters(rng, 1)) for kind in kinds))
    if number == 17:
        text = letters(rng, between(rng, 5, 8))
        last = rng.integers(1, len(text), k)
        return Rotate(text, tuple((between(rng, 0, int(n) - 1), int(n) + 1) for n in last))
    if number == 19:
        text = letters(rng, size)
        return DeleteChar(text, "".join(text[i] for i in rng.permutation(size)[:k]))
    if number == 21:
        return Cumulate.draw(k, rng)
    width = 5 * between(rng, 1, 2)
    moves = tuple((("left", "right")[between(rng, 0, 1)], between(rng, 1, width)) for _ in range(k))
    return MoveCyclic(width, between(rng, 0, width - 1), moves)


def commands(procedure: Procedure) -> list[str]:
    """The commands of an instance, two characters each; none for Sort."""
    match procedure:
        case Copy():
            return [f"{i}." for i in procedure.indices]
        case Decode():
            return [f"{bit}{n}" for bit, n in procedure.runs]
        case PushPop():
            written = {"push_left": "(", "push_right": ")", "pop_left": "[.", "pop_right": "]."}
            return [written[a[:-3]] + a[-2] if a.endswith(")") else written[a] for a in procedure.actions]
        case Rotate():
            return [ALNUM[m] + ALNUM[n - 1] for m, n in procedure.ranges]
        case DeleteChar():
            return [c + "." for c in procedure.characters]
        case Cumulate():
            return [("+" if kind == "Add" else "*") + str(n) for kind, n in procedure.operations]
        case MoveCyclic():
            return [("(" if way == "left" else ")") + ALNUM[n] for way, n in procedure.moves]
        case _:
            return []


def prompt(procedure: Procedure) -> str:
    """An instance in few characters. Copy has its strings in the place of the initial state, which is empty."""
    start = "".join(procedure.strings) if isinstance(procedure, Copy) else _written(procedure.states()[0])
    return "ABCDEFGH"[NUMBERS.index(procedure.number)] + start + "".join(commands(procedure)) + ">"


def prompt_places(procedure: Procedure) -> list[int]:
    """The place of each character of the prompt, line * `COLUMNS` + column."""
    written = commands(procedure)
    head = list(range(len(prompt(procedure)) - 2 * len(written) - 1))
    last = [line * COLUMNS + COLUMNS - 2 + i for line in range(1, len(written) + 1) for i in (0, 1)]
    return [*head, *last, COLUMNS]


def response(procedure: Procedure) -> str:
    """The right states, the initial one left out, ended by a line break."""
    return ";".join(map(_written, procedure.states()[1:])) + "\n"


def read(procedure: Procedure, text: str) -> Steps:
    """The states of a response; if no line break ends it, the last one is not whole and the final state is None."""
    states = text.removesuffix("\n").split(";")
    if isinstance(procedure, Cumulate):
        states = [state[::-1] for state in states]
    return Steps(tuple(states[:-1]), states[-1] if text.endswith("\n") else None)


def _written(state: State) -> str:
    return str(state)[::-1] if isinstance(state, int) else str(state)


def next_places(places: NDArray[np.int64], separators: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where characters stand that follow such places: one on; a separator begins a line. Clipped to the page."""
    line, column = places // COLUMNS, places % COLUMNS
    found = np.where(separators, (line + 1) * COLUMNS, line * COLUMNS + np.minimum(column + 1, COLUMNS - 3))
    return np.minimum(found, LINES * COLUMNS - 1)


def response_places(text: str) -> list[int]:
    """The place of each character of a response."""
    found, place = [], np.array(COLUMNS)
    for c in text:
        place = next_places(place, np.array(c in ";\n"))
        found.append(int(place))
    return found
