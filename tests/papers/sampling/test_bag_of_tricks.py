"""The study of card 06: what random and oracle verifiers must give, the bookkeeping of grids and budgets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ponder.bench.stats import pass_at_k
from ponder.core.answer import answer
from ponder.core.budget import Budget, Meter
from ponder.core.context import Context
from ponder.core.language import Sampling
from ponder.core.problem import Problem
from ponder.lm.load import load
from ponder.papers.sampling import bag_budgets
from ponder.papers.sampling.analytic import Chains, problems, solved
from ponder.papers.sampling.bag_budgets import METHODS, budgeted, check_and_table
from ponder.papers.sampling.bag_of_tricks import exact_checks, heat, verifiers
from ponder.papers.sampling.bag_samples import CHOICES, VERIFIERS, drawn, grid, scores
from ponder.programs.reasoner import Reasoner
from ponder.scorers import random
from ponder.stages import argmax, distinct, extend, loop, rescore, start, top


@pytest.fixture(scope="module")
def samples():  # type: ignore[no-untyped-def]
    return drawn("chain", 24, 6, 1.0, 1.0, 0)


def test_the_cards_exact_checks():
    assert all(c.passed for c in exact_checks())
    assert len(exact_checks()) == 3


def test_an_oracle_choice_is_coverage(samples):  # type: ignore[no-untyped-def]
    """Best of N by an oracle is pass@N by the estimator, problem by problem."""
    right = samples.grades.sum(axis=1).astype(int)
    assert np.array_equal(samples.chosen(samples.grades, argmax()), samples.oracle)
    assert np.array_equal(samples.oracle, pass_at_k(np.full(24, 6), right, 6))


def test_a_random_choice_is_one_sample_in_expectation(samples):  # type: ignore[no-untyped-def]
    """Over 60 random verifiers, within 4 standard errors of the mean grade of a sample."""
    means = [samples.chosen(scores(samples, "random", "chain", seed), argmax()).mean() for seed in range(60)]
    assert abs(np.mean(means) - samples.single.mean()) < 4 * np.std(means) / np.sqrt(len(means))


def test_step_level_best_of_n_by_chance_is_one_sample_too():
    """On chains of 6 steps that are right with probability .9 each: .9 ** 6, within 4 standard errors of 200 problems."""
    made = problems((0.9,), 200, 1)
    step = start(1) | extend(4) | loop(rescore(random()) | distinct() | top(1) | extend(4)) | rescore(random()) | argmax()
    found = solved({"step": step}, made, 2)["step"].mean()
    assert abs(found - 0.9**6) < 4 * np.sqrt(0.9**6 * (1 - 0.9**6) / 200)
    assert isinstance(made[0], Chains)


def test_settings_share_problems_and_every_cell_is_filled(samples):  # type: ignore[no-untyped-def]
    table = grid(6, 4, (1.0, 0.4), (1.0, 0.7), 0)
    assert list(table.axes) == ["temperature", "top_p", "verifier", "choice"]
    assert table.grades.shape == (2, 2, len(VERIFIERS), len(CHOICES), 6)
    assert table.axes["verifier"][0] == "random"
    again = drawn("chain", 6, 4, 1.0, 1.0, 0)
    assert np.array_equal(table.grades[0, 0, 1, 0], again.chosen(scores(again, "self", "chain", 0), CHOICES["vote"]))


def test_gates_are_tested_on_small_runs(samples):  # type: ignore[no-untyped-def]
    counts = drawn("countdown", 12, 4, 1.0, 1.0, 0)
    checks, table = verifiers(samples, counts, 0)
    assert [c.claim for c in checks] == [False, False, True, True]
    assert checks[1].passed
    assert [row[:2] for row in table.rows if row[0] == "countdown"][-2:] == [("countdown", "transfer"), ("countdown", "oracle")]
    gates, tables = heat({"chain": {1.0: samples, 0.3: drawn("chain", 24, 6, 0.3, 1.0, 0)}})
    assert len(gates) == 3
    assert len(tables[0].rows) == 2


def test_methods_at_equal_tokens_stay_within_them_on_the_mean(monkeypatch: pytest.MonkeyPatch):
    some = {name: METHODS[name] for name in ("self-consistency", "best of N", "step-level best of N")}
    monkeypatch.setattr(bag_budgets, "METHODS", some)
    monkeypatch.setattr(bag_budgets, "PILOT", 2)
    run = budgeted(3, (500,), (0, 1))
    for (name, budget), tokens in run.tokens.items():
        assert run.n[name, budget] >= 1
        assert tokens < 1.5 * budget
    check, table = check_and_table(run)
    assert check.claim
    assert [row[0] for row in table.rows] == list(some)


@pytest.mark.parametrize("name", list(METHODS))
def test_the_ledger_is_the_engines_own_count(name: str):
    """Everything the policy and the reward model tell is on the bill, and a budget is passed by at most a batch."""
    counted: list[int] = []

    class Counting:
        def __init__(self, engine: Any) -> None:
            self.engine = engine

        def __getattr__(self, what: str) -> Any:
            return getattr(self.engine, what)

        def generate(self, *args: Any) -> Any:
            replies = self.engine.generate(*args)
            counted.append(sum(r.prompt_tokens + r.tokens_out for r in replies))
            return replies

        def rewards(self, *args: Any) -> Any:
            found = self.engine.rewards(*args)
            counted.append(sum(r.prompt_tokens for r in found))
            return found

    question = Problem("What is 86 + 11 * 9 + 10 - 4?", reads="number")
    context = Context(
        question,
        Meter(Budget(tokens=900)),
        models={"m": Counting(load("organism:chain"))},
        rewards_by={"r": Counting(load("organism:chain-reward-3"))},
        program=Reasoner(),
        sampling=Sampling(temperature=1.0, max_tokens=64),
    )
    result = answer(METHODS[name](8), context)
    assert result.bill.tokens == sum(counted)
    assert result.bill.tokens <= 900 + max(counted)
