import numpy as np
import pytest

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.methods import beam_search, dvts, particle_filter
from ponder.papers.sampling.analytic import ANSWERS, QUESTION, Chain, Chains, chosen, problems, solved, verdict
from ponder.stages import argmax, extend, loop, start, vote, weigh

JUDGE = verdict()


def grown(chains: Chains, n: int, seed: int = 0):
    context = Context(problem=QUESTION, program=chains, root=seed)
    return (start(n) | loop(extend()))(Population((Candidate(),), [0.0]), context).items


def test_errors_absorb_and_come_at_their_rate():
    n = 10_000
    found = grown(Chains(0.9, hack=0.05, liked=2.5), n)
    assert all(len(c.text) == 6 and c.finished and len(c.steps) == 6 for c in found)
    assert all(set(c.text.lstrip("+")) in (set(), {"-"}, {"!"}) for c in found)  # a first slip stays
    right, hacked = (np.mean([c.text[-1] == mark for c in found]) for mark in "+!")
    expected, se = Chains(0.9, hack=0.05).pass_at_1, 4 / np.sqrt(n)
    assert expected == pytest.approx((0.9 * 0.95) ** 6)
    assert right == pytest.approx(expected, abs=se * np.sqrt(expected * (1 - expected)))
    alive = sum((0.9 * 0.95) ** i for i in range(6)) * 0.05
    assert hacked == pytest.approx(alive, abs=se * np.sqrt(alive * (1 - alive)))
    assert {c.value == "00" for c in found if c.text[-1] == "+"} == {True}


def test_wrong_answers_follow_zipf():
    wrong = [c.value for c in grown(Chains(0.0), 15_000)]
    shares = np.array([np.mean([v == f"{i:02d}" for v in wrong]) for i in range(1, ANSWERS + 1)])
    law = 1 / np.arange(1, ANSWERS + 1)
    assert np.abs(shares - law / law.sum()).max() < 0.015
    assert "00" not in wrong


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_the_reward_models_error_has_its_deviation_and_memory(memory):
    last = grown(Chains(1.0, noise=2.0, memory=memory), 8000)
    before = [c.parent for c in last]
    errors = np.array([[c.logit - 1 for c in line] for line in (before, last)])
    assert errors.std(axis=1) == pytest.approx([2.0, 2.0], abs=0.07)
    assert np.corrcoef(errors)[0, 1] == pytest.approx(memory, abs=0.045)
    assert np.mean([c.logit for c in grown(Chains(0.0, noise=0.5), 2000)]) == pytest.approx(-1, abs=0.05)
    assert np.mean([c.logit for c in grown(Chains(0.5, hack=1.0, liked=2.5, noise=0.5), 2000)]) == pytest.approx(2.5, abs=0.05)


def test_the_judge_says_log_probabilities():
    chains = [Chain(logit=float(np.log(p / (1 - p)))) for p in (0.9, 0.5, 0.1)]
    assert np.exp(JUDGE(chains, Context(QUESTION))) == pytest.approx([0.9, 0.5, 0.1])


def test_with_a_perfect_judge_every_search_finds_what_there_is():
    asked = problems((0.7,), 20, 1, noise=0.0)
    methods = {"pf": particle_filter(64, JUDGE), "beam": beam_search(64, 4, JUDGE), "dvts": dvts(64, 4, JUDGE)}
    assert min(v.mean() for v in solved(methods, asked, 0).values()) == 1.0
    right = chosen(64, {"best": weigh(JUDGE) | argmax()}, asked, 0)["best"].mean()
    assert right == 1.0  # .7 ** 6 = .118: a right one is among 64 with probability .9997


def test_choices_are_among_the_same_chains_and_ties_favour_none():
    asked = problems((0.8,), 300, 2)
    first, again = (chosen(1, {"vote": vote(), "best": weigh(JUDGE) | argmax()}, asked, 5) for _ in range(2))
    assert np.array_equal(first["vote"], first["best"])
    assert np.array_equal(first["vote"], again["vote"])
    # Of two chains with different answers a vote is a coin: as good as one chain, not better by the order of names.
    p = 0.8**6
    two = chosen(2, {"vote": vote()}, problems((0.8,), 800, 3), 5)["vote"].mean()
    assert two == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 800))


def test_problems_go_round_and_repeat_by_seed():
    asked = problems((0.9, 0.5), 5, 7, noise=1.0)
    assert [a.success for a in asked] == [0.9, 0.5, 0.9, 0.5, 0.9]
    assert asked == problems((0.9, 0.5), 5, 7, noise=1.0)
    assert len({a.gold for a in problems((0.9,), 100, 0)}) > 10


@pytest.mark.parametrize("wrong", [{"success": 1.1}, {"success": 0.5, "memory": 1.0}, {"success": 0.5, "names": ("a",)}])
def test_impossible_chains_are_refused(wrong):
    with pytest.raises(InputError):
        Chains(**wrong)
