"""Small worlds of facts and rules with questions whose answer is known: theories of ProofWriter's shapes under the open world.

Facts say that somebody has an attribute or stands in a relation to somebody, or does not; rules conclude such a claim from one or two
others. Each predicate is only ever asserted with one sign. Read with its sign as part of its name, every rule is then a definite clause:
forward chaining finds exactly what first-order logic entails, and nothing contradicts anything (tested against provers).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from ponder.core.errors import InputError
from ponder.logic.formula import App, Atom, Binary, Formula, Not, Quantified, Term, Var, conjunction

Label = Literal["True", "False", "Uncertain"]
LABELS: tuple[Label, ...] = ("True", "False", "Uncertain")

SOMEONE = "x"
"""Who a rule speaks of; it stands for everybody."""
DEEPEST = 5
NAMES = ("Anne", "Bob", "Carl", "Dora", "Emil", "Fay")
ATTRIBUTES = ("kind", "big", "rough", "green", "quiet", "young", "smart", "cold", "round", "happy")
RELATIONS = ("like", "see", "need", "chase")


@dataclass(frozen=True)
class Claim:
    """That a predicate holds of one or two named things, or does not.

    Attributes:
        predicate: an attribute or a relation.
        args: whom it is about; in rules the first is `SOMEONE`.
        positive: whether it holds.
    """

    predicate: str
    args: tuple[str, ...]
    positive: bool = True

    @property
    def opposite(self) -> Claim:
        return replace(self, positive=not self.positive)

    def about(self, name: str) -> Claim:
        """The claim with a name in the place of `SOMEONE`."""
        return replace(self, args=tuple(name if a == SOMEONE else a for a in self.args))

    @property
    def formula(self) -> Formula:
        """The claim in first-order logic; predicates are capitalised: Kind(Bob), Like(Bob, Anne)."""
        terms: tuple[Term, ...] = tuple(Var(a) if a == SOMEONE else App(a) for a in self.args)
        atom = Atom(self.predicate.capitalize(), terms)
        return atom if self.positive else Not(atom)


@dataclass(frozen=True)
class Rule:
    """Whoever the conditions are true of, the conclusion is true of."""

    conditions: tuple[Claim, ...]
    conclusion: Claim

    @property
    def formula(self) -> Formula:
        body = conjunction(c.formula for c in self.conditions)
        assert body is not None
        return Quantified("all", SOMEONE, Binary("implies", body, self.conclusion.formula))


@dataclass(frozen=True)
class Theory:
    """Facts and rules."""

    facts: tuple[Claim, ...]
    rules: tuple[Rule, ...]

    @property
    def formulas(self) -> tuple[Formula, ...]:
        return (*(f.formula for f in self.facts), *(r.formula for r in self.rules))

    def depths(self) -> dict[Claim, int]:
        """Every claim that follows, with the fewest rounds of forward chaining that reach it; facts have 0."""
        names = dict.fromkeys(a for c in (*self.facts, *(r.conclusion for r in self.rules)) for a in c.args if a != SOMEONE)
        steps = [(tuple(c.about(n) for c in rule.conditions), rule.conclusion.about(n)) for rule in self.rules for n in names]
        found: dict[Claim, int] = dict.fromkeys(self.facts, 0)
        depth = 0
        while new := {end: None for conditions, end in steps if end not in found and all(c in found for c in conditions)}:
            depth += 1
            found |= dict.fromkeys(new, depth)
        return found


@dataclass(frozen=True)
class Question:
    """A claim asked of a theory.

    Attributes:
        theory: the premises.
        claim: what is asked.
        label: what follows of it.
        depth: rounds of forward chaining that decide it; of an "Uncertain" one, rounds that would if one fact were not missing.
    """

    theory: Theory
    claim: Claim
    label: Label
    depth: int


def label_of(claim: Claim, known: Iterable[Claim]) -> Label:
    """What claims that follow say of a claim."""
    there = set(known)
    return "True" if claim in there else "False" if claim.opposite in there else "Uncertain"


@dataclass(frozen=True)
class Sizes:
    """How large theories are; the ends of ranges are included.

    Attributes:
        facts, rules: how many, at least and at most.
        names, attributes, relations: how many of the words a theory uses.
    """

    facts: tuple[int, int] = (6, 12)
    rules: tuple[int, int] = (4, 8)
    names: int = 4
    attributes: int = 7
    relations: int = 2

    def __post_init__(self) -> None:
        fits = 1 <= self.names <= len(NAMES) and 1 <= self.attributes <= len(ATTRIBUTES) and 0 <= self.relations <= len(RELATIONS)
        if not fits or not 2 <= self.facts[0] <= self.facts[1] or not 1 <= self.rules[0] <= self.rules[1]:
            raise InputError(f"theories need at least 2 facts, 1 rule and words that there are, not {self}")


def question(depth: int, label: Label, rng: np.random.Generator, sizes: Sizes | None = None) -> Question:
    """A random theory and a claim of a given depth and label.

    The deepest claim that follows has the asked depth, or up to 2 if that is less, so that theories for shallow questions are alike.
    An "Uncertain" claim is one that followed, at this depth, before a fact that it needs was taken away; its sign is random. Of the other
    theories a fact that the claim does not need is taken away, so that nothing but what follows tells the labels apart.

    Raises:
        InputError: another label, or a depth outside 0 to 5 or above the number of rules.
    """
    sizes = sizes or Sizes()
    if label not in LABELS or not 0 <= depth <= min(DEEPEST, sizes.rules[1]):
        raise InputError(f"a question has a depth of 0 to {min(DEEPEST, sizes.rules[1])} and a label of {LABELS}, not {depth}, {label!r}")
    while True:
        theory = _theory(depth, rng, sizes)
        known = theory.depths()
        at_depth = [c for c, d in known.items() if d == depth]
        if not at_depth or max(known.values()) > max(depth, 2):
            continue
        claim = at_depth[int(rng.integers(len(at_depth)))]
        weaker = _without(theory, claim, None if label == "Uncertain" else depth, rng)
        if weaker is not None:
            positive = label == "True" or (label == "Uncertain" and rng.random() < 0.5)
            return Question(weaker, claim if positive else claim.opposite, label, depth)


def _without(theory: Theory, claim: Claim, depth: int | None, rng: np.random.Generator) -> Theory | None:
    """The theory with one fact taken away, after which a claim has a given depth (None: does not follow); None if no fact does that."""
    for i in rng.permutation(len(theory.facts)):
        weaker = replace(theory, facts=(*theory.facts[:i], *theory.facts[i + 1 :]))
        if weaker.depths().get(claim) == depth:
            return weaker
    return None


def _theory(depth: int, rng: np.random.Generator, sizes: Sizes) -> Theory:
    """A random theory that is likely to have a claim of the depth: some of its rules follow on each other, from a fact that is there."""
    names = _some(NAMES, sizes.names, rng)
    predicates = [(p, 1) for p in _some(ATTRIBUTES, sizes.attributes, rng)] + [(p, 2) for p in _some(RELATIONS, sizes.relations, rng)]
    signs = {p: bool(rng.random() < 0.5) for p, _ in predicates}

    def claim(subject: str) -> Claim:
        predicate, arity = predicates[int(rng.integers(len(predicates)))]
        return Claim(predicate, (subject, *_some(names, arity - 1, rng)), signs[predicate])

    spine: list[Claim] = []
    while len(spine) < depth + 1:
        spine = list(dict.fromkeys([*spine, claim(SOMEONE)]))
    rules: list[Rule] = []
    for before, after in pairwise(spine):
        extra = [claim(SOMEONE)] if rng.random() < 0.4 else []
        rules.append(Rule(tuple(c for c in dict.fromkeys([before, *extra]) if c != after), after))
    count = int(rng.integers(max(sizes.rules[0], depth), sizes.rules[1] + 1))
    while len(rules) < count:
        conclusion = claim(SOMEONE)
        conditions = tuple(c for c in dict.fromkeys(claim(SOMEONE) for _ in range(int(rng.integers(1, 3)))) if c != conclusion)
        if conditions and Rule(conditions, conclusion) not in rules:
            rules.append(Rule(conditions, conclusion))
    hero = names[int(rng.integers(len(names)))]
    facts = [spine[0].about(hero), *(c.about(hero) for r in rules[:depth] for c in r.conditions[1:])]
    wanted = 1 + int(rng.integers(sizes.facts[0], sizes.facts[1] + 1))  # one of them will be taken away
    while len(facts := [f for f in dict.fromkeys(facts) if len(set(f.args)) == len(f.args)]) < wanted:
        facts.append(claim(names[int(rng.integers(len(names)))]))
    return Theory(_shuffled(facts, rng), _shuffled(rules, rng))


def _some(words: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    return [words[int(i)] for i in rng.permutation(len(words))[:n]]


def _shuffled(items: Sequence, rng: np.random.Generator) -> tuple:
    return tuple(items[int(i)] for i in rng.permutation(len(items)))
