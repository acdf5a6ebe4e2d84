"""Tools that a model may call while it reasons: it writes code, and reads what the code gave."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ponder.sandbox import Check, Limits


@dataclass(frozen=True)
class ToolResult:
    """What a call gave.

    Attributes:
        output: what the code printed, and its last expression as a notebook shows it.
        error: what went wrong, as "NameError: name 'x' is not defined"; "" if nothing did.
        timed_out: whether a limit of time ended it.
    """

    output: str = ""
    error: str = ""
    timed_out: bool = False


class Tool(Protocol):
    """What runs code that a model wrote, outside of this process, and never raises for what the code does."""

    def run(self, codes: Sequence[str]) -> list[ToolResult]:
        """The result of each piece of code, in order."""
        ...


@dataclass(frozen=True)
class PythonTool:
    """Python in the sandbox. Every call is a fresh program: nothing is kept between calls.

    Attributes:
        limits: of one call.

    Raises:
        MissingExtra: at the first call, if no sandbox serves here.
    """

    limits: Limits = field(default_factory=lambda: Limits(seconds=5.0, memory=256 * 2**20, output=2000))

    def run(self, codes: Sequence[str]) -> list[ToolResult]:
        if not codes:
            return []
        from ponder.sandbox import find

        different = list(dict.fromkeys(codes))
        outcomes = find().check([Check(notebook(code)) for code in different], self.limits)
        found = dict(zip(different, outcomes, strict=True))
        errors = {code: o.error or ("" if o.status == "ok" else f"{o.status}: the code was ended") for code, o in found.items()}
        return [ToolResult(found[code].output, errors[code], found[code].status == "timeout") for code in codes]


def notebook(code: str) -> str:
    """A program that also prints the value of its last line, if that is an expression with a value, as notebooks do."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        return code
    shown = ast.parse("if last_value__ is not None:\n    print(last_value__)").body
    kept = ast.Assign([ast.Name("last_value__", ast.Store())], last.value)
    return ast.unparse(ast.fix_missing_locations(ast.Module([*tree.body[:-1], kept, *shown], [])))


_OPERATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


class Calculator:
    """Sums, differences and products of whole numbers below 10^12. The syntax tree is walked; nothing is executed."""

    def run(self, codes: Sequence[str]) -> list[ToolResult]:
        return [_calculated(code) for code in codes]


def _calculated(code: str) -> ToolResult:
    refused = ToolResult(error="?")
    if len(code) > 200:
        return refused
    try:
        tree = ast.parse(code.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return refused
    value = _value(tree)
    return refused if value is None else ToolResult(str(value))


def _value(node: ast.expr) -> int | None:
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int and node.value < 10**12 else None
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _value(node.left), _value(node.right)
        if left is not None and right is not None:
            result = _OPERATIONS[type(node.op)](left, right)
            return result if abs(result) < 10**12 else None
    return None


TOOLS: dict[str, Callable[[], Tool]] = {"python": PythonTool, "calculator": Calculator}
"""Tools that a method's text may name."""
