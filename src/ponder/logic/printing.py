"""Problems for other provers: TPTP's first-order form and SMT-LIB. Names are quoted, so that nothing in them can be read as syntax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ponder.logic.formula import EQUALS, Atom, Binary, Formula, Not, Quantified, Term, Var, check_signature, closed

_TPTP = {"and": "&", "or": "|", "xor": "<~>", "implies": "=>", "iff": "<=>", "all": "!", "some": "?"}
_SMT = {"and": "and", "or": "or", "xor": "xor", "implies": "=>", "iff": "=", "all": "forall", "some": "exists"}


def to_tptp(premises: Sequence[Formula], conclusion: Formula) -> str:
    """The question whether premises entail a conclusion, as TPTP FOF; free variables are universally closed."""
    lines = [f"fof(p{i},axiom,{_tptp(closed(f), {})})." for i, f in enumerate(premises)]
    return "\n".join([*lines, f"fof(goal,conjecture,{_tptp(closed(conclusion), {})}).", ""])


def to_smtlib(premises: Sequence[Formula], conclusion: Formula) -> str:
    """Premises and the negated conclusion as SMT-LIB over one sort: unsatisfiable exactly if the premises entail the conclusion.

    Raises:
        SignatureError: a symbol that is used in two ways.
    """
    lines = ["(declare-sort U 0)"]
    for name, (kind, arity) in check_signature([*premises, conclusion]).items():
        lines.append(f"(declare-fun {_smt_name(name)} ({' '.join(['U'] * arity)}) {'Bool' if kind == 'predicate' else 'U'})")
    asserted = [*map(closed, premises), Not(closed(conclusion))]
    return "\n".join([*lines, *(f"(assert {_smt(f, {})})" for f in asserted), ""])


def _ascii(name: str) -> str:
    """A name in ASCII; two names never become one, for names hold no braces."""
    return "".join(c if c.isascii() else f"{{{ord(c):x}}}" for c in name)


def _tptp(formula: Formula, bound: Mapping[str, int]) -> str:
    match formula:
        case Atom("=", (left, right)):
            return f"({_tptp_term(left, bound)} = {_tptp_term(right, bound)})"
        case Atom():
            return _tptp_applied(formula.name, formula.args, bound)
        case Not():
            return f"~ {_tptp(formula.body, bound)}"
        case Binary():
            return f"({_tptp(formula.left, bound)} {_TPTP[formula.kind]} {_tptp(formula.right, bound)})"
        case Quantified():
            number, inside = _with(bound, formula.variable)
            return f"({_TPTP[formula.kind]} [X{number}] : {_tptp(formula.body, inside)})"


def _tptp_term(term: Term, bound: Mapping[str, int]) -> str:
    return f"X{bound[term.name]}" if isinstance(term, Var) else _tptp_applied(term.name, term.args, bound)


def _tptp_applied(name: str, args: tuple[Term, ...], bound: Mapping[str, int]) -> str:
    inner = ",".join(_tptp_term(t, bound) for t in args)
    return f"'{_ascii(name)}'" + (f"({inner})" if args else "")


def _smt_name(name: str) -> str:
    # The dot keeps a symbol from being one of the language's own, which quoting alone does not.
    return f"|.{_ascii(name)}|"


def _smt(formula: Formula, bound: Mapping[str, int]) -> str:
    match formula:
        case Atom():
            return _smt_applied("=" if formula.name == EQUALS else _smt_name(formula.name), formula.args, bound)
        case Not():
            return f"(not {_smt(formula.body, bound)})"
        case Binary():
            return f"({_SMT[formula.kind]} {_smt(formula.left, bound)} {_smt(formula.right, bound)})"
        case Quantified():
            number, inside = _with(bound, formula.variable)
            return f"({_SMT[formula.kind]} ((x{number} U)) {_smt(formula.body, inside)})"


def _smt_term(term: Term, bound: Mapping[str, int]) -> str:
    return f"x{bound[term.name]}" if isinstance(term, Var) else _smt_applied(_smt_name(term.name), term.args, bound)


def _smt_applied(head: str, args: tuple[Term, ...], bound: Mapping[str, int]) -> str:
    return f"({head} {' '.join(_smt_term(t, bound) for t in args)})" if args else head


def _with(bound: Mapping[str, int], variable: str) -> tuple[int, dict[str, int]]:
    """The number of a variable that is bound here, above all numbers around it, and the numbers inside."""
    number = max(bound.values(), default=-1) + 1
    return number, {**bound, variable: number}
