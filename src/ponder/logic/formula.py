"""First-order formulas as values: what they are made of, their free variables, substitution, and the check of their symbols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ponder.core.errors import InputError

EQUALS = "="
"""The name of the predicate that is identity."""


@dataclass(frozen=True)
class Var:
    """A variable."""

    name: str


@dataclass(frozen=True)
class App:
    """A function applied to terms; a constant is one without arguments."""

    name: str
    args: tuple[Term, ...] = ()


Term = Var | App


@dataclass(frozen=True)
class Atom:
    """A predicate applied to terms; without arguments, a proposition. The name "=" is identity."""

    name: str
    args: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Not:
    """Negation."""

    body: Formula


@dataclass(frozen=True)
class Binary:
    """Two formulas joined: "and", "or", "xor" (exactly one), "implies", "iff"."""

    kind: str
    left: Formula
    right: Formula


@dataclass(frozen=True)
class Quantified:
    """A formula about "all" or "some" values of a variable."""

    kind: str
    variable: str
    body: Formula


Formula = Atom | Not | Binary | Quantified


class FolSyntaxError(InputError):
    """A text is no formula. Names the place.

    Attributes:
        text: what was parsed.
        position: index into `text` of the first character that is wrong, 0 <= position <= len(text).
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        self.text, self.position = text, max(0, min(position, len(text)))
        start = max(0, self.position - 60)
        shown = "".join(c if c.isprintable() else " " for c in text[start : self.position + 60])
        super().__init__(f"{message} (at character {self.position + 1})\n  {shown}\n  {' ' * (self.position - start)}^")


class SignatureError(InputError):
    """One symbol is used in two ways that exclude each other.

    Attributes:
        symbol: its name.
        uses: the ways, in words.
    """

    def __init__(self, symbol: str, uses: tuple[str, ...]) -> None:
        self.symbol, self.uses = symbol, uses
        super().__init__(f"{symbol!r} is used as {' and as '.join(uses)}; a symbol has one kind and one number of arguments")


def conjunction(formulas: Iterable[Formula]) -> Formula | None:
    """All of the formulas as one; None for none."""
    found: Formula | None = None
    for formula in formulas:
        found = formula if found is None else Binary("and", found, formula)
    return found


def free_variables(formula: Formula, bound: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Variables that no quantifier binds, in order of first appearance."""
    match formula:
        case Atom():
            names = [v for term in formula.args for v in variables(term) if v not in bound]
        case Not():
            names = list(free_variables(formula.body, bound))
        case Binary():
            names = [*free_variables(formula.left, bound), *free_variables(formula.right, bound)]
        case Quantified():
            names = list(free_variables(formula.body, bound | {formula.variable}))
    return tuple(dict.fromkeys(names))


def variables(term: Term) -> Iterator[str]:
    """The variables of a term, left to right, repeats included."""
    if isinstance(term, Var):
        yield term.name
    else:
        for inner in term.args:
            yield from variables(inner)


def closed(formula: Formula) -> Formula:
    """The formula with its free variables bound by "all" in front."""
    for name in reversed(free_variables(formula)):
        formula = Quantified("all", name, formula)
    return formula


Use = tuple[str, str, int]
"""A symbol's name, its kind ("predicate", "function", "constant") and its number of arguments."""


def uses(formula: Formula) -> Iterator[Use]:
    """How symbols are used, left to right, repeats included; "=" is left out."""
    match formula:
        case Atom():
            if formula.name != EQUALS:
                yield formula.name, "predicate", len(formula.args)
            for term in formula.args:
                yield from _term_uses(term)
        case Not() | Quantified():
            yield from uses(formula.body)
        case Binary():
            yield from uses(formula.left)
            yield from uses(formula.right)


def _term_uses(term: Term) -> Iterator[Use]:
    if isinstance(term, App):
        yield term.name, "function" if term.args else "constant", len(term.args)
        for inner in term.args:
            yield from _term_uses(inner)


def check_signature(formulas: Iterable[Formula]) -> dict[str, tuple[str, int]]:
    """Each symbol's kind and number of arguments.

    Raises:
        SignatureError: one symbol with two numbers of arguments, or both as a predicate and in a term.
    """
    known: dict[str, tuple[str, int]] = {}
    for formula in formulas:
        for name, kind, arity in uses(formula):
            before = known.setdefault(name, (kind, arity))
            if before != (kind, arity):
                raise SignatureError(name, (_use(*before), _use(kind, arity)))
    return known


def _use(kind: str, arity: int) -> str:
    return "a constant" if kind == "constant" else f"a {kind} of {arity} argument{'' if arity == 1 else 's'}"
