"""Logical inconsistency: can two statements be true together?

Liu et al. 2024 (arXiv 2410.21333), task 4. Statements are about all, some or none of the things of a kind, perhaps only those with or
without a second property. The truth is found by enumeration: three properties make eight types of things, and a model is which of the types
exist, so 256 models are all there are to try. Pairs whose truth depends on whether such things exist are not used: people differ there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, Literal

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.tasks.base import Maker, Task
from ponder.tasks.mind_your_step.drawn import drawn_task

KIND = "inconsistency"
Quantifier = Literal["every", "some", "no"]
_TYPES = tuple(product((False, True), repeat=3))

NOUNS = ("bird", "book", "house", "boat", "garden", "letter", "bridge", "coat", "lamp", "village")
SECOND = ("old", "red", "small", "famous", "wooden", "foreign")
THIRD = ("expensive", "well kept", "on the list", "known to the mayor", "more than a mile away", "insured")


@dataclass(frozen=True)
class Statement:
    """ "every bird that is old is insured"; properties are places in (kind, second, third).

    Attributes:
        quantifier: every, some or no.
        restrict: whether things of the kind with the second property are meant (True), or without it (False), or all of them (None).
        positive: whether the third property is said, or that it is lacking.
    """

    quantifier: Quantifier
    restrict: bool | None
    positive: bool

    def holds(self, model: int) -> bool:
        """Whether the statement is true where just the types exist whose bits are set, of 8."""
        meant = [t for i, t in enumerate(_TYPES) if model >> i & 1 and t[0] and self.restrict in (None, t[1])]
        having = [t[2] == self.positive for t in meant]
        return all(having) if self.quantifier == "every" else any(having) if self.quantifier == "some" else not any(having)

    def text(self, noun: str, second: str, third: str) -> str:
        """The statement in English."""
        which = "" if self.restrict is None else f" that is {'' if self.restrict else 'not '}{second}"
        return f"{self.quantifier.capitalize()} {noun}{which} is {'' if self.positive else 'not '}{third}."


STATEMENTS = tuple(Statement(q, r, p) for q in ("every", "some", "no") for r in (None, True, False) for p in (True, False))


def consistent(a: Statement, b: Statement, existing: bool) -> bool:
    """Whether some model makes both true.

    Args:
        a, b: the statements, about the same three properties.
        existing: only models in which things of the kind exist with the second property and without it.
    """
    models = (m for m in range(2**8) if not existing or _populated(m))
    return any(a.holds(m) and b.holds(m) for m in models)


def _populated(model: int) -> bool:
    return {t[1] for i, t in enumerate(_TYPES) if model >> i & 1 and t[0]} == {False, True}


@cache
def settled_pairs() -> tuple[list[tuple[Statement, Statement]], list[tuple[Statement, Statement]]]:
    """Pairs of different statements that are consistent, and that are not, whether or not things must exist."""
    found: tuple[list[tuple[Statement, Statement]], list[tuple[Statement, Statement]]] = ([], [])
    for a, b in product(STATEMENTS, repeat=2):
        truths = {consistent(a, b, existing) for existing in (False, True)}
        if a != b and len(truths) == 1:
            found[0 if truths.pop() else 1].append((a, b))
    return found


def _make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    n = options["n"]
    if n % 2:
        raise InputError(f"{KIND}: n must be even, not {n}: each pair is asked about twice")
    sides = settled_pairs()

    def one(number: int) -> tuple[Problem, str]:
        pair, asked = divmod(number, 2)
        rng = generator(seed, ("tasks", KIND, pair))
        fits = pair % 2 == 0
        side = sides[0 if fits else 1]
        a, b = side[int(rng.integers(len(side)))]
        words = tuple(group[int(rng.integers(len(group)))] for group in (NOUNS, SECOND, THIRD))
        question = "Do these two statements contradict each other?" if asked else "Can these two statements both be true?"
        text = f"1. {a.text(*words)}\n2. {b.text(*words)}\n\n{question}"
        data = {"asks": "contradiction" if asked else "fit"}
        return Problem(text, reads="boolean", data=data), "yes" if fits != bool(asked) else "no"

    return drawn_task(INCONSISTENCY.about, one, kind=KIND, n=n, most=4000, limit=limit, seed=seed, guess=0.5)


INCONSISTENCY = Maker(
    "can two statements on all, some or no things both be true? each pair is asked about twice, for fit and for contradiction",
    _make,
    {"n": (400, "how many questions, two of each pair")},
)
