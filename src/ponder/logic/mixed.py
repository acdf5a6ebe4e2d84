"""Random problems of FOLIO's shapes: quantified statements, exclusive and other choices, existence, a few named things.

Nothing about them is constructed to follow; what does is for a prover or a model finder to say.
"""

from __future__ import annotations

import numpy as np

from ponder.logic.formula import App, Atom, Binary, Formula, Not, Quantified, Term, Var

_NAMES = ("Ada", "Ben", "Cleo")
_UNARY = ("Artist", "Baker", "Climber", "Doctor", "Eager")
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
