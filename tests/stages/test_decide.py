"""Voting and choosing: what wins, with what confidence, whatever the order."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.algebra import Pipeline
from ponder.core.answer import NOBODY, answer, class_shares, heaviest
from ponder.core.context import Context
from ponder.core.language import Completion
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.scorers import weibull
from ponder.stages import abstain, argmax, confident, distinct, draw, prune, settled, top, vote
from ponder.stages.conditions import beta_majority
from ponder.stages.sample import finish


def candidates(*texts: str, reads: str = "number") -> tuple[Candidate, ...]:
    problem = Problem("What is 7 * 8?", reads=reads)
    return tuple(finish(Candidate(), Completion(t, 1), problem, "m") for t in texts)


def decide(stage, *texts: str, weights=None, seed: int = 0):
    population = Population(candidates(*texts), weights)
    winner, confidence = heaviest(stage(population, Context(Problem("?"), root=seed)))
    return (None if winner is None else winner.value), round(confidence, 9)


def test_one_answer_in_many_dresses_is_one_vote() -> None:
    dresses = ("12", "**12**", "#### 12", "12, because 3 * 4 = 12", r"The answer is $\boxed{12}$.", "The answer is 12.", "12.0")
    assert decide(vote(), *dresses, "13") == ("12", 0.875)


def test_neighbours_are_never_one_class() -> None:
    assert decide(vote(), "The answer is 13", *["The answer is 12"] * 4) == ("12", 0.8)


def test_the_unparsable_never_win_and_count_against_confidence() -> None:
    assert decide(vote(), "...", "???", "!!!", "4", "4") == ("4", 0.4)
    assert decide(argmax(), "...", "???", "4", weights=[5.0, 3.0, 0.0])[0] == "4"
    assert decide(vote(), "...", "???") == (None, 0)
    assert decide(argmax(), "...") == (None, 0)


def test_text_of_the_dialogue_is_not_cut() -> None:
    (candidate,) = candidates('print("User: hello")')
    assert candidate.text == 'print("User: hello")'


@given(st.lists(st.tuples(st.sampled_from(["3", "4", "5", "no number"]), st.floats(-30, 0)), min_size=1, max_size=7), st.randoms())
def test_the_vote_does_not_depend_on_order(pairs: list[tuple[str, float]], random) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert decide(vote(), *[t for t, _ in pairs], weights=[w for _, w in pairs]) == decide(
        vote(), *[t for t, _ in shuffled], weights=[w for _, w in shuffled]
    )


def test_ties_go_to_the_answer_that_sorts_first_in_every_order() -> None:
    for order in itertools.permutations(["7", "5", "6"]):
        assert decide(vote(), *order) == ("5", pytest.approx(1 / 3))


def test_weights_decide_the_weighted_vote() -> None:
    assert decide(vote(), "1", "1", "2", weights=np.log([0.2, 0.2, 0.6])) == ("2", 0.6)
    assert decide(argmax(), "1", "1", "2", weights=np.log([0.3, 0.3, 0.4])) == ("2", 0.4)


def test_equality_as_mathematics_is_transitive_and_optional() -> None:
    pytest.importorskip("math_verify")
    boxed = candidates(*[rf"\boxed{{{x}}}" for x in (r"2\sqrt{2}", r"\sqrt{8}", "x+2")], reads="math")
    for equal, share in (("math", 2 / 3), ("same", 1 / 3)):
        assert heaviest(vote(equal)(Population(boxed), Context(Problem("?"))))[1] == pytest.approx(share)


def test_a_dead_population_abstains() -> None:
    dead = [-math.inf, -math.inf]
    for stage in (vote(), argmax(), draw(), abstain(0.1), prune(weibull()), top(1), distinct()):
        assert decide(stage, "4", "5", weights=dead) == (None, 0)


def test_abstain_before_and_after_a_vote_is_the_same() -> None:
    texts = ["4"] * 6 + ["5"] * 3 + ["..."]
    for below, value in ((0.55, "4"), (0.6, "4"), (0.65, None)):
        assert decide(abstain(below), *texts)[0] == value
        assert decide(vote() | abstain(below), *texts)[0] == value


def test_draw_is_the_random_baseline() -> None:
    values = [decide(draw(), "4", "5", weights=np.log([0.7, 0.3]), seed=s)[0] for s in range(2000)]
    assert abs(values.count("4") / 2000 - 0.7) < 4 * math.sqrt(0.21 / 2000)


def test_distinct_counts_a_path_once_and_merge_adds() -> None:
    texts = ["A 4", "A 4", "B 5"]
    assert decide(vote(), *texts)[0] == "4"
    assert decide(distinct() | vote(), *texts) == ("4", 0.5)
    population = Population(candidates(*texts))
    merged = parse("merge() | top(5)")(population, Context(Problem("?")))
    assert merged.weights.tolist() == pytest.approx([2 / 3, 1 / 3])


def test_pruning_needs_weights_that_differ() -> None:
    population = Population(candidates(*[f"the answer is {i}" for i in range(10)]))
    assert len(prune(weibull())(population, Context(Problem("?")))) == 10


def test_the_majority_by_its_beta_posterior() -> None:
    """P(q > 1/2), q ~ Beta(a + 1, b + 1): closed forms, and scipy where it is installed."""
    assert beta_majority(0, 0) == 0.5
    assert beta_majority(1, 0) == 0.75
    assert beta_majority(4, 0) == 1 - 2**-5
    assert beta_majority(3, 3) == 0.5
    stats = pytest.importorskip("scipy.stats")
    for a, b in ((5, 2), (20, 11), (7, 0)):
        assert beta_majority(a, b) == pytest.approx(stats.beta.sf(0.5, a + 1, b + 1), abs=1e-12)
    place = Context(Problem("?"))
    assert not confident(0.95)(Population(candidates("4", "4", "4")), place)
    assert confident(0.95)(Population(candidates("4", "4", "4", "4")), place)
    assert not confident(0.5)(Population(candidates("...")), place)


def test_the_urn_rule_errs_no_more_often_than_it_says() -> None:
    """Simulated votes: among runs stopped early, the majority of all 32 differs in at most 1 - p of them (plus 3 errors)."""
    rng = np.random.default_rng(0)
    rule = settled(0.9, of=32, novelty=1.0)
    wrong = stopped = saved = 0
    for _ in range(150):
        shares = rng.dirichlet([1.0, 1.0, 1.0])
        votes = rng.choice(3, 32, p=shares)
        for drawn in range(4, 32, 2):
            counts = np.bincount(votes[:drawn], minlength=3)
            order = np.argsort(-counts, kind="stable")
            if rule.probability([int(c) for c in counts[order] if c], 32 - drawn, rng) >= 0.9:
                final = np.bincount(votes, minlength=3)
                wrong += final[order[0]] < final.max()
                stopped, saved = stopped + 1, saved + 32 - drawn
                break
    assert stopped > 50
    assert saved > 0
    assert wrong <= 0.1 * stopped + 3 * math.sqrt(0.09 * stopped)


def test_urn_edges() -> None:
    rng = np.random.default_rng(0)
    assert settled(0.9, of=8).probability([5, 3], 0, rng) == 1.0
    assert settled(0.9, of=8).probability([4, 4], 0, rng) == 0.0
    assert settled(0.9, of=8, novelty=0.0).probability([3], 5, rng) == 1.0


def test_adaptive_sampling_stops_when_it_is_sure() -> None:
    lm = Scripted({"56": 0.9, "54": 0.1})
    bills = []
    for seed in range(20):
        result = answer(parse("until(confident(), sample(1)) | vote()"), Context(Problem("What is 7 * 8?"), models={"m": lm}, root=seed))
        assert result.value == "56"
        bills.append(result.bill.calls)
    assert min(bills) >= 4
    assert np.mean(bills) < 10


def test_nobody_holds_what_is_left() -> None:
    population = Population(candidates("4", "..."))
    decided = vote()(population, Context(Problem("?")))
    assert decided.items[-1] is NOBODY
    assert decided.weights.tolist() == [0.5, 0.5]
    assert class_shares(decided) == {"4": 0.5}


def test_decisions_can_be_taken_again_for_free(sevens: Scripted) -> None:
    place = Context(Problem("What is 7 * 8?"), models={"m": sevens})
    result = answer(parse("sample(32) | vote()"), place)
    calls = sevens.calls
    again = Pipeline((argmax(),))(result.population, place)
    assert sevens.calls == calls
    assert heaviest(again)[0].value in ("56", "54")
