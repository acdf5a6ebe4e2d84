"""When two answers are one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

from ponder.core.errors import need

_LOCK = threading.Lock()


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

    math-verify sets alarms, which only the main thread may; its time limits are switched off and one lock keeps its global
    parser state to one thread, so that verdicts do not depend on threads. Very long expressions are compared as texts.
    """
    if a == b:
        return True
    if max(len(a), len(b)) > 300:
        return False
    verify = need("math_verify", "math").verify
    with _LOCK:
        first, second = _parsed(a), _parsed(b)
        if not first or not second:
            return False
        return bool(verify(first, second, timeout_seconds=None) or verify(second, first, timeout_seconds=None))


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> list[Any]:
    return need("math_verify", "math").parse(f"${text}$", parsing_timeout=None)
