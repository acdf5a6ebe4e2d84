"""Programs that pydantic-monty would run, but not as CPython does.

Found by comparing the two: there, `map`, `filter`, `zip`, `reversed`, `enumerate` and generator expressions are lists, which equal lists,
and `round` to decimals rounds other numbers up. Where such a value is used up at once this makes no difference.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"""'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\#[^\n]*|\w+|[^\s\w]""", re.DOTALL)
_LAZY = frozenset(["map", "filter", "zip", "reversed", "enumerate"])
_USES_UP = frozenset(["list", "tuple", "set", "frozenset", "dict", "sorted", "sum", "max", "min", "any", "all", "join", "extend", "update"])
_OTHER = frozenset(["round"])


def differs(source: str) -> str:
    """Why a program might run differently there, by a look at its words; "" if nothing says so.

    A program that hides such a word from this look gains nothing but another interpreter's answer.
    """
    tokens = [t for t in _TOKEN.findall(source) if t[0] not in "#'\""]
    open_: list[str] = []
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else ""
        if token in _OTHER:
            return f"{token} rounds differently there"
        if token in _LAZY and not (before in ("in", "*") or (before == "(" and open_ and open_[-1] in _USES_UP)):
            return f"{token} is a list there"
        if token in ("(", "[", "{"):
            open_.append(before if token == "(" else token)
        elif token in (")", "]", "}") and open_:
            open_.pop()
        elif token == "for" and open_ and open_[-1] not in _USES_UP | {"[", "{"}:
            return "a generator expression is a list there"
    return ""
