"""A space of pipelines as one text: a method in which `{a, b}` stands wherever one of several things may stand.

`sample({4, 16}) | {weigh(likelihood), None} | {vote(), argmax()}` has eight configurations. Choices may lie inside options of other
choices, and None leaves a stage out. The text is read by walking Python's syntax tree, as methods are; nothing is ever evaluated.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from ponder.core.algebra import Pipeline
from ponder.core.errors import InputError, ParseError
from ponder.core.terms import REGISTRY, arguments
from ponder.core.text import syntax_tree
from ponder.methods import parse

MOST = 20_000
"""The most configurations of a space."""


@dataclass(frozen=True)
class Choice:
    """One place of a template where several things may stand.

    Attributes:
        name: "sample.n" for an argument, "stage 2" for a stage; unique in its template.
        options: what may stand there, as text; "None" is nothing.
        inside: the choice (by its number) and the option that this choice is a part of; None if it is always there.
    """

    name: str
    options: tuple[str, ...]
    inside: tuple[int, int] | None = None


@dataclass(frozen=True)
class Configuration:
    """One point of a space.

    Attributes:
        options: for each choice the number of its option, None where the choice is not there.
        pipeline: the method that they make.
    """

    options: tuple[int | None, ...]
    pipeline: Pipeline

    def __str__(self) -> str:
        return str(self.pipeline)


class Space:
    """The pipelines of a template, each once; in the order of the options, the last choice fastest.

    >>> space = Space("sample({4, 16}) | {vote(), argmax()}")
    >>> [str(c) for c in space]
    ['sample(4) | vote()', 'sample(4) | argmax()', 'sample(16) | vote()', 'sample(16) | argmax()']

    Args:
        template: a method's text with choices.

    Attributes:
        choices: outer ones before those inside their options.
        configurations: what the choices make.
        index: options -> number of the configuration; several lead to one where they make the same pipeline.

    Raises:
        ParseError: it cannot be read, with the place.
        InputError: there is nothing to choose, an option comes twice, or there are more than `MOST` configurations.
    """

    def __init__(self, template: str) -> None:
        self.template = template
        self._tree = syntax_tree(template)
        self._sets: list[ast.Set] = []
        found: list[Choice] = []
        self._find(self._tree.body, "", None, found)
        self.choices = _unique(found)
        if not found:
            raise InputError(f"the template {template!r} has nothing to choose: write options in braces, as in sample({{4, 16}})")
        assignments = list(itertools.islice(self._assignments(()), MOST + 1))
        if len(assignments) > MOST:
            raise InputError(f"the template has more than {MOST} configurations; leave some options out")
        numbers: dict[Pipeline, int] = {}
        kept: list[Configuration] = []
        self.index: dict[tuple[int | None, ...], int] = {}
        for options in assignments:
            pipeline = self.pipeline(options)
            self.index[options] = numbers.setdefault(pipeline, len(kept))
            if self.index[options] == len(kept):
                kept.append(Configuration(options, pipeline))
        self.configurations = tuple(kept)

    def __len__(self) -> int:
        return len(self.configurations)

    def __iter__(self) -> Iterator[Configuration]:
        return iter(self.configurations)

    def __getitem__(self, index: int) -> Configuration:
        return self.configurations[index]

    def present(self, choice: int, options: tuple[int | None, ...]) -> bool:
        """Whether a choice is there, given the options of those before it."""
        inside = self.choices[choice].inside
        return inside is None or options[inside[0]] == inside[1]

    def pipeline(self, options: tuple[int | None, ...]) -> Pipeline:
        """The method of one option for each choice that is there."""
        body = _filled(self._tree.body, {_place(s): o for s, o in zip(self._sets, options, strict=True)})
        if body is None:
            raise InputError(f"the template {self.template!r} can leave all of its stages out")
        return parse(ast.unparse(body))

    def _assignments(self, options: tuple[int | None, ...]) -> Iterator[tuple[int | None, ...]]:
        at = len(options)
        if at == len(self.choices):
            yield options
        elif self.present(at, options):
            for option in range(len(self.choices[at].options)):
                yield from self._assignments((*options, option))
        else:
            yield from self._assignments((*options, None))

    def _find(self, node: ast.expr, name: str, inside: tuple[int, int] | None, found: list[Choice]) -> None:
        """Choices of a part of the template, outer ones before those inside them."""
        match node:
            case ast.Set(elts=options):
                texts = tuple(ast.unparse(o) for o in options)
                if len(set(texts)) < max(2, len(texts)):
                    raise ParseError("a choice needs different options, at least two", self.template, node.col_offset)
                number = len(found)
                found.append(Choice(name or "stage", texts, inside))
                self._sets.append(node)
                for i, option in enumerate(options):
                    self._find(option, name, (number, i), found)
            case ast.Dict():
                raise ParseError("braces hold options with commas between them", self.template, node.col_offset)
            case ast.BinOp(left=left, right=right):
                self._find(left, "stage", inside, found)
                self._find(right, "stage", inside, found)
            case ast.Call(func=ast.Name(id=maker), args=args, keywords=keywords):
                known = [a.name for a in arguments(REGISTRY[maker])] if maker in REGISTRY else []
                for i, part in enumerate(args):
                    self._find(part, f"{maker}.{known[i] if i < len(known) else i + 1}", inside, found)
                for keyword in keywords:
                    self._find(keyword.value, f"{maker}.{keyword.arg}", inside, found)
            case _:
                pass


def _unique(found: list[Choice]) -> tuple[Choice, ...]:
    """The choices with a number behind names that come more than once."""
    names = [c.name for c in found]
    numbered = [f"{n} {names[: i + 1].count(n)}" if names.count(n) > 1 else n for i, n in enumerate(names)]
    return tuple(Choice(n, c.options, c.inside) for n, c in zip(numbered, found, strict=True))


def _place(node: ast.expr) -> tuple[int, int | None]:
    return node.col_offset, node.end_col_offset


def _filled(node: ast.expr, options: dict[tuple[int, int | None], int | None]) -> ast.expr | None:
    """A part of the template with every choice made; None for a stage that is left out."""
    match node:
        case ast.Set():
            chosen = options[_place(node)]
            option = node.elts[chosen or 0]
            return None if isinstance(option, ast.Constant) and option.value is None else _filled(option, options)
        case ast.BinOp():
            left, right = _filled(node.left, options), _filled(node.right, options)
            return ast.BinOp(left, node.op, right) if left and right else left or right
        case ast.Call():
            keywords = [ast.keyword(k.arg, _argument(k.value, options)) for k in node.keywords]
            return ast.Call(node.func, [_argument(a, options) for a in node.args], keywords)
        case _:
            return node


def _argument(node: ast.expr, options: dict[tuple[int, int | None], int | None]) -> ast.expr:
    return _filled(node, options) or ast.Constant(None)
