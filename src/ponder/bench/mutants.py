"""Programs with one small fault: seeded changes of Python source, for measuring what tests miss.

Pure functions on text: nothing is run. The operators are those of mutation testing (DeMillo, Lipton and Sayward 1978): each makes the
kind of mistake that a programmer makes. A mutant may still do the same as the original (an equivalent mutant).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.core.errors import InputError, did_you_mean

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Mult, ast.Div),
    ast.Mod: (ast.FloorDiv, ast.Add),
    ast.Pow: (ast.Mult,),
}
_RETURNED = ("0", "1", "None", "True", "False", "''", "[]")


def _comparison(node: ast.AST) -> Iterator[ast.AST]:
    """< for <= or >, == for !=, in for not in."""
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            for other in _COMPARISONS[type(op)]:
                yield ast.Compare(node.left, [*node.ops[:i], other(), *node.ops[i + 1 :]], node.comparators)


def _constant(node: ast.AST) -> Iterator[ast.AST]:
    """A number one larger or one smaller."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield from (ast.Constant(node.value + by) for by in (1, -1))  # pyright: ignore[reportOperatorIssue]


def _arithmetic(node: ast.AST) -> Iterator[ast.AST]:
    """+ for -, * for // and the like, in expressions and in += and the like."""
    if isinstance(node, ast.BinOp):
        yield from (ast.BinOp(node.left, other(), node.right) for other in _ARITHMETIC.get(type(node.op), ()))
    if isinstance(node, ast.AugAssign):
        yield from (ast.AugAssign(node.target, other(), node.value) for other in _ARITHMETIC.get(type(node.op), ()))


def _logic(node: ast.AST) -> Iterator[ast.AST]:
    """and for or."""
    if isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)


def _condition(node: ast.AST) -> Iterator[ast.AST]:
    """A condition negated."""
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.comprehension):
        for i, test in enumerate(node.ifs):
            yield _with(node, ifs=[*node.ifs[:i], ast.UnaryOp(ast.Not(), test), *node.ifs[i + 1 :]])


def _branch(node: ast.AST) -> Iterator[ast.AST]:
    """A branch dropped: what an if does, or what it does otherwise."""
    if isinstance(node, ast.If):
        yield _with(node, body=[ast.Pass()])
        if node.orelse:
            yield _with(node, orelse=[])


def _bounds(node: ast.AST) -> Iterator[ast.AST]:
    """The end of a range, or a bound of a slice, off by one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        for i in range(min(2, len(node.args))):
            for by in (1, -1):
                yield _with(node, args=[*node.args[:i], _plus(node.args[i], by), *node.args[i + 1 :]])
    if isinstance(node, ast.Slice):
        for field in ("lower", "upper"):
            bound = getattr(node, field)
            if bound is not None:
                yield from (_with(node, **{field: _plus(bound, by)}) for by in (1, -1))


def _result(node: ast.AST) -> Iterator[ast.AST]:
    """A constant returned."""
    if isinstance(node, ast.Return) and node.value is not None:
        yield from (ast.Return(ast.parse(value, mode="eval").body) for value in _RETURNED)


def _with(node: Any, **fields: Any) -> Any:
    """A shallow copy of a node with other fields."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _plus(bound: ast.expr, by: int) -> ast.expr:
    return ast.BinOp(bound, ast.Add() if by > 0 else ast.Sub(), ast.Constant(1))


OPERATORS: dict[str, Callable[[ast.AST], Iterator[ast.AST]]] = {
    "comparison": _comparison,
    "constant": _constant,
    "arithmetic": _arithmetic,
    "logic": _logic,
    "condition": _condition,
    "branch": _branch,
    "bounds": _bounds,
    "result": _result,
}
"""Mutation operators by name: the nodes that may stand in a node's place."""


@dataclass(frozen=True)
class _Change:
    """A node in the place of another: `parent.field`, or `parent.field[index]`."""

    operator: str
    parent: Any
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST

    def source(self, tree: ast.AST) -> str:
        """The program with this change; the tree is as it was afterwards."""
        self._put(self.new)
        text = ast.unparse(ast.fix_missing_locations(tree))
        self._put(self.old)
        return text

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def mutate(source: str, rng: np.random.Generator, operators: Sequence[str] | None = None) -> str | None:
    """One random mutant: first an operator among those that apply, then a place and a change, uniformly.

    Args:
        source: a Python program. Its comments are lost; its docstrings stay.
        rng: the only source of randomness.
        operators: names in `OPERATORS`; all by default.

    Returns:
        The mutant's source; None if no operator applies or the source is no Python.

    Raises:
        InputError: for an unknown operator.
    """
    tree, changes = _changes(source, operators)
    if not changes:
        return None
    by_operator: dict[str, list[_Change]] = {}
    for change in changes:
        by_operator.setdefault(change.operator, []).append(change)
    drawn = by_operator[sorted(by_operator)[int(rng.integers(len(by_operator)))]]
    original = ast.unparse(tree)
    texts = (drawn[int(i)].source(tree) for i in rng.permutation(len(drawn)))
    return next((text for text in texts if text != original), None)


def mutants(source: str, operators: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """All mutants of one change as (operator, source), each text once and none equal to the original; [] if it is no Python.

    Raises:
        InputError: for an unknown operator.
    """
    tree, changes = _changes(source, operators)
    found: dict[str, str] = {}
    for change in changes:
        found.setdefault(change.source(tree), change.operator)
    found.pop(ast.unparse(tree), None)
    return [(operator, text) for text, operator in found.items()]


def _changes(source: str, operators: Sequence[str] | None) -> tuple[ast.AST, list[_Change]]:
    """The program's tree and every change that the operators can make to it."""
    names = list(OPERATORS) if operators is None else list(operators)
    for name in names:
        if name not in OPERATORS:
            near = did_you_mean(name, list(OPERATORS), f"there are {', '.join(OPERATORS)}")
            raise InputError(f"no mutation operator is called {name!r}; {near}")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], []), []
    return tree, [
        _Change(name, parent, field, index, node, new)
        for parent, field, index, node in _places(tree)
        for name in names
        for new in OPERATORS[name](node)
    ]


def _places(tree: ast.AST) -> list[tuple[ast.AST, str, int | None, ast.AST]]:
    """Where each node below the root hangs: (parent, field, index in the field or None, node)."""
    places: list[tuple[ast.AST, str, int | None, ast.AST]] = []
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, list):
                places += [(parent, field, i, item) for i, item in enumerate(value) if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and field not in ("annotation", "returns"):
                places.append((parent, field, None, value))
    return places
