"""What a benchmark's own tests call a function with, and what it gives: recorded in the sandbox."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import EngineError
from ponder.sandbox import Limits, Sandbox
from ponder.tasks.code import Row

LONGEST = 120
"""Characters of a call's arguments, and of its result, as Python writes them. Longer ones make no readable tests."""

_RECORDER = """
import random
random.seed(0)

def copied__(value):
    if isinstance(value, list):
        return [copied__(v) for v in value]
    if isinstance(value, tuple):
        return tuple([copied__(v) for v in value])
    if isinstance(value, dict):
        return {k: copied__(v) for k, v in value.items()}
    return value

def recorded__():
    calls = []
    def recording(*arguments):
        before = copied__(list(arguments))
        result = ENTRY(*arguments)
        calls.append((before, copied__(result)))
        return result
    check(recording)
    return calls[:200]
"""


@dataclass(frozen=True)
class Record:
    """Calls of one function.

    Attributes:
        row: its row in HumanEval.
        calls: different (arguments, result) pairs that can be written as Python literals, in order.
    """

    row: Row
    calls: tuple[tuple[tuple[Any, ...], Any], ...]

    @property
    def results(self) -> list[Any]:
        return [result for _, result in self.calls]

    @property
    def unary(self) -> bool:
        return all(len(arguments) == 1 for arguments, _ in self.calls)

    @property
    def usable(self) -> bool:
        """Whether there are at least three different calls with at least two different results."""
        return len(self.calls) >= 3 and len({repr(r) for r in self.results}) >= 2


def record(row: Row, box: Sandbox) -> Record:
    """The calls that a HumanEval row's `check` makes of the published solution.

    Raises:
        EngineError: the sandbox could not run it.
    """
    code = row["prompt"] + row["canonical_solution"] + "\n" + row["test"] + _RECORDER.replace("ENTRY", row["entry_point"])
    outcome = box.calls(code, [("recorded__", ())], Limits(seconds=20))
    if outcome.status != "ok" or not outcome.values or not isinstance(outcome.values[0], list):
        raise EngineError(f"{row['task_id']} could not be recorded: {outcome.status}, {outcome.error or outcome.values}")
    different: dict[str, tuple[tuple[Any, ...], Any]] = {}
    for arguments, result in outcome.values[0]:
        if literal(arguments) and literal(result):
            different.setdefault(repr(arguments), (tuple(arguments), result))
    return Record(row, tuple(different.values()))


def literal(value: Any, longest: int = LONGEST) -> bool:
    """Whether Python can read the value from what it writes, and that is short."""
    try:
        text = repr(value)  # refused for huge numbers
        return len(text) <= longest and ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        return False


def floats(values: Iterable[Any]) -> bool:
    """Whether a float stands in the values or anywhere inside them."""
    return any(
        isinstance(v, float) or (isinstance(v, list | tuple | set) and floats(v)) or (isinstance(v, dict) and floats([*v, *v.values()]))
        for v in values
    )


def same_types(values: Iterable[Any]) -> bool:
    """Whether all values are of one type."""
    return len({type(v) for v in values}) == 1
