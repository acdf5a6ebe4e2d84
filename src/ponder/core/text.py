"""The text form of a method: `sample(16) | weigh(likelihood) | vote()`.

The text is Python's own expression grammar, of which only names, calls, `|`, `+`, numbers, texts and True/False/None are
admitted. It is read by walking the syntax tree; nothing is ever evaluated, and every refusal names the place.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from ponder.core.algebra import Pipeline, Stage
from ponder.core.errors import InputError, ParseError, did_you_mean
from ponder.core.terms import REGISTRY, Term, call

LONGEST = 10_000
"""Characters a method's text may have."""


def parse(text: str) -> Pipeline:
    """The pipeline that a text describes; `str()` of it gives the text back in its shortest form.

    Raises:
        ParseError: with the position of the first thing that is wrong.
    """
    value = parse_term(text)
    if not isinstance(value, Stage):
        raise ParseError(f"a method is made of stages, and {value} is a {value.kind}", text, 0)
    return value if isinstance(value, Pipeline) else Pipeline((value,))


def parse_term(text: str) -> Term:
    """Any term: a stage, a scorer, a condition, a resampler."""
    reader = _reader(text)
    try:
        value = reader.read(reader.tree().body)
    except RecursionError:
        raise ParseError("the method is nested too deeply", text, 0) from None
    if not isinstance(value, Term):
        raise ParseError(f"a method is made of stages, and this is {value!r}", text, 0)
    return value


def syntax_tree(text: str) -> ast.Expression:
    """A method's text as Python's syntax tree, with nothing read yet: what a template of methods begins with."""
    try:
        return _reader(text).tree()
    except RecursionError:
        raise ParseError("the method is nested too deeply", text, 0) from None


def _reader(text: str) -> _Reader:
    if len(text) > LONGEST:
        raise ParseError(f"a method's text may have {LONGEST} characters, this one has {len(text)}", text, LONGEST)
    if not text.strip():
        raise ParseError("the method is empty; write for example 'sample(16) | vote()'", text, 0)
    return _Reader(text)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.source = text.translate({ord(c): " " for c in "\n\r\t\f\v"})
        self.offset = len(self.source) - len(self.source.lstrip())
        self.source = self.source.lstrip()

    def tree(self) -> ast.Expression:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.source, mode="eval")
        except SyntaxError as error:
            place = self.offset + error.offset - 1 if error.offset else len(self.text)  # no offset: the text ends too early
            raise ParseError(f"this is not a method: {error.msg}", self.text, place) from None
        except (ValueError, MemoryError, OverflowError, UnicodeError) as error:
            raise ParseError(f"this is not a method: {error}", self.text, 0) from None

    def position(self, node: ast.expr) -> int:
        before = self.source.encode(errors="surrogatepass")[: node.col_offset]
        return self.offset + len(before.decode(errors="replace"))

    def fail(self, message: str, node: ast.expr) -> ParseError:
        return ParseError(message, self.text, self.position(node))

    def read(self, node: ast.expr) -> Any:
        match node:
            case ast.BinOp(op=ast.BitOr() | ast.Add()):
                return self.join(node)
            case ast.Call():
                return self.call(node)
            case ast.Name():
                return self.make(node, [], {})
            case ast.Constant(value=bool() | int() | float() | str() | None):
                return node.value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if not isinstance(number, bool):
                return -number
            case _:
                raise self.fail("only names, calls, |, +, numbers and texts can be in a method", node)

    def join(self, node: ast.BinOp) -> Stage:
        left, right = self.read(node.left), self.read(node.right)
        for side, value in ((node.left, left), (node.right, right)):
            if not isinstance(value, Stage):
                what = f"{value} is a {value.kind}" if isinstance(value, Term) else f"{value!r} is none"
                raise self.fail(f"only stages can be joined with | and +, and {what}", side)
        return left | right if isinstance(node.op, ast.BitOr) else left + right

    def call(self, node: ast.Call) -> Term:
        if not isinstance(node.func, ast.Name):
            raise self.fail("only a plain name can be called in a method", node.func)
        args = [self.read(a) for a in node.args]
        kwargs: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.fail("** cannot be used in a method", keyword.value)
            kwargs[keyword.arg] = self.read(keyword.value)
        return self.make(node.func, args, kwargs)

    def make(self, node: ast.Name, args: list[Any], kwargs: dict[str, Any]) -> Term:
        maker = REGISTRY.get(node.id)
        if maker is None:
            hint = did_you_mean(node.id, REGISTRY, "`ponder methods` lists all names")
            raise self.fail(f"nothing is called {node.id!r}; {hint}", node)
        try:
            return call(maker, node.id, args, kwargs)
        except ParseError:
            raise
        except InputError as error:
            raise self.fail(str(error), node) from None
