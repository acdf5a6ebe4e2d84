"""Clausal form: formulas as sets of clauses that have a model exactly if the formulas have one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ponder.core.errors import PonderError
from ponder.logic.formula import EQUALS, Atom, Binary, Formula, Not, Quantified, Term, Var, check_signature, closed

Inner = int | tuple[Any, ...]
"""A term or an atom: a variable is a number, anything else a tuple of its name and its arguments."""
Literal = tuple[bool, Any]
"""Whether it is affirmed, and an atom."""
Clause = tuple[Literal, ...]

MOST = 5000
"""Parts that formulas may have on the way to clauses: equivalences inside each other double them."""


class TooLarge(PonderError):
    """Formulas have too many clauses to be worked with."""


def clauses_of(formulas: Sequence[Formula]) -> list[Clause]:
    """Clauses of formulas, free variables universally closed, with the axioms of equality where it is used.

    Raises:
        TooLarge: there would be too many.
        SignatureError: a symbol that is used in two ways.
    """
    maker = _Maker()
    found = [clause for formula in formulas for clause in maker.clauses(closed(formula), {}, True)]
    return [*(c for c in map(tuple, map(dict.fromkeys, found)) if not tautology(c)), *_equality(formulas)]


def tautology(clause: Clause) -> bool:
    """Whether a clause holds an atom and its negation, or that something is itself."""
    there = set(clause)
    return any((not sign, atom) in there or (sign and atom[0] == EQUALS and atom[1] == atom[2]) for sign, atom in clause)


class _Maker:
    """Negations inwards, existential variables as functions of the universal ones around them, and out of brackets."""

    def __init__(self) -> None:
        self.variables, self.skolems, self.left = 0, 0, MOST

    def clauses(self, formula: Formula, bound: Mapping[str, Inner], positive: bool) -> list[list[Literal]]:
        """Clauses of a formula or of its negation."""
        self.left -= 1
        if self.left < 0:
            raise TooLarge(f"the formulas have more than {MOST} parts in clausal form")
        match formula:
            case Atom():
                return [[(positive, (formula.name, *(_inner(t, bound) for t in formula.args)))]]
            case Not():
                return self.clauses(formula.body, bound, not positive)
            case Quantified():
                return self.clauses(formula.body, {**bound, formula.variable: self._value(formula, bound, positive)}, positive)
            case Binary("and" | "or" | "implies"):
                left = self.clauses(formula.left, bound, positive != (formula.kind == "implies"))
                right = self.clauses(formula.right, bound, positive)
                return [*left, *right] if (formula.kind == "and") == positive else self._either(left, right)
            case Binary():
                # Exactly one of two holds if one does and not both do; being equivalent is the negation.
                same = positive == (formula.kind == "iff")
                pairs = [(False, True), (True, False)] if same else [(True, True), (False, False)]
                sides = [(self.clauses(formula.left, bound, a), self.clauses(formula.right, bound, b)) for a, b in pairs]
                return [clause for left, right in sides for clause in self._either(left, right)]

    def _value(self, formula: Quantified, bound: Mapping[str, Inner], positive: bool) -> Inner:
        if (formula.kind == "all") == positive:
            self.variables += 1
            return self.variables - 1
        self.skolems += 1
        around = dict.fromkeys(v for value in bound.values() for v in variables_of(value))
        return (f"skolem {self.skolems}", *around)

    def _either(self, left: list[list[Literal]], right: list[list[Literal]]) -> list[list[Literal]]:
        self.left -= len(left) * len(right)
        if self.left < 0:
            raise TooLarge(f"the formulas have more than {MOST} parts in clausal form")
        return [[*a, *b] for a in left for b in right]


def _inner(term: Term, bound: Mapping[str, Inner]) -> Inner:
    return bound[term.name] if isinstance(term, Var) else (term.name, *(_inner(t, bound) for t in term.args))


def variables_of(value: Inner) -> Iterator[int]:
    """The variables of a term or atom, left to right, repeats included."""
    if isinstance(value, int):
        yield value
    else:
        for part in value[1:]:
            yield from variables_of(part)


def _equality(formulas: Sequence[Formula]) -> list[Clause]:
    """That "=" is an equivalence which every symbol respects, in one argument at a time; nothing where it is not used."""
    if not any(atom.name == EQUALS for formula in formulas for atom in _atoms(formula)):
        return []

    def same(a: Inner, b: Inner, sign: bool = False) -> Literal:
        return sign, (EQUALS, a, b)

    found: list[Clause] = [
        (same(0, 0, True),),
        (same(0, 1), same(1, 0, True)),
        (same(0, 1), same(1, 2), same(0, 2, True)),
    ]
    signature = check_signature(formulas)
    if sum(arity**2 for _, arity in signature.values()) > MOST:
        raise TooLarge("the formulas have symbols of too many arguments for the axioms of equality")
    for name, (kind, arity) in signature.items():
        for i in range(arity):
            before = (name, *range(2, 2 + arity))
            left, right = ((*before[: i + 1], x, *before[i + 2 :]) for x in (0, 1))
            found.append((same(0, 1), (False, left), (True, right)) if kind == "predicate" else (same(0, 1), same(left, right, True)))
    return found


def _atoms(formula: Formula) -> Iterator[Atom]:
    match formula:
        case Atom():
            yield formula
        case Not() | Quantified():
            yield from _atoms(formula.body)
        case Binary():
            yield from _atoms(formula.left)
            yield from _atoms(formula.right)
