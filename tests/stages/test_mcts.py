"""Tree search over steps, on scripted engines whose right choices are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.conftest import step_by_step

from ponder.core.budget import Budget, Meter
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Sampling, Solution
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.front import ask
from ponder.lm.scripted import Scripted, ScriptedRewards
from ponder.methods import parse, tree_search
from ponder.programs.reasoner import Reasoner
from ponder.scorers import likelihood, prm
from ponder.scorers.base import Scorer
from ponder.stages import mcts

QUESTION = Problem("What is 7 * 8?", reads="number")
TEXTS = {
    "a\n\na\n\n1": 0.30,
    "a\n\nb\n\n2": 0.30,
    "b\n\na\n\n3": 0.25,
    "b\n\nb\n\n56": 0.15,
}


def good(solution: Solution) -> list[float]:
    """Knows that only the path of b leads to the answer."""
    return [0.9 if all(s.strip() in ("b", "56") for s in solution.steps[: i + 1]) else 0.1 for i in range(len(solution.steps))]


class Trap(Scorer):
    """A checker that must never be asked."""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> np.ndarray:
        raise AssertionError("the truth was read")


def context(texts: dict[str, float] = TEXTS, judge: Any = good, **settings: Any) -> Context:
    lm = step_by_step(texts)
    given = {"meter": Meter(Budget()), "root": 1, **settings}
    sampling = Sampling(temperature=1.0)
    rewards = {"r": ScriptedRewards(judge)}
    return Context(QUESTION, models={"m": lm}, rewards_by=rewards, program=Reasoner(), sampling=sampling, **given)


def run(stage: Any, where: Context) -> Population[Candidate]:
    return stage(Population((Candidate(),), [0.0]), where)


def test_the_value_leads_to_the_improbable_answer() -> None:
    for select in ("q", "visits", "value", "argmax", "vote"):
        found = ask(QUESTION, method=tree_search(select=select), model=step_by_step(TEXTS), reward=ScriptedRewards(good), seed=2)
        assert found.value == "56"


def test_weights_are_the_probabilities_that_the_values_stand_for() -> None:
    population = run(mcts(branching=20), context())
    weights = dict(zip((c.value for c in population.items), np.exp(population.log_weights), strict=True))
    assert weights == pytest.approx({"1": 0.1, "2": 0.1, "3": 0.1, "56": 0.9})
    assert all(c.scores[str(prm())] < 0 for c in population.items)


def test_every_step_is_drawn_once_and_an_exhausted_tree_ends_the_search() -> None:
    """The tree has 4 leaves and 7 inner nodes: as many calls of the engine, however many simulations are allowed."""
    where = context()
    population = run(mcts(1000, branching=20), where)
    assert len(population) == 4
    assert len({c.text for c in population.items}) == 4
    lm = where.model()[1]
    assert isinstance(lm, Scripted)
    assert lm.calls == 7


def test_inference_never_reads_the_truth_and_training_values_ends_by_it_alone() -> None:
    run(mcts(), context())
    with pytest.raises(AssertionError, match="truth"):
        run(mcts(terminal=Trap()), context())

    class fifty_four(Scorer):
        def __call__(self, candidates: Sequence[Candidate], context: Context) -> np.ndarray:
            return np.array([0.0 if c.value == "1" else -np.inf for c in candidates])

    population = run(mcts(branching=20, terminal=fifty_four()), context())
    alive = [c.value for c, w in zip(population.items, population.log_weights, strict=True) if w > -np.inf]
    assert alive == ["1"]


def test_priors_are_the_mean_likelihood_of_a_step() -> None:
    stage = mcts()
    parent = Candidate("x y\n\n", tokens=2, token_ids=(1, 2), logprob=-1.0, steps=("x y\n\n",))
    child = replace(parent, text="x y\n\nu v w", tokens=5, token_ids=(1, 2, 3, 4, 5), logprob=-2.5, parent=parent)
    assert stage._prior(parent, child) == pytest.approx(np.exp(-0.5))
    assert mcts(prior="uniform", branching=4)._prior(parent, child) == 0.25


def test_an_engine_without_log_probabilities_is_refused_with_a_way_out() -> None:
    class Silent(Scripted):
        def generate(self, *args: Any, **kwargs: Any) -> Any:
            replies = super().generate(*args, **kwargs)
            return [replace(r, completions=tuple(replace(c, logprobs=None) for c in r.completions)) for r in replies]

    silent = Silent(step_by_step(TEXTS)._answers)
    with pytest.raises(InputError, match="uniform"):
        ask(QUESTION, method=tree_search(), model=silent, reward=ScriptedRewards(good))
    assert ask(QUESTION, method=tree_search(prior="uniform"), model=silent, reward=ScriptedRewards(good)).value == "56"


def test_what_is_too_deep_is_worth_minus_one_and_no_answer() -> None:
    population = run(mcts(depth=2), context())
    assert [c.finished for c in population.items] == [False]
    assert ask(QUESTION, method=tree_search(depth=2), model=step_by_step(TEXTS), reward=ScriptedRewards(good)).value is None


def test_a_budget_that_ends_in_the_middle_leaves_what_was_found() -> None:
    whole = ask(QUESTION, method=tree_search(), model=step_by_step(TEXTS), reward=ScriptedRewards(good), seed=2)
    values = set()
    for calls in range(whole.bill.calls):
        cut = ask(QUESTION, method=tree_search(), model=step_by_step(TEXTS), reward=ScriptedRewards(good), seed=2, budget=f"{calls} calls")
        values.add(cut.value)
    assert values >= {None, "56"}


def test_each_particle_has_a_tree_of_its_own() -> None:
    population = run(parse("start(3) | mcts(branching=20)"), context())
    assert [c.value for c in population.items].count("56") == 3
    assert {c.root for c in population.items} == {0, 1, 2}


def test_finished_candidates_and_dead_ends_pass() -> None:
    done = Candidate("54", "54", finished=True, finish="stop")
    population = mcts()(Population((done,), [0.0]), context())
    assert population.items == (done,)


def test_a_score_that_is_no_log_probability_is_refused() -> None:
    with pytest.raises(InputError, match="log-probabilities"):
        run(parse("mcts(value=odds(prm))"), context())


def test_it_works_with_the_engine_as_its_own_judge() -> None:
    assert run(mcts(value=likelihood()), context()).items


def test_the_text_form() -> None:
    for text in ("mcts()", "mcts(8, branching=3, value=prm(over='min'), prior='uniform', path='q')", "tree_search(8, select='vote')"):
        assert str(parse(text)) == text
        assert parse(str(parse(text))) == parse(text)
    for wrong in ("mcts(0)", "mcts(depth=0)", "mcts(prior='luck')", "tree_search(select='luck')"):
        with pytest.raises(InputError):
            parse(wrong)
