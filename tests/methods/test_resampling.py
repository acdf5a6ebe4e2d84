"""Drawing until a verifier accepts: what is drawn, what is answered, when it abstains."""

from __future__ import annotations

from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.front import ask
from ponder.lm.scripted import Scripted
from ponder.methods import parse, resample_until_pass
from ponder.scorers import matches, random
from ponder.stages import accepted

QUESTION = "What is 7 * 8?"
HALF = {"56": 0.25, "54": 0.75}


def run(method: Any, answers: dict[str, float] = HALF, seed: int = 0, **options: Any) -> Any:
    return ask(QUESTION, method=method, model=Scripted(answers), seed=seed, **options)


@pytest.mark.parametrize("seed", range(12))
def test_it_stops_at_the_first_that_is_accepted(seed: int) -> None:
    answer = run(resample_until_pass(40, matches("56")), seed=seed)
    texts = [c.text for c in answer.population.items]
    assert texts == ["54"] * (len(texts) - 1) + ["56"]
    assert (answer.value, answer.confidence) == ("56", 1.0)
    assert answer.bill.calls == len(texts)


def test_it_abstains_where_nothing_is_accepted() -> None:
    answer = run(resample_until_pass(5, matches("57")))
    assert answer.value is None
    assert answer.confidence == 0
    assert len(answer.population.items) == 5
    assert any("accepted none of 5" in note for note in answer.trace.notes)


def test_it_abstains_as_often_as_n_draws_hold_no_right_one() -> None:
    """.75^3 = .42; within 4 standard errors of 400 questions."""
    missed = sum(run(resample_until_pass(3, matches("56")), seed=seed).value is None for seed in range(400)) / 400
    assert abs(missed - 0.75**3) < 4 * (0.42 * 0.58 / 400) ** 0.5


def test_an_imperfect_verifier_answers_wrongly() -> None:
    answer = run("resample_until_pass(8, scorer=matches('54'))")
    assert answer.value == "54"


def test_a_budget_that_ends_leaves_no_unjudged_answer() -> None:
    for calls in range(4):
        answer = run(resample_until_pass(40, matches("57")), budget=Budget(calls=calls))
        assert answer.value is None
        assert answer.bill.calls <= calls


def test_the_confidence_is_the_score() -> None:
    items = tuple(Candidate(str(i), str(i), finished=True, scores={"random": s}) for i, s in enumerate((-2.0, -0.5, -0.1)))
    chosen = accepted(random(), 0.5)(Population(items, [0.0] * 3), Context(Problem(QUESTION)))
    assert chosen.items[0].value == "1"
    assert chosen.weights[0] == pytest.approx(0.60653066)
    none = accepted(random(), 0.95)(Population(items, [0.0] * 3), Context(Problem(QUESTION)))
    assert [c.value for c in none.items] == [None]


def test_ruled_out_candidates_are_never_accepted() -> None:
    out = (Candidate("1", "1", finished=True, scores={"random": -float("inf")}),)
    assert accepted(random(), 0.0)(Population(out, [0.0]), Context(Problem(QUESTION))).items[0].value is None


def test_its_text() -> None:
    method = resample_until_pass(8, matches("56"), 0.9)
    assert str(method) == "resample_until_pass(8, scorer=matches('56'), threshold=0.9)"
    assert parse(str(method)) == method
    assert parse("until(reached(0.9), sample(1) | weigh(matches('56')), limit=8) | accepted(matches('56'), threshold=0.9)") == method
