"""Finite models: a finder that shares nothing with the provers, to check them and to show why something does not follow.

Formulas are written out over a domain of so many things, made propositional (Tseitin 1968), and decided by unit propagation and
backtracking (Davis, Logemann and Loveland 1962).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ponder.core.errors import InputError, PonderError
from ponder.logic.clauses import clauses_of
from ponder.logic.formula import EQUALS, Atom, Binary, Formula, Not, Quantified, Term, Var, check_signature, closed
from ponder.logic.satisfying import satisfying

MOST = 200_000
"""Parts that formulas may have when they are written out over a domain."""

Things = tuple[int, ...]


class ModelTooLarge(PonderError):
    """Formulas over a domain of the size that was asked for have too many parts."""


@dataclass(frozen=True)
class Model:
    """An interpretation over the things 0 to size - 1.

    Attributes:
        size: how many things there are.
        functions: (name, arguments) -> value; of constants the arguments are (). Pairs that no formula needs may be missing.
        predicates: the (name, arguments) that hold.
    """

    size: int
    functions: Mapping[tuple[str, Things], int]
    predicates: frozenset[tuple[str, Things]]

    def satisfies(self, formula: Formula) -> bool:
        """Whether a formula, universally closed, holds here. A missing value of a function is 0."""
        return self._holds(closed(formula), {})

    def _holds(self, formula: Formula, values: Mapping[str, int]) -> bool:
        match formula:
            case Atom():
                args = tuple(self._value(t, values) for t in formula.args)
                return args[0] == args[1] if formula.name == EQUALS else (formula.name, args) in self.predicates
            case Not():
                return not self._holds(formula.body, values)
            case Quantified():
                each = (self._holds(formula.body, {**values, formula.variable: i}) for i in range(self.size))
                return all(each) if formula.kind == "all" else any(each)
            case Binary():
                a, b = self._holds(formula.left, values), self._holds(formula.right, values)
                return {"and": a and b, "or": a or b, "xor": a != b, "implies": not a or b, "iff": a == b}[formula.kind]

    def _value(self, term: Term, values: Mapping[str, int]) -> int:
        if isinstance(term, Var):
            return values[term.name]
        return self.functions.get((term.name, tuple(self._value(t, values) for t in term.args)), 0)


def find_model(formulas: Sequence[Formula], largest: int = 4) -> Model | None:
    """The smallest model of formulas that has at most so many things; None if none has.

    Raises:
        InputError: no size, or a size below 1.
        SignatureError: a symbol that is used in two ways.
        ModelTooLarge: the formulas are too many to be written out.
    """
    if largest < 1:
        raise InputError(f"a model has at least 1 thing, not {largest}")
    check_signature(formulas)
    for size in range(1, largest + 1):
        model = _Writer(size).model(formulas)
        if model is not None:
            return model
    return None


def counterexample(premises: Sequence[Formula], conclusion: Formula, largest: int = 4) -> Model | None:
    """A model of the premises in which the conclusion fails; None if none has at most so many things. Errors as `find_model`."""
    return find_model([*premises, Not(closed(conclusion))], largest)


def follows(premises: Sequence[Formula], goal: Formula, largest: int = 4) -> bool | None:
    """Whether premises entail a goal, by models alone.

    False with a counterexample; True without one if `enough` bounds the size that one would have; else None, after `largest` things.
    """
    bound = enough([*premises, Not(closed(goal))])
    if counterexample(premises, goal, bound or largest) is not None:
        return False
    return None if bound is None else True


def enough(formulas: Sequence[Formula]) -> int | None:
    """A size that the smallest model does not exceed, if there is any model; None if there is no such bound.

    Formulas whose clauses have constants only (Bernays and Schönfinkel 1928) have a model over their constants if they have one.
    """
    constants: set[str] = set()
    for clause in clauses_of(formulas):
        for term in (term for _, atom in clause for term in atom[1:] if not isinstance(term, int)):
            if len(term) > 1:
                return None
            constants.add(term[0])
    return max(1, len(constants))


class _Writer:
    """Formulas over a domain of one size, as clauses of whole numbers: n and -n are a proposition and its negation."""

    def __init__(self, size: int) -> None:
        self.size, self.clauses = size, list[list[int]]()
        self.cells: dict[tuple[str, Things, int], int] = {}
        """(function, arguments, value) or (predicate, arguments, -1) -> proposition."""
        self.constants, self.count, self.left = 0, 1, MOST
        self.clauses.append([1])  # proposition 1 is true

    def model(self, formulas: Sequence[Formula]) -> Model | None:
        for formula in formulas:
            self.clauses.append([self.literal(closed(formula), {})])
        true = satisfying(self.clauses, self.count)
        if true is None:
            return None
        there = [cell for cell, proposition in self.cells.items() if true[proposition]]
        functions = {(name, args): value for name, args, value in there if value >= 0}
        return Model(self.size, functions, frozenset((name, args) for name, args, value in there if value < 0))

    def literal(self, formula: Formula, values: Mapping[str, int]) -> int:
        """A literal that is true exactly where the formula holds."""
        self.spend()
        match formula:
            case Atom():
                return self.either([self.every(parts) for parts in self.atom(formula, values)])
            case Not():
                return -self.literal(formula.body, values)
            case Quantified():
                each = [self.literal(formula.body, {**values, formula.variable: i}) for i in range(self.size)]
                return self.every(each) if formula.kind == "all" else self.either(each)
            case Binary():
                a, b = self.literal(formula.left, values), self.literal(formula.right, values)
                if formula.kind in ("xor", "iff"):
                    same = self.either([self.every([a, b]), self.every([-a, -b])])
                    return same if formula.kind == "iff" else -same
                return self.every([a, b]) if formula.kind == "and" else self.either([-a if formula.kind == "implies" else a, b])

    def atom(self, atom: Atom, values: Mapping[str, int]) -> list[list[int]]:
        """The cases in which an atom holds, each a list of literals that hold together."""
        found: list[list[int]] = []
        for cases in product(*(self.cases(t, values) for t in atom.args)):
            self.spend(len(cases))
            args, guards = tuple(value for value, _ in cases), [g for _, gs in cases for g in gs]
            if atom.name != EQUALS:
                found.append([*guards, self.cell(atom.name, args, -1)])
            elif args[0] == args[1]:
                found.append(guards)
        return found

    def cases(self, term: Term, values: Mapping[str, int]) -> list[tuple[int, list[int]]]:
        """Each value that a term may have, with the literals under which it has it."""
        if isinstance(term, Var):
            return [(values[term.name], [])]
        found: list[tuple[int, list[int]]] = []
        for inner in product(*(self.cases(t, values) for t in term.args)):
            self.spend(len(inner))
            args, guards = tuple(value for value, _ in inner), [g for _, gs in inner for g in gs]
            self.function(term.name, args)
            found += [(v, [*guards, self.cell(term.name, args, v)]) for v in range(self.size) if (term.name, args, v) in self.cells]
        return found

    def function(self, name: str, args: Things) -> None:
        """See to it that a function has exactly one value for arguments. The n-th constant is one of the first n things: they are alike."""
        if (name, args, 0) in self.cells:
            return
        self.constants += not args
        choices = [self.cell(name, args, v) for v in range(self.size if args else min(self.size, self.constants))]
        self.clauses.append(choices)
        self.clauses += [[-a, -b] for i, a in enumerate(choices) for b in choices[:i]]

    def cell(self, name: str, args: Things, value: int) -> int:
        key = (name, args, value)
        if key not in self.cells:
            self.cells[key] = self.fresh()
        return self.cells[key]

    def fresh(self) -> int:
        self.spend()
        self.count += 1
        return self.count

    def spend(self, parts: int = 1) -> None:
        self.left -= parts
        if self.left < 0:
            raise ModelTooLarge(f"the formulas have more than {MOST} parts over {self.size} things")

    def every(self, literals: Sequence[int]) -> int:
        """A literal that is true exactly where all of the literals are."""
        parts = [x for x in dict.fromkeys(literals) if x != 1]
        if -1 in parts:
            return -1
        if len(parts) < 2:
            return parts[0] if parts else 1
        new = self.fresh()
        self.clauses += [[-new, x] for x in parts]
        self.clauses.append([new, *(-x for x in parts)])
        return new

    def either(self, literals: Sequence[int]) -> int:
        return -self.every([-x for x in literals])
