"""Theories in English. Claims and rules can be said in several ways, some of them rare on purpose: a translator may not know those."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ponder.logic.theories import Claim, Question, Rule

THIRD = {"like": "likes", "see": "sees", "need": "needs", "chase": "chases"}
PARTICIPLE = {"like": "liked", "see": "seen", "need": "needed", "chase": "chased"}


@dataclass(frozen=True)
class Wording:
    """How often which way of saying a thing is taken.

    Attributes:
        plain: the share of claims said plainly and of rules that begin with "If someone"; the rest is divided over the other common ways.
        rare: the share of sentences said in a rare way, where there is one.
    """

    plain: float = 0.7
    rare: float = 0.05


PLAIN = Wording(1.0, 0.0)


def claim_text(claim: Claim, way: str = "plain") -> str:
    """A claim about named things as a sentence: "plain", "passive" (relations only) or "framed" ("It is true that ...")."""
    if way == "framed":
        return f"It is {'true' if claim.positive else 'false'} that {_clause(claim if claim.positive else claim.opposite)}."
    if way == "passive":
        subject, other = claim.args
        return f"{other} is {'' if claim.positive else 'not '}{PARTICIPLE[claim.predicate]} by {subject}."
    return f"{_clause(claim)}."


def rule_text(rule: Rule, way: str = "if") -> str:
    """A rule as a sentence: "if" (conditions first), "who" ("Someone who ...") or "last" (conclusion first)."""
    singular = " and ".join(_singular(c) for c in rule.conditions)
    if way == "who":
        return f"Someone who {singular} {_singular(rule.conclusion)}."
    if way == "last":
        return f"Someone {_singular(rule.conclusion)} if they {' and '.join(_plural(c) for c in rule.conditions)}."
    return f"If someone {singular} then they {_plural(rule.conclusion)}."


def _clause(claim: Claim) -> str:
    return f"{claim.args[0]} {_singular(claim)}"


def _singular(claim: Claim) -> str:
    """What is said of one subject: "is not kind", "likes Anne"."""
    if len(claim.args) == 1:
        return f"is {'' if claim.positive else 'not '}{claim.predicate}"
    return f"{THIRD[claim.predicate] if claim.positive else 'does not ' + claim.predicate} {claim.args[1]}"


def _plural(claim: Claim) -> str:
    """What is said of "they": "are not kind", "like Anne"."""
    if len(claim.args) == 1:
        return f"are {'' if claim.positive else 'not '}{claim.predicate}"
    return f"{'' if claim.positive else 'do not '}{claim.predicate} {claim.args[1]}"


def ways(said: Claim | Rule) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The common ways of saying a thing, the plain one first, and the rare ones.

    Rare ways put together what is common apart: "passive" is common for what holds and rare for what does not, "framed" is common for
    attributes and rare for relations, "last" is common for one condition and rare for two.
    """
    if isinstance(said, Rule):
        return (("if", "who", "last"), ()) if len(said.conditions) == 1 else (("if", "who"), ("last",))
    if len(said.args) == 1:
        return ("plain", "framed"), ()
    return (("plain", "passive"), ("framed",)) if said.positive else (("plain",), ("passive", "framed"))


def sentence(said: Claim | Rule, wording: Wording, rng: np.random.Generator) -> str:
    """A thing said in a random way."""
    common, rare = ways(said)
    if rare and rng.random() < wording.rare:
        way = rare[int(rng.integers(len(rare)))]
    else:
        way = common[0] if rng.random() < wording.plain or len(common) == 1 else common[1 + int(rng.integers(len(common) - 1))]
    return rule_text(said, way) if isinstance(said, Rule) else claim_text(said, way)


def said(asked: Question, wording: Wording, rng: np.random.Generator) -> list[tuple[str, Claim | Rule]]:
    """The premises of a question, facts and rules in one random order, then its claim, each in a random way with what it says."""
    premises: list[Claim | Rule] = [*asked.theory.facts, *asked.theory.rules]
    ordered = [premises[int(i)] for i in rng.permutation(len(premises))]
    return [(sentence(item, wording, rng), item) for item in (*ordered, asked.claim)]


def sentences(asked: Question, wording: Wording, rng: np.random.Generator) -> tuple[tuple[str, ...], str]:
    """The premises of a question and its claim, as sentences."""
    *premises, claim = (text for text, _ in said(asked, wording, rng))
    return tuple(premises), claim
