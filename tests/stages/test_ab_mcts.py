"""Adaptive branching as a stage: what it asks, what it gives back, and that it revises where revising pays."""

from __future__ import annotations

import numpy as np
import pytest
from tests.stages.test_revise import QUESTION, Spy, trust

from ponder.core.errors import InputError
from ponder.front import ask
from ponder.lm.scripted import Scripted
from ponder.methods import parse

TRUST = trust({"54": 0.2, "56": 0.9, "58": 0.4})
ANSWERS = {"54": 0.9, "58": 0.1}


def learner(prompt: str) -> dict[str, float]:
    """Never right at once, always right after an attempt."""
    return {"56": 1.0} if "may be wrong" in prompt else ANSWERS


def test_weights_are_the_rewards_and_n_answers_come_back() -> None:
    population = ask(QUESTION, method="ab_mcts(20)", model=Scripted(learner), reward=TRUST, temperature=1.0).population
    assert population is not None
    assert len(population) == 20
    expected = [{"54": 0.2, "56": 0.9, "58": 0.4}[str(c.value)] for c in population.items]
    assert np.exp(population.log_weights) == pytest.approx(np.array(expected))


def test_it_finds_the_answer_that_only_revising_gives() -> None:
    for seed in range(5):
        found = ask(QUESTION, method="adaptive_branching(20)", model=Scripted(learner), reward=TRUST, seed=seed, temperature=1.0)
        plain = ask(QUESTION, method="best_of_n(20, scorer=prm())", model=Scripted(learner), reward=TRUST, seed=seed, temperature=1.0)
        assert (found.value, plain.value) == ("56", "58")


def test_a_batch_is_drawn_at_once() -> None:
    one, many = Spy(learner), Spy(learner)
    ask(QUESTION, method="ab_mcts(12)", model=one, reward=TRUST)
    ask(QUESTION, method="ab_mcts(12, batch=5)", model=many, reward=TRUST)
    assert (one.calls, many.calls) == (12, 3)
    assert (len(one.asked), len(many.asked)) == (12, 12)


def test_models_by_name_and_the_better_one_is_asked_more() -> None:
    models = {"good": Scripted({"56": 1.0}, name="g"), "bad": Scripted({"54": 1.0}, name="b")}
    population = ask(QUESTION, method="ab_mcts(40, models='bad, good')", model=models, reward=TRUST).population
    assert population is not None
    by = [c.model for c in population.items]
    assert by.count("good") > by.count("bad") > 0
    with pytest.raises(InputError, match="ugly"):
        ask(QUESTION, method="ab_mcts(4, models='good,ugly')", model=models, reward=TRUST)


def test_answers_that_are_there_can_be_revised() -> None:
    population = ask(QUESTION, method="sample(2) | ab_mcts(6)", model=Scripted(learner), reward=TRUST, temperature=1.0).population
    assert population is not None
    assert len(population) == 8


def test_a_budget_that_ends_leaves_the_answers_there_are() -> None:
    for calls in range(2, 9):
        found = ask(QUESTION, method="adaptive_branching(20)", model=Scripted({"56": 1.0}), reward=TRUST, budget=f"{calls} calls")
        assert found.value == "56"
    assert ask(QUESTION, method="adaptive_branching(20)", model=Scripted({"56": 1.0}), reward=TRUST, budget="0 calls").value is None


def test_a_score_that_is_no_log_probability_is_refused() -> None:
    with pytest.raises(InputError, match="log-probabilities"):
        ask(QUESTION, method="ab_mcts(4, scorer=odds(prm))", model=Scripted({"56": 1.0}), reward=TRUST)


def test_the_text_form() -> None:
    for text in ("ab_mcts(8)", "ab_mcts(8, models='a,b', posterior='beta', batch=4)", "adaptive_branching(8, batch=2)"):
        assert str(parse(text)) == text
