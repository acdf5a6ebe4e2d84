"""Revision: what the model is shown, which attempts are kept, and how the answer is chosen among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ponder.core.context import Context
from ponder.core.errors import ContextOverflow, InputError
from ponder.core.language import Message, Request, Sampling, Solution
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.front import ask
from ponder.lm.recorded import MemoryStore
from ponder.lm.scripted import Scripted, ScriptedRewards
from ponder.methods import parse, revisions, self_consistency, weighted_vote
from ponder.stages import attempts, winners

QUESTION = Problem("What is 7 * 8?", reads="number")
ANSWERS = {"54": 0.5, "56": 0.3, "58": 0.2}


def learner(prompt: str) -> dict[str, float]:
    """Right for sure once it has seen two attempts."""
    return {"56": 1.0} if prompt.count("may be wrong") >= 2 else ANSWERS


class Spy(Scripted):
    """Remembers what it was asked."""

    def __init__(self, *args: Any, attempts: str = "") -> None:
        super().__init__(*args)
        self.attempts = attempts
        self.asked: list[Request] = []

    def generate(self, requests: Any, *args: Any, **kwargs: Any) -> Any:
        self.asked += requests
        return super().generate(requests, *args, **kwargs)


def trust(table: dict[str, float]) -> ScriptedRewards:
    def judge(solution: Solution) -> list[float]:
        return [table[solution.steps[-1]]] * len(solution.steps)

    return ScriptedRewards(judge)


def test_a_chat_shows_the_last_attempts_as_turns() -> None:
    lm = Spy({"54": 1.0})
    ask(QUESTION, method="sample(1) | revise(2, times=3)", model=lm)
    shown = [[m.content for m in r.prompt if isinstance(m, Message) and m.role == "assistant"] for r in lm.asked]
    assert shown == [[], ["54"], ["54", "54"], ["54", "54"]]
    last = lm.asked[-1].prompt
    assert isinstance(last[-1], Message)
    assert (last[-1].role, lm.asked[-1].prefix) == ("user", "")


def test_an_engine_that_continues_is_shown_its_own_text() -> None:
    lm = Spy({"54": 1.0}, attempts="continue")
    ask(QUESTION, method="sample(1) | revise(2, times=3)", model=lm)
    assert [r.prefix for r in lm.asked] == ["", "54\n", "54\n54\n", "54\n54\n"]
    assert len({r.prompt for r in lm.asked}) == 1


def test_attempts_that_do_not_fit_the_context_are_left_out() -> None:
    class Narrow(Spy):
        def generate(self, requests: Any, *args: Any, **kwargs: Any) -> Any:
            if any(len(r.prefix) > 3 for r in requests):
                raise ContextOverflow("too long")
            return super().generate(requests, *args, **kwargs)

    lm = Narrow({"54": 1.0}, attempts="continue")
    found = ask(QUESTION, method="sample(2) | revise(4, times=3) | vote()", model=lm)
    assert {r.prefix for r in lm.asked} == {"", "54\n"}
    assert any("do not fit" in note for note in found.trace.notes)
    assert found.value == "54"


def test_a_few_shot_prompt_goes_on_with_another_opening() -> None:
    lm = Spy({"54": 1.0})
    ask(replace(QUESTION, examples=(("1 * 1?", "1"),)), method="sample(1) | revise()", model=lm, style="few-shot")
    assert lm.asked[1].prompt == f"{lm.asked[0].prompt} 54\nA:"


def test_revising_helps_a_model_that_learns_from_its_attempts() -> None:
    found = ask(QUESTION, method="sample(8) | revise(times=2) | vote()", model=Scripted(learner), temperature=1.0)
    assert (found.value, found.confidence) == ("56", 1.0)
    population = ask(QUESTION, method="sample(8) | revise(times=2)", model=Scripted(learner), temperature=1.0).population
    assert population is not None
    for candidate in population.items:
        assert [c.finished for c in candidate.lineage] == [False, True, True, True]
        assert candidate.tokens == 1


def chain(*values: str) -> Candidate:
    last = Candidate()
    for value in values:
        last = Candidate(value, value, 1, finished=True, finish="stop", steps=(value,), parent=last)
    return last


def where(rewards: ScriptedRewards | None = None) -> Context:
    return Context(QUESTION, models={"m": Scripted(ANSWERS)}, rewards_by={"r": rewards or trust({})}, sampling=Sampling())


def test_attempts_opens_the_chains() -> None:
    population = attempts()(Population((chain("1", "2", "3"), chain("4", "5")), np.log([0.5, 0.5])), where())
    assert [(c.value, c.root) for c in population.items] == [("1", 0), ("2", 0), ("3", 0), ("4", 1), ("5", 1)]
    assert population.weights == pytest.approx(np.full(5, 0.2))


def test_the_hierarchy_by_hand() -> None:
    """Chain 0: A .3, A .3, B .5 -> A (.6 against .5), stood for by .3. Chain 1: B .2, C .4 -> C. Chain 2: B .35 -> B.
    Across: A .3, C .4, B .35 -> C; a flat weighted vote would say B (.5 + .2 + .35)."""
    population = Population((chain("1", "1", "2"), chain("2", "3"), chain("2")))
    given = {0: (0.3, 0.3, 0.5), 1: (0.2, 0.4), 2: (0.35,)}
    opened = attempts()(population, where())
    scored = Population(opened.items, np.log([s for scores in given.values() for s in scores]))
    won = winners()(scored, where())
    assert [(c.value, c.root) for c in won.items] == [("1", 0), ("3", 1), ("2", 2)]
    assert won.weights == pytest.approx(np.array([0.3, 0.4, 0.35]) / 1.05)
    assert parse("vote()")(won, where()).items[0].value == "3"
    assert parse("vote()")(scored, where()).items[0].value == "2"


def test_winners_of_chains_without_an_answer_or_without_weight() -> None:
    silent = replace(chain("?"), value=None)
    population = Population((silent, replace(chain("1"), root=1)), [-np.inf, -np.inf])
    assert [c.value for c in winners()(population, where()).items] == [None, "1"]


@pytest.mark.parametrize("seed", range(5))
def test_one_step_is_plain_sampling(seed: int) -> None:
    rewards = trust({"54": 0.2, "56": 0.9, "58": 0.4})
    for revised, plain in (
        (revisions(6, 1, select="majority"), self_consistency(6)),
        (revisions(6, 1), parse("weighted_vote(6, scorer=prm())")),
    ):
        first, second = (ask(QUESTION, method=m, model=Scripted(ANSWERS), reward=rewards, seed=seed) for m in (revised, plain))
        assert first.value == second.value
        assert first.confidence == pytest.approx(second.confidence)
        assert first.bill == second.bill
    assert str(weighted_vote(6))


def test_one_chain_is_the_vote_within_it() -> None:
    rewards = trust({"54": 0.2, "56": 0.9, "58": 0.4})
    for seed in range(5):
        one = ask(QUESTION, method=revisions(1, 6), model=Scripted(ANSWERS), reward=rewards, seed=seed, temperature=1.0)
        text = "sample(1) | revise(times=5) | attempts() | weigh(prm) | vote()"
        flat = ask(QUESTION, method=text, model=Scripted(ANSWERS), reward=rewards, seed=seed, temperature=1.0)
        assert one.value == flat.value


def test_a_budget_that_ends_leaves_the_attempts_that_were_made() -> None:
    for calls in range(1, 5):
        found = ask(
            QUESTION, method="sample(1) | revise(times=9) | attempts() | vote()", model=Scripted({"54": 1.0}), budget=f"{calls} calls"
        )
        assert found.value == "54"
        assert found.population is not None
        assert len(found.population) == 1
        assert len(found.population.items[0].lineage) == calls + 1


def test_the_text_form() -> None:
    for text in ("revise()", "revise(2, times=3)", "attempts() | winners()", "revisions(2, steps=8, select='majority')"):
        assert str(parse(text)) == text
    with pytest.raises(InputError):
        parse("revise(0)")


def test_a_recorded_engine_still_says_how_it_reads_attempts() -> None:
    lm = Spy({"54": 1.0}, attempts="continue")
    ask(QUESTION, method="sample(1) | revise()", model=lm, store=MemoryStore())
    assert [r.prefix for r in lm.asked] == ["", "54\n"]


def test_an_organism_that_was_trained_to_revise_goes_on_with_its_text(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from ponder.lm.organism import Organism
    from ponder.organisms.characters import ALPHABET
    from ponder.train.net import Shape, TorchNet, save

    net = TorchNet(Shape(8, 1, 1, 188, ALPHABET, "chain"))
    plain, revises = (
        Organism(save(net, tmp_path / f"{name}.safetensors", facts=facts, command="", about=""))
        for name, facts in (("plain", {}), ("revises", {"pass@1_by_attempt": [0.4, 0.5]}))
    )
    assert (plain.attempts, revises.attempts) == ("", "continue")
    found = ask("What is 3 + 4 - 2?", method="sample(2) | revise(times=3)", model=revises, reads="number", max_tokens=8)
    assert found.population is not None
    assert {len(c.lineage) for c in found.population.items} == {5}
