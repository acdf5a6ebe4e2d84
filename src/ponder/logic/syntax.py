"""Formulas as text: a parser that names the place of what is wrong, and a printer whose output reads back as the same formula.

Two dialects: "ascii" (`all x. (Kind(x) & -Big(x) -> exists y. Likes(x, y))`) and "unicode" (`∀x (Kind(x) ∧ ¬Big(x) → ∃y Likes(x, y))`).
From what binds most to what binds least: not, and, or, xor, implies (to the right), iff; a quantifier reaches as far right as it can. A
name that no quantifier binds is a variable if it is one lower-case letter with or without digits, else a constant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ponder.core.errors import InputError
from ponder.logic.formula import EQUALS, App, Atom, Binary, FolSyntaxError, Formula, Not, Quantified, Term, Var

Dialect = Literal["ascii", "unicode"]

LONGEST = 10_000
"""Characters that a formula's text may have."""
LARGEST = 150
"""Connectives, quantifiers, brackets and function applications that a formula may have together, for formulas are read by recursion."""


@dataclass(frozen=True)
class _Marks:
    """How a dialect writes connectives and quantifiers."""

    negation: tuple[str, ...]
    joins: dict[str, str]
    quantifiers: dict[str, str]
    shown: dict[str, str]


_DIALECTS: dict[str, _Marks] = {
    "ascii": _Marks(
        ("-", "~"),
        {"&": "and", "|": "or", "^": "xor", "->": "implies", "<->": "iff"},
        {"all": "all", "exists": "some"},
        {"not": "-", "and": "&", "or": "|", "xor": "^", "implies": "->", "iff": "<->", "all": "all {}. ", "some": "exists {}. "},
    ),
    "unicode": _Marks(
        ("¬",),
        {"∧": "and", "∨": "or", "⊕": "xor", "→": "implies", "↔": "iff"},
        {"∀": "all", "∃": "some"},
        {"not": "¬", "and": "∧", "or": "∨", "xor": "⊕", "implies": "→", "iff": "↔", "all": "∀{} ", "some": "∃{} "},
    ),
}
_BINDS = ("iff", "implies", "xor", "or", "and")
"""Connectives, the one that binds least first."""
_TOKEN = re.compile(r"\s*(?:(<->|->|!=|[-~&|^().,=¬∧∨⊕→↔∀∃])|(\w+))")
_VARIABLE = re.compile(r"[a-z]\d*")


def parse(text: str, dialect: Dialect = "ascii") -> Formula:
    """The formula that a text writes.

    Raises:
        FolSyntaxError: with the position of the first thing that is wrong.
        InputError: no dialect has that name.
    """
    reader = _Reader(text, _marks(dialect))
    formula = reader.formula(0, frozenset())
    if reader.token:
        raise reader.fail(f"{reader.token!r} stands where the formula should end")
    return formula


def text_of(formula: Formula, dialect: Dialect = "ascii") -> str:
    """A formula as text; `parse` reads it back as an equal formula.

    Raises:
        InputError: no dialect has that name.
    """
    return _shown(formula, _marks(dialect).shown)


def _marks(dialect: str) -> _Marks:
    if dialect not in _DIALECTS:
        raise InputError(f"a dialect is one of {', '.join(_DIALECTS)}, not {dialect!r}")
    return _DIALECTS[dialect]


def _shown(formula: Formula, marks: dict[str, str]) -> str:
    match formula:
        case Atom():
            return _atom(formula.name, formula.args, "=")
        case Not(Atom("=", args)):
            return _atom(EQUALS, args, "!=")
        case Not():
            return marks["not"] + _bracketed(formula.body, marks, isinstance(formula.body, Binary | Quantified))
        case Quantified():
            body = _bracketed(formula.body, marks, isinstance(formula.body, Binary))
            return marks[formula.kind].format(formula.variable) + body
        case Binary():
            level, right = _BINDS.index(formula.kind), formula.kind == "implies"
            left_side = _bracketed(formula.left, marks, _loose(formula.left, level + right))
            right_side = _bracketed(formula.right, marks, _loose(formula.right, level + (not right)))
            return f"{left_side} {marks[formula.kind]} {right_side}"


def _loose(side: Formula, level: int) -> bool:
    """Whether one side of a connective needs brackets: it would end in the wrong place, or join less closely than `level`."""
    return isinstance(side, Quantified) or (isinstance(side, Binary) and _BINDS.index(side.kind) < level)


def _bracketed(formula: Formula, marks: dict[str, str], needed: bool) -> str:
    return f"({_shown(formula, marks)})" if needed else _shown(formula, marks)


def _atom(name: str, args: tuple[Term, ...], identity: str) -> str:
    inner = [_term(t) for t in args]
    if name == EQUALS:
        return f"{inner[0]} {identity} {inner[1]}"
    return f"{name}({', '.join(inner)})" if inner else name


def _term(term: Term) -> str:
    return term.name if isinstance(term, Var) or not term.args else f"{term.name}({', '.join(map(_term, term.args))})"


class _Reader:
    """Precedence climbing over one token of lookahead."""

    def __init__(self, text: str, marks: _Marks) -> None:
        self.text, self.marks = text, marks
        self.token, self.start, self.end, self.size = "", 0, 0, 0
        if len(text) > LONGEST:
            raise FolSyntaxError(f"a formula may have {LONGEST} characters, this text has {len(text)}", text, LONGEST)
        self.advance()

    def advance(self) -> str:
        """Go to the next token ("" at the end); returns the one that was current."""
        before, found = self.token, _TOKEN.match(self.text, self.end)
        if found is None:
            rest = self.text[self.end :].lstrip()
            self.token, self.start = "", len(self.text) - len(rest)
            if rest:
                raise self.fail(f"{rest[0]!r} is no part of a formula")
        else:
            self.token, self.end = found[1] or found[2], found.end()
            self.start = self.end - len(self.token)
        return before

    def enter(self) -> str:
        """`advance` over something that makes the formula larger."""
        self.size += 1
        if self.size > LARGEST:
            raise self.fail(f"a formula may have {LARGEST} connectives, quantifiers, brackets and functions")
        return self.advance()

    def fail(self, message: str) -> FolSyntaxError:
        return FolSyntaxError(message, self.text, self.start)

    def missing(self, what: str) -> FolSyntaxError:
        return self.fail(f"{what} is missing here" + (f", before {self.token!r}" if self.token else ""))

    def close(self, what: str) -> None:
        if self.token != ")":
            raise self.missing(f"')' of {what}")
        self.advance()

    @property
    def named(self) -> bool:
        """Whether the current token is a name."""
        return self.token not in self.marks.quantifiers and re.fullmatch(r"\w+", self.token) is not None

    def formula(self, level: int, bound: frozenset[str]) -> Formula:
        """A formula whose connectives outside brackets bind at least as closely as `_BINDS[level]`."""
        left = self.unary(bound)
        while (kind := self.marks.joins.get(self.token)) and (place := _BINDS.index(kind)) >= level:
            self.enter()
            left = Binary(kind, left, self.formula(place + (kind != "implies"), bound))
        return left

    def unary(self, bound: frozenset[str]) -> Formula:
        if self.token in self.marks.negation:
            self.enter()
            return Not(self.unary(bound))
        if self.token in self.marks.quantifiers:
            kind = self.marks.quantifiers[self.enter()]
            if not self.named:
                raise self.missing("the name of the quantified variable")
            name = self.advance()
            if self.token == ".":
                self.advance()
            return Quantified(kind, name, self.formula(0, bound | {name}))
        if self.token == "(":
            self.enter()
            inner = self.formula(0, bound)
            self.close("a bracket")
            return inner
        return self.atom(bound)

    def atom(self, bound: frozenset[str]) -> Formula:
        if not self.named:
            raise self.missing("a formula")
        start, (name, args) = self.start, self.applied(bound)
        if self.token in ("=", "!="):
            same = self.advance() == "="
            identity = Atom(EQUALS, (_made(name, args, bound), self.term(bound)))
            return identity if same else Not(identity)
        if name in bound and args is None:
            self.start = start
            raise self.fail(f"{name!r} is a variable, and a formula is needed here")
        return Atom(name, args or ())

    def applied(self, bound: frozenset[str]) -> tuple[str, tuple[Term, ...] | None]:
        """A name with its arguments; None for one without brackets."""
        name = self.advance()
        if self.token != "(":
            return name, None
        self.enter()
        args = [self.term(bound)]
        while self.token == ",":
            self.advance()
            args.append(self.term(bound))
        self.close("a list of arguments")
        return name, tuple(args)

    def term(self, bound: frozenset[str]) -> Term:
        if not self.named:
            raise self.missing("a term")
        return _made(*self.applied(bound), bound)


def _made(name: str, args: tuple[Term, ...] | None, bound: frozenset[str]) -> Term:
    if args is not None:
        return App(name, args)
    return Var(name) if name in bound or _VARIABLE.fullmatch(name) else App(name)
