"""Theories whose answers are known: forward chaining against an independent model finder, and how questions are made and said."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.logic.english import PLAIN, Wording, claim_text, rule_text, sentences, ways
from ponder.logic.formula import Not, closed
from ponder.logic.models import counterexample, enough
from ponder.logic.syntax import text_of
from ponder.logic.theories import DEEPEST, LABELS, Claim, Question, Rule, Sizes, Theory, label_of, question


def drawn(n: int, seed: int = 0) -> list[Question]:
    rng = np.random.default_rng(seed)
    return [question(i % 6, LABELS[i // 6 % 3], rng) for i in range(n)]


def test_forward_chaining_finds_what_follows_and_nothing_else() -> None:
    """Both questions of 108 theories, by models that are large enough to decide them."""
    for asked in drawn(108):
        premises, goal = asked.theory.formulas, asked.claim.formula
        found = [counterexample(premises, g, enough([*premises, Not(closed(g))]) or 1) is None for g in (goal, Not(closed(goal)))]
        assert found == [asked.label == "True", asked.label == "False"]


def test_questions_have_the_label_and_the_depth_that_were_asked() -> None:
    for i, asked in enumerate(drawn(72, seed=1)):
        known = asked.theory.depths()
        assert asked.label == LABELS[i // 6 % 3] == label_of(asked.claim, known)
        assert asked.depth == i % 6
        if asked.label != "Uncertain":
            assert known[asked.claim if asked.label == "True" else asked.claim.opposite] == asked.depth
        assert max(known.values()) <= max(2, asked.depth)
        assert 6 <= len(asked.theory.facts) <= 12
        assert 4 <= len(asked.theory.rules) <= 8
        assert len(set(asked.theory.facts)) == len(asked.theory.facts)


def test_what_is_uncertain_is_one_fact_away() -> None:
    """Some missing claim would make it follow at its depth: so it cannot be told by its surroundings."""
    asked = question(2, "Uncertain", np.random.default_rng(3))
    names = sorted({n for f in asked.theory.facts for n in f.args})
    words = {c.predicate: len(c.args) for c in asked.theory.facts} | {
        c.predicate: len(c.args) for r in asked.theory.rules for c in (*r.conditions, r.conclusion)
    }
    pairs = [(n,) for n in names], [(a, b) for a in names for b in names]
    claims = [Claim(w, args, sign) for w, arity in words.items() for args in pairs[arity - 1] for sign in (True, False)]
    assert any(
        {asked.claim, asked.claim.opposite} & Theory((*asked.theory.facts, c), asked.theory.rules).depths().keys()
        for c in claims
        if c not in (asked.claim, asked.claim.opposite)
    )


def test_sizes_and_signs_do_not_tell_the_labels_apart() -> None:
    """Means over 240 questions a label; a difference of the number of facts of 4 standard errors is about .7."""
    rng = np.random.default_rng(4)
    by_label = {label: [question(i % 3, label, rng) for i in range(240)] for label in LABELS}
    facts = [np.mean([len(q.theory.facts) for q in qs]) for qs in by_label.values()]
    assert np.ptp(facts) < 0.7
    signs = [np.mean([q.claim.positive for q in qs]) for qs in by_label.values()]
    assert all(0.37 < s < 0.63 for s in signs)


def test_the_seed_decides() -> None:
    assert drawn(6, seed=5) == drawn(6, seed=5)
    assert drawn(6, seed=5) != drawn(6, seed=6)


def test_depths_count_rounds() -> None:
    kind, big, rough = (Claim(p, ("x",), p != "rough") for p in ("kind", "big", "rough"))
    theory = Theory((Claim("kind", ("Bob",)),), (Rule((big,), rough), Rule((kind,), big)))
    assert theory.depths() == {Claim("kind", ("Bob",)): 0, Claim("big", ("Bob",)): 1, Claim("rough", ("Bob",), False): 2}
    assert [text_of(f) for f in theory.formulas] == ["Kind(Bob)", "all x. (Big(x) -> -Rough(x))", "all x. (Kind(x) -> Big(x))"]


LIKES = Claim("like", ("Bob", "Anne"))
RULE = Rule((Claim("kind", ("x",)), Claim("like", ("x", "Anne"), False)), Claim("big", ("x",), False))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (claim_text(Claim("kind", ("Bob",), False)), "Bob is not kind."),
        (claim_text(Claim("kind", ("Bob",), False), "framed"), "It is false that Bob is kind."),
        (claim_text(LIKES), "Bob likes Anne."),
        (claim_text(LIKES.opposite), "Bob does not like Anne."),
        (claim_text(LIKES.opposite, "passive"), "Anne is not liked by Bob."),
        (claim_text(LIKES.opposite, "framed"), "It is false that Bob likes Anne."),
        (rule_text(RULE), "If someone is kind and does not like Anne then they are not big."),
        (rule_text(RULE, "who"), "Someone who is kind and does not like Anne is not big."),
        (rule_text(RULE, "last"), "Someone is not big if they are kind and do not like Anne."),
    ],
)
def test_wordings(text: str, expected: str) -> None:
    assert text == expected


def test_rare_wordings_come_as_often_as_asked() -> None:
    rng = np.random.default_rng(7)
    said = [(c, sentences(q, Wording(0.7, 0.0), rng)) for q in drawn(30) for c in [q]]
    for asked, (premises, claim) in said:
        assert len(premises) == len(asked.theory.facts) + len(asked.theory.rules)
        assert all(text.endswith(".") for text in (*premises, claim))
    asked = drawn(1)[0]
    assert sentences(asked, PLAIN, rng)[1] == claim_text(asked.claim)
    common, rare = ways(LIKES)
    assert (common, rare) == (("plain", "passive"), ("framed",))


@pytest.mark.parametrize("wrong", [{"depth": 6}, {"depth": -1}, {"label": "Maybe"}])
def test_bad_questions_are_refused(wrong: dict[str, object]) -> None:
    asked: dict[str, object] = {"depth": 1, "label": "True", **wrong}
    with pytest.raises(InputError, match="question"):
        question(rng=np.random.default_rng(0), **asked)  # pyright: ignore[reportArgumentType]
    assert DEEPEST == 5


@pytest.mark.parametrize(
    "sizes", [{"facts": (1, 5)}, {"facts": (6, 5)}, {"rules": (0, 3)}, {"names": 7}, {"attributes": 0}, {"relations": 5}]
)
def test_bad_sizes_are_refused(sizes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="theories need"):
        Sizes(**sizes)  # pyright: ignore[reportArgumentType]
