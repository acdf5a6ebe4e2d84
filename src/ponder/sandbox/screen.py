"""Programs that pydantic-monty would run, but not as CPython does: a look at their words, since nothing hostile is parsed in this process.

Found by comparing the two. There, `map`, `filter`, `zip`, `reversed`, `enumerate` and generator expressions are lists, which equal lists:
that makes no difference where such a value is used up at once. `round` to decimals rounds other numbers up. Annotations are not
evaluated, so that a type that was never imported goes unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r"""'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\#[^\n]*|\w+|[^\s\w]""", re.DOTALL)
_IMPORT = re.compile(r"^(?:from[ \t]+\w+[ \t]+)?import[ \t]+(\([^()]*\)|[^\n]*)", re.MULTILINE)
_VARIABLE = re.compile(r"^(?!else\b|try\b|finally\b|except\b|class\b)\w+[ \t]*:[ \t]*([^\s=#][^=#\n]*)", re.MULTILINE)
_LAZY = frozenset(["map", "filter", "zip", "reversed", "enumerate"])
_USES_UP = frozenset(["list", "tuple", "set", "frozenset", "dict", "sorted", "sum", "max", "min", "any", "all", "join", "extend", "update"])
_TYPES = frozenset(["None", "bool", "int", "float", "complex", "str", "bytes", "list", "tuple", "set", "frozenset", "dict", "object"])
_IN_TYPES = frozenset("[],.|")


def differs(source: str) -> str:
    """Why a program might run differently there, by a look at its words; "" if nothing says so.

    A program that hides such a word from this look gains nothing but another interpreter's answer.
    """
    tokens = [t for t in _TOKEN.findall(source) if t[0] not in "#'\""]
    return _other_values(tokens) or _other_annotations(_TOKEN.sub(lambda t: "" if t[0][0] in "#'\"" else t[0], source), tokens)


def _other_values(tokens: Sequence[str]) -> str:
    open_: list[str] = []
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else ""
        if token == "round":
            return "round rounds differently there"
        if token in _LAZY and not (before in ("in", "*") or (before == "(" and open_ and open_[-1] in _USES_UP)):
            return f"{token} is a list there"
        if token in ("(", "[", "{"):
            open_.append(before if token == "(" else token)
        elif token in (")", "]", "}") and open_:
            open_.pop()
        elif token == "for" and open_ and open_[-1] not in _USES_UP | {"[", "{"}:
            return "a generator expression is a list there"
    return ""


def _other_annotations(source: str, tokens: Sequence[str]) -> str:
    known = _TYPES | {name for names in _IMPORT.findall(source) for name in re.findall(r"\w+", names)}
    annotations = [*_of_functions(tokens), *(_TOKEN.findall(words) for words in _VARIABLE.findall(source))]
    for words in annotations:
        for before, word in zip(["", *words], words, strict=False):
            if not (word in known or word in _IN_TYPES) or (word == "." and before not in (".", "[", ",")) or word == "[" == before:
                return f"the annotation {' '.join(words)[:50]!r} is not evaluated there"
    return ""


def _of_functions(tokens: Sequence[str]) -> Iterator[list[str]]:
    """The words of each annotation of a parameter or a result."""
    depth, inside, default = 0, False, False
    words: list[str] | None = None
    for before, token in zip(["", *tokens], tokens, strict=False):
        if token == "def" and not depth:
            inside, default, words = True, False, None
        if not inside:
            continue
        separates = (depth == 1 and token in (",", "=", ")")) or (not depth and token == ":")
        if words is not None and separates:
            yield words
            words = None
        elif words is not None:
            words.append(token)
        elif (token == ":" and depth == 1 and not default) or (before + token == "->" and not depth):
            words = []
        if separates:
            default, inside = token == "=", token != ":"
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
