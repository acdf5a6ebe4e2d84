"""When two answers are one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from ponder.core.errors import need
from ponder.core.line_worker import LineWorker

PATIENCE = 20.0
"""Seconds that one comparison may take, the worker's start included."""
LONGEST = 300
"""Characters of an expression that is compared as mathematics; longer ones are compared as texts."""
_worker = LineWorker("ponder.scorers.mathworker")


def group_values(values: Sequence[str], equal: str = "same") -> dict[str, str]:
    """A representative for every value: values with the same representative are one answer.

    "same" keeps every canonical value apart. "math" also unites values that `math-verify` finds equal, closed under transitivity,
    so that the result does not depend on order. The representative is the class's smallest value.

    Raises:
        MissingExtra: "math" without math-verify.
    """
    parent = {value: value for value in values}
    if equal == "math":
        need("math_verify", "math")
        for a, b in combinations(sorted(parent), 2):
            if _root(parent, a) != _root(parent, b) and same_expression(a, b):
                low, high = sorted((_root(parent, a), _root(parent, b)))
                parent[high] = low
    return {value: _root(parent, value) for value in parent}


def _root(parent: dict[str, str], value: str) -> str:
    while parent[value] != value:
        value = parent[value]
    return value


@lru_cache(maxsize=100_000)
def same_expression(a: str, b: str) -> bool:
    """True if two LaTeX or plain expressions are equal as mathematics, in either direction.

    math-verify's time limits are alarms, which only a process's main thread may set, and sympy can work for ever on a hostile
    power. So it runs in a process of its own, which is ended when it takes longer than `PATIENCE` seconds: verdicts do not
    depend on the caller's thread, and what takes too long is not equal.
    """
    if a == b:
        return True
    if max(len(a), len(b)) > LONGEST:
        return False
    need("math_verify", "math")
    return (_worker.ask(json.dumps([a, b]), PATIENCE) or "").strip() == "true"
