"""A vote in which judges, or models, are believed as much as their agreement earns."""

import math

import pytest

from ponder.core.budget import Budget, Meter
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.stages.decide import vote


def context():
    lm = Scripted({"x": 1.0})
    return Context(problem=Problem("?"), meter=Meter(Budget(), lm.price), models={"m": lm})


def judged(value, **scores):
    return Candidate(value, value, finished=True, finish="stop", scores={j: math.log(p) for j, p in scores.items()})


def shares(population):
    return {c.value: round(float(w), 6) for c, w in zip(population.items, population.weights, strict=True)}


def test_a_judge_against_all_others_is_not_believed():
    """Three judges agree which two of six answers may be right, the fourth says the opposite of each: its scores must not count."""
    items = [
        judged(v, a=0.9 if v in "pq" else 0.1, b=0.8 if v in "pq" else 0.1, c=0.9 if v in "pq" else 0.2, d=0.1 if v in "pq" else 0.9)
        for v in "pqrstu"
    ]
    found = shares(vote(crowd="dawid_skene")(Population(tuple(items)), context()))
    assert found["p"] == found["q"] == pytest.approx(0.5, abs=0.05)
    assert sum(found.values()) == pytest.approx(1)


def test_number_of_candidates_is_the_prior_and_the_judges_bring_the_odds():
    """Two perfect agreeing judges under the one-coin model say nothing that tells p from q, so samples decide: 3 to 1."""
    items = [judged(v, a=0.9, b=0.9) for v in "pppq"] + [judged("r", a=0.1, b=0.1)]
    found = shares(vote(crowd="one_coin")(Population(tuple(items)), context()))
    assert found["p"] / found["q"] == pytest.approx(3, rel=1e-3)
    assert found["r"] < 1e-3


def test_models_vote_where_nothing_was_judged():
    items = [
        Candidate(v, v, finished=True, finish="stop", model=m) for m, drawn in (("a", "ppq"), ("b", "ppr"), ("c", "qqq")) for v in drawn
    ]
    found = vote(crowd="one_coin")(Population(tuple(items)), context())
    assert found.items[0].value == "p"
    assert shares(found)["p"] > 0.9


def test_without_a_crowd_it_is_the_plain_vote_and_says_so():
    items = (judged("p", a=0.9), judged("q", a=0.2), Candidate("?"))
    there = context()
    found = vote(crowd="dawid_skene")(Population(items), there)
    assert shares(found) == shares(vote()(Population(items), context()))
    assert any("no crowd" in note for note in there.trace.notes)


def test_candidates_without_an_answer_still_count_against_the_winner():
    items = [judged(v, a=0.9 if v == "p" else 0.1, b=0.9 if v == "p" else 0.1) for v in "pq"] + [Candidate("?"), Candidate("?")]
    found = shares(vote(crowd="one_coin")(Population(tuple(items)), context()))
    assert found[None] == pytest.approx(0.5)
    assert found["p"] == pytest.approx(0.5, abs=1e-3)


def test_it_is_written_like_any_other_term():
    assert str(parse("sample(4) | vote(crowd='dawid_skene')")) == "sample(4) | vote(crowd='dawid_skene')"
    with pytest.raises(InputError, match="crowd must be one of"):
        vote(crowd="david")
