"""Particle filters over steps: weights as published, targets as enumerated, and what must not be counted twice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from tests.conftest import step_by_step
from tests.stages.enumerable import PATHS, enumerated, letters, spelling, table, text_target, walking

from ponder.core.context import Context
from ponder.core.errors import ContextOverflow, PonderError
from ponder.core.language import Sampling, Solution
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.resampling import multinomial
from ponder.core.schedules import annealed, entropic
from ponder.lm.scripted import Scripted, ScriptedRewards
from ponder.methods import beam_search, dvts, parse
from ponder.methods.stepwise import weighing
from ponder.programs.reasoner import Reasoner
from ponder.scorers import lookahead, odds, prm, raw
from ponder.stages import extend, loop, resample, rescore, sample, start, top, weigh

NOTHING: Population[Any] = Population([None], [0.0])
BLANK: Population[Any] = Population((Candidate(),), [0.0])


def judging(judge: Callable[[Solution], Any], texts: Mapping[str, float] | None = None, seed: int = 0, **more: Any) -> Context:
    """A reasoner over a scripted engine, judged by a function."""
    engine = step_by_step(dict(texts or {"a\n\nb": 1.0}))
    given: dict[str, Any] = {
        "problem": Problem("Q?"),
        "models": {"m": engine},
        "rewards_by": {"r": ScriptedRewards(judge)},
        "program": Reasoner("\n\n"),
        "sampling": Sampling(temperature=1.0),
        "root": seed,
    }
    return Context(**{**given, **more})


def three(probabilities: tuple[float, ...]) -> tuple[Population[Candidate], Context]:
    """Candidates of one step that a reward model gives these probabilities."""
    items = tuple(Candidate(text=str(i), steps=(str(i),)) for i in range(len(probabilities)))
    return Population(items), judging(lambda s: [probabilities[int(s.steps[-1])]])


def test_the_example_of_the_papers_figure() -> None:
    """Rewards 2.1, -1.2, 1.3, .1 are logits: their softmax is (.6167, .0227, .2771, .0835)."""
    population, context = three(tuple(1 / (1 + math.exp(-x)) for x in (2.1, -1.2, 1.3, 0.1)))
    assert weighing(prm(), "logit")(population, context).weights == pytest.approx([0.6167, 0.0227, 0.2771, 0.0835], abs=5e-5)


@pytest.mark.parametrize(
    ("weighting", "temperature", "weights"),
    [
        ("logit", 1.0, (0.8901, 0.0989, 0.0110)),
        ("logit", 2.0, (0.6923, 0.2308, 0.0769)),
        ("ratio", 1.0, (0.8901, 0.0989, 0.0110)),
        ("softmax", 1.0, (0.4718, 0.3162, 0.2120)),
        ("product", 1.0, (0.6, 0.3333, 0.0667)),
    ],
)
def test_the_three_definitions_of_the_weights(weighting: str, temperature: float, weights: tuple[float, ...]) -> None:
    population, context = three((0.9, 0.5, 0.1))
    assert weighing(prm(), weighting, temperature)(population, context).weights == pytest.approx(weights, abs=5e-5)


def test_a_filter_over_an_array_program_finds_the_enumerated_target() -> None:
    """Total variation below .02 with 20,000 particles."""
    target, normaliser = enumerated()
    population = (start(20_000) | loop(resample() | extend() | weigh(table())))(NOTHING, walking())
    law = np.bincount(population.items[:, 0], population.weights, 27)
    assert np.abs(law - target).sum() / 2 < 0.02
    assert math.exp(population.log_evidence) == pytest.approx(normaliser, rel=0.03)


@pytest.mark.parametrize("weighting", ["logit", "ratio"])
def test_a_filter_over_a_language_model_finds_the_enumerated_target(weighting: str) -> None:
    """Every step's odds count, or those of the last alone: different targets. Total variation below .02 with 20,000 particles."""
    ratio = weighting == "ratio"
    target, normaliser = text_target(ratio=ratio)
    other, _ = text_target(ratio=not ratio)
    population = (start(20_000) | loop(resample() | extend() | weighing(prm(), weighting)))(BLANK, spelling())
    law = np.zeros(len(PATHS))
    np.add.at(law, [PATHS.index(letters(c.text)) for c in population.items], population.weights)
    assert np.abs(law - target).sum() / 2 < 0.02
    assert np.abs(law - other).sum() / 2 > 0.1
    assert math.exp(population.log_evidence) == pytest.approx(normaliser, rel=0.03)


def test_the_evidence_is_unbiased_for_few_particles() -> None:
    """The mean over 2,000 filters of 3 particles is the exact normaliser within 3 standard errors (error rate .003)."""
    _, normaliser = enumerated()
    body = start(3) | loop(resample(multinomial()) | extend() | weigh(table()))
    found = [math.exp(body(NOTHING, walking(seed)).log_evidence) for seed in range(2000)]
    assert abs(np.mean(found) - normaliser) < 3 * np.std(found) / math.sqrt(len(found))


SHORT, LONG = "short 1", "long\n\nlonger\n\nlong 2"


def short_and_long(s: Solution) -> list[float]:
    """The short solution ends with odds 9; the long one has odds 1.5, 1.5 and then 9."""
    return [0.9 if step.strip() in (SHORT, "long 2") else 0.6 for step in s.steps]


@pytest.mark.parametrize(
    ("body", "share"),
    [
        ("weigh(odds(prm), ratio=True)", 0.5),  # the last score alone counts
        ("weigh(odds(prm))", 9 / (9 + 1.5 * 1.5 * 9)),  # every step's score counts, once
        ("weigh(odds(prm), again=True)", 81 / 83.25),  # the authors' loop, .973: in each round, 9 * 9 * 9 against 1.5 * 1.5 * 9
    ],
)
def test_finished_candidates_are_weighed_once(body: str, share: float) -> None:
    """Equal prior for a short and a long solution; the share of the short one, within .03 (5 standard errors of 6,000 draws)."""
    context = judging(short_and_long, {SHORT: 0.5, LONG: 0.5})
    population = parse(f"start(6000) | loop(resample(multinomial) | extend() | {body})")(BLANK, context)
    found = population.weights[[c.text == SHORT for c in population.items]].sum()
    assert abs(found - share) < 0.03


def test_copies_of_a_survivor_go_on_differently() -> None:
    """No two survivors share a stream of random numbers."""
    texts = {f"begin\n\nthen {i}": 1 / 64 for i in range(64)}
    context = judging(lambda s: [0.5] * len(s.steps), texts)
    population = (start(64) | extend() | resample() | extend())(BLANK, context)
    kinds = len({c.text for c in population.items})
    assert 64 * (1 - math.exp(-1)) - 12 < kinds < 64 * (1 - math.exp(-1)) + 12


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weighting", ["logit", "softmax", "product", "ratio"])
def test_equal_scores_give_equal_weights_and_never_nan(value: float, weighting: str) -> None:
    context = judging(lambda s: [value] * len(s.steps), {"a\n\n1": 0.5, "b\n\n2": 0.5})
    population = (start(8) | loop(resample() | extend() | weighing(prm(), weighting)))(BLANK, context)
    assert not np.isnan(population.log_weights).any()
    if weighting == "product" and value == 0:
        assert population.dead
    else:
        assert population.weights == pytest.approx(np.full(8, 1 / 8))


def test_one_particle_is_plain_sampling_and_so_is_a_beam_of_one() -> None:
    """Frequencies over 400 seeds within 4 standard errors of the engine's probabilities, whatever the scores."""
    texts = {"a\n\n1": 0.5, "b\n\n2": 0.3, "3": 0.2}

    def judge(s: Solution) -> list[float]:
        return [0.9 if "b" in s.steps[0] else 0.1] * len(s.steps)

    for method in ("particle_filter(1)", "beam_search(1, width=1)", "sample(1)"):
        drawn = [parse(method)(BLANK, judging(judge, texts, seed)).items[0].text[-1] for seed in range(400)]
        for value, p in (("1", 0.5), ("2", 0.3), ("3", 0.2)):
            assert abs(drawn.count(value) / 400 - p) < 4 * math.sqrt(p * (1 - p) / 400), method


def test_lookahead_of_no_steps_is_the_scorer_and_beam_search() -> None:
    def judge(s: Solution) -> list[float]:
        return [0.9 if len(step) % 3 else 0.2 for step in s.steps]

    texts = {"ab\n\ncd\n\n1": 0.4, "abc\n\nq\n\n2": 0.3, "x\n\nyyy\n\n3": 0.3}
    kept = start(2) | extend(4) | loop(rescore(lookahead(prm(), 0)) | top(2) | extend(4)) | rescore(prm()) | parse("vote()")
    for seed in range(5):
        one, other = (method(BLANK, judging(judge, texts, seed)) for method in (kept, beam_search(8)))
        assert [c.text for c in one.items] == [c.text for c in other.items]
        assert one.log_weights.tolist() == other.log_weights.tolist()


def test_lookahead_reads_the_score_at_the_end_of_a_greedy_rollout() -> None:
    texts = {"good\n\nbad 1": 0.6, "good\n\nfine 2": 0.4}
    context = judging(lambda s: [0.1 if "bad" in step else 0.8 for step in s.steps], texts)
    begun = (start(1) | extend())(BLANK, context)
    assert np.exp(lookahead(prm(), 1)(begun.items, context)) == pytest.approx([0.1])
    assert np.exp(lookahead(prm(), 0)(begun.items, context)) == pytest.approx([0.8])


def test_verifier_trees_keep_one_of_each_root() -> None:
    """One tree is all bad and the best child of it stays none the less."""
    texts = {f"{c}\n\n{i}": 1 / 8 for i, c in enumerate("abcdefgh")}
    context = judging(lambda s: [(ord(step[0]) - 90) / 20 if step[0].isalpha() else 0.5 for step in s.steps], texts)
    grown = (start(4) | extend(3))(BLANK, context)
    kept = (rescore(prm()) | top(1, each=True))(grown, context)
    assert [c.root for c in kept.items] == [0, 1, 2, 3]
    for candidate in kept.items:
        assert candidate.text[0] == max(c.text[0] for c in grown.items if c.root == candidate.root)
    last = parse("start(4) | extend(3) | loop(rescore(prm) | top(1, each=True) | extend(3))")(BLANK, context)
    assert [sum(c.root == root for c in last.items) for root in range(4)] == [3, 3, 3, 3]
    assert dvts(12, width=3).flat()[0] == start(4)


@pytest.mark.parametrize(
    "values",
    [[1.2, 0.5], [-0.1, 0.5], [0.5, float("nan")], [0.5], [0.5, 0.5, 0.5], [], [float("inf"), 0.5]],
    ids=str,
)
def test_reward_models_that_give_no_probabilities_are_named(values: list[float]) -> None:
    context = judging(lambda s: values)
    two = Population((Candidate(text="a\n\nb", steps=("a\n\n", "b")),))
    with pytest.raises(PonderError, match="2 probabilities"):
        weigh(prm())(two, context)


def test_a_solution_that_does_not_fit_the_reward_models_context_is_ruled_out_and_the_others_are_judged() -> None:
    population, context = three((0.9, 0.5, 0.1))
    whole = context.rewards_by["r"]

    class Short:
        name, price = "short", None

        def rewards(self, solutions: Any) -> Any:
            if any(s.steps[-1] == "1" for s in solutions):
                raise ContextOverflow("too long")
            return whole.rewards(solutions)

        def close(self) -> None: ...

    context = dataclasses.replace(context, rewards_by={"short": Short()})
    assert prm()(population.items, context) == pytest.approx([math.log(0.9), -math.inf, math.log(0.1)])
    assert any("reward model's context" in note for note in context.trace.notes)


def test_scores_above_zero_have_no_odds() -> None:
    for scorer in (odds(odds(prm())), raw(raw(prm()))):
        many, place = three((0.9, 0.8))
        with pytest.raises(PonderError, match="log-probabilities"):
            weigh(scorer)(many, place)


def test_aggregations_of_steps() -> None:
    context = judging(lambda s: [0.5, 0.9, 0.6][: len(s.steps)] if len(s.steps) > 1 else [0.25])
    whole = (Candidate(text="a\n\nb\n\nc", steps=("a\n\n", "b\n\n", "c")),)
    for over, value in (("last", 0.6), ("product", 0.27), ("min", 0.5), ("whole", 0.25)):
        assert np.exp(prm(over=over)(whole, context)) == pytest.approx([value])
    assert prm()((Candidate(),), context).tolist() == [0]


def test_the_entropic_schedule() -> None:
    """max(1, (1 - t / rounds) n / ess) while ess < n / 2, in the first half."""
    factors = np.log([0.97, 0.01, 0.01, 0.01])
    ess = 1 / float(np.sum(np.array([0.97, 0.01, 0.01, 0.01]) ** 2))
    assert entropic(8).of(factors, 0) == pytest.approx(4 / ess)
    assert entropic(8).of(factors, 2) == pytest.approx(0.75 * 4 / ess)
    assert entropic(8).of(factors, 4) == 1.0
    assert entropic(8).of(np.log([0.4, 0.2, 0.2, 0.2]), 0) == 1.0
    assert entropic(8).of(np.full(4, -np.inf), 0) == 1.0


def test_the_annealed_schedule() -> None:
    schedule = annealed(1.5, 0.7, 10)
    assert [schedule.at(t) for t in (0, 9, 20)] == pytest.approx([1.5, 0.7, 0.7])
    assert schedule.at(3) == pytest.approx(1.5 - 0.8 * 3 / 9)


def test_weights_are_divided_by_the_temper_of_the_context() -> None:
    from dataclasses import replace

    population, context = three((0.9, 0.5, 0.1))
    tempered = weighing(prm(), "logit")(population, replace(context, temper=2.0))
    assert tempered.weights == pytest.approx([0.6923, 0.2308, 0.0769], abs=5e-5)


@pytest.mark.parametrize("engine", [{"a\n\n1": 0.5, "b\n\nc\n\n2": 0.3, "3": 0.2}])
def test_whole_samples_and_steps_agree_in_distribution(engine: dict[str, float]) -> None:
    """sample(n) and start(n) | loop(extend()): each text's share within 4 standard errors of its probability."""
    for method in (sample(4000), start(4000) | loop(extend())):
        population = method(BLANK, judging(lambda s: [0.5] * len(s.steps), engine))
        for text, p in engine.items():
            share = np.mean([c.text == text for c in population.items])
            assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / 4000)
    assert isinstance(step_by_step(engine), Scripted)
