"""Random problems of FOLIO's shapes, in formulas and in English: quantified statements, choices of several kinds, existence, named things.

Nothing about them is constructed to follow; what does is for a prover or a model finder to say.
"""

from __future__ import annotations

import numpy as np

from ponder.logic.formula import App, Atom, Binary, Formula, Not, Quantified, Term, Var

_NAMES = ("Ada", "Ben", "Cleo")
_UNARY = ("Artist", "Baker", "Climber", "Doctor", "Engineer")
_BINARY = ("Knows", "Helps")
_X, _Y = Var("x"), Var("y")


def mixed_problem(rng: np.random.Generator) -> tuple[tuple[Formula, ...], Formula]:
    """Five to eight premises and a conclusion. Without function symbols, and with at most one premise whose clauses need them."""
    premises = [_statement(rng, general=bool(rng.random() < 0.6)) for _ in range(int(rng.integers(5, 9)))]
    if rng.random() < 0.15:
        premises[0] = Quantified("all", "x", Quantified("some", "y", Atom(_word(_BINARY, rng), (_X, _Y))))
    return tuple(premises), _statement(rng, general=bool(rng.random() < 0.2))


def _statement(rng: np.random.Generator, general: bool) -> Formula:
    """A statement about everybody or somebody, or about named things."""
    if not general:
        subject = App(_word(_NAMES, rng))
        return _literal(subject, rng) if rng.random() < 0.4 else _joined(subject, rng)
    if rng.random() < 0.2:
        return Quantified("some", "x", Binary("and", _literal(_X, rng), _literal(_X, rng)))
    condition = _literal(_X, rng) if rng.random() < 0.6 else Binary("and", _literal(_X, rng), _literal(_X, rng))
    conclusion = _literal(_X, rng) if rng.random() < 0.6 else _joined(_X, rng)
    return Quantified("all", "x", Binary("implies", condition, conclusion))


def _joined(subject: Term, rng: np.random.Generator) -> Formula:
    return Binary(_word(("and", "or", "xor", "implies", "iff"), rng), _literal(subject, rng), _literal(subject, rng))


def _literal(subject: Term, rng: np.random.Generator) -> Formula:
    if rng.random() < 0.25:
        other: Term = App(_word(_NAMES, rng))
        args = (subject, other) if rng.random() < 0.5 else (other, subject)
        atom = Atom(_word(_BINARY, rng), args)
    else:
        atom = Atom(_word(_UNARY, rng), (subject,))
    return Not(atom) if rng.random() < 0.35 else atom


def _word(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


_SAID = {
    "and": "{} and {}",
    "or": "{} or {}, or both",
    "xor": "Either {} or {}, but not both",
    "implies": "If {}, then {}",
    "iff": "{} if and only if {}",
}
_VERBS = {"Knows": "know", "Helps": "help"}


def mixed_sentence(formula: Formula) -> str:
    """A statement of such a problem as an English sentence."""
    return f"{_first_upper(_said(formula))}."


def _said(formula: Formula) -> str:
    match formula:
        case Quantified("all", _, Quantified("some", _, Atom(name, _))):
            return f"every person {name.lower()} some person"
        case Quantified("all", _, Binary("implies", condition, conclusion)):
            return f"if {_clauses(condition, 'a person')}, then {_clauses(conclusion, 'that person')}"
        case Quantified(_, _, body):
            return _clauses(body, "some person")
        case _:
            return _clauses(formula, "")


def _clauses(formula: Formula, subject: str) -> str:
    """A quantifier-free formula in words; where a variable stands first, `subject` does, and "that person" after it."""
    if isinstance(formula, Binary):
        text = _SAID[formula.kind].format(_clauses(formula.left, subject), _clauses(formula.right, "that person"))
        return text[:1].lower() + text[1:] if subject else text
    atom, positive = (formula.body, False) if isinstance(formula, Not) else (formula, True)
    assert isinstance(atom, Atom)
    first, *others = [subject if isinstance(t, Var) else t.name for t in atom.args]
    if not others:
        article = "an" if atom.name[0] in "AE" else "a"
        return f"{first} is {'' if positive else 'not '}{article} {atom.name.lower()}"
    verb = atom.name.lower() if positive else f"does not {_VERBS[atom.name]}"
    return f"{first} {verb} {others[0]}"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
