"""Particle Gibbs, ancestor sampling and parallel tempering against targets that are enumerated.

Invariance: a trajectory drawn from the target goes through one sweep of two particles; where it ends must have the target's law. The
sweeps are independent, so a chi-square test applies. PONDER_SWEEPS=100000 runs as many of them.
"""

from __future__ import annotations

import itertools
import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2
from tests.stages.enumerable import (
    PATHS,
    SEEN,
    SEPARATOR,
    Speller,
    Walk,
    chance,
    enumerated,
    letters,
    spelled,
    spelling,
    table,
    text_target,
    walking,
)

from ponder.core.budget import Budget, Meter
from ponder.core.context import Context, Trace
from ponder.core.errors import InputError, ParseError
from ponder.core.language import Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.resampling import multinomial
from ponder.core.schedules import entropic
from ponder.methods import parallel_tempering, parse, particle_gibbs
from ponder.scorers import odds, prm
from ponder.stages import extend, gibbs, resample, tempering, weigh
from ponder.stages.gibbs import Chain, log_factors
from ponder.stages.tempering import ladder, swap, swap_chance

SWEEPS = int(os.environ.get("PONDER_SWEEPS", "1000"))
NOTHING: Population[Any] = Population([None], [0.0])
BLANK: Population[Any] = Population((Candidate(),), [0.0])
NUMBERS = resample(multinomial()) | extend() | weigh(table())
TEXTS = resample(multinomial()) | extend() | weigh(odds(prm()))
FINALS = np.array([[i, 3] for i in range(27)])


def surprise(counts: np.ndarray, target: np.ndarray) -> float:
    """The p-value of counts under a target, cells of fewer than 5 expected counts taken together."""
    expected = counts.sum() * target
    rare = expected < 5
    seen, due = ([*c[~rare], c[rare].sum()] if rare.any() else c for c in (counts, expected))
    return float(chi2.sf(sum((a - b) ** 2 / b for a, b in zip(seen, due, strict=True)), len(seen) - 1))


def conditional(body: Any, context: Context, finals: Any, target: np.ndarray, code: Any, sweeps: int, ancestors: bool, n: int = 2) -> Any:
    """How often each trajectory is where a sweep leads that kept one from the target."""
    rng, counts = np.random.default_rng(5), np.zeros(len(target))
    first = NOTHING if isinstance(finals, np.ndarray) else BLANK
    for i in range(sweeps):
        chain = resumed(body, n, ancestors, finals[rng.choice(len(target), p=target)])
        assert chain.sweep(first, replace(context.at(i), trace=Trace()))
        counts[code(chain.reference)] += 1
    return counts


def resumed(body: Any, n: int, ancestors: bool, final: Any) -> Chain:
    """A chain that keeps this trajectory in its next sweep."""
    chain = Chain(body, n, ancestors)
    chain._done.append(NOTHING)
    chain.reference = final
    return chain


def number(state: Any) -> int:
    return int(state[0])


def path(candidate: Candidate) -> int:
    return PATHS.index(letters(candidate.text))


@pytest.mark.parametrize("ancestors", [False, True])
@pytest.mark.parametrize("body", [NUMBERS, extend() | weigh(table()) | resample(multinomial())], ids=["before", "after"])
def test_a_conditional_sweep_of_two_particles_leaves_the_target_as_it_is(body: Any, ancestors: bool) -> None:
    """p > .001 (error rate .001 a case)."""
    target, _ = enumerated()
    assert surprise(conditional(body, walking(), FINALS, target, number, SWEEPS, ancestors), target) > 0.001


class _Forgetful(Walk):
    """Grafts without asking how probable the steps are after the other beginning."""

    def graft(self, final: Any, state: Any, states: Any, context: Context) -> Any:
        finals, logs = super().graft(final, state, states, context)
        return finals, np.zeros(len(logs))


class _Unweighed(Walk):
    """Retraces without the increments of the steps."""

    def retrace(self, final: Any, state: Any) -> Any:
        return super().retrace(final, state)[0], 0.0


@pytest.mark.parametrize(("program", "ancestors"), [(_Forgetful(), True), (_Unweighed(), False)])
def test_the_test_of_invariance_finds_wrong_sweeps(program: Any, ancestors: bool) -> None:
    """The negative controls of the test above."""
    target, _ = enumerated()
    counts = conditional(NUMBERS, walking(3).at("control"), FINALS, target, number, 1, ancestors)
    assert counts.sum() == 1
    wrong = replace(walking(), program=program)
    assert surprise(conditional(NUMBERS, wrong, FINALS, target, number, 1000, ancestors), target) < 1e-4


@pytest.mark.parametrize("ancestors", [False, True])
@pytest.mark.parametrize("ratio", [False, True])
def test_sweeps_over_a_language_model_leave_the_target_as_it_is(ancestors: bool, ratio: bool) -> None:
    """Solutions of one to three steps; a factor a step, or the last odds alone. p > .001 (error rate .001 a case)."""
    target, _ = text_target(ratio=ratio)
    body = resample(multinomial(), ess=0.9) | extend() | weigh(odds(prm()), ratio=ratio)
    finals = [spelled(p) for p in PATHS]
    assert surprise(conditional(body, spelling(), finals, target, path, SWEEPS // 2, ancestors, n=3), target) > 0.001


def test_what_a_sweep_ends_with_can_be_kept_by_the_next() -> None:
    """A chain of 450 sweeps, one in three counted; candidates that ended early were passed by and must be weighed again. p > .001."""
    target, _ = text_target()
    chain, counts = Chain(TEXTS, 4, True), np.zeros(len(target))
    for i in range(450):
        assert chain.sweep(BLANK, replace(spelling(1).at(i), trace=Trace()))
        chain._done = chain._done[-1:]
        counts[path(chain.reference)] += i % 3 == 2
    assert surprise(counts, target) > 0.001


@pytest.mark.parametrize("ancestors", [False, True])
def test_gibbs_is_proper_however_many_sweeps(ancestors: bool) -> None:
    """Mean over 250 seeds of Z-hat and of Z-hat * E-hat[f], within 4 standard errors (error rate about 1e-4 each)."""
    target, normaliser = enumerated()
    method = gibbs(NUMBERS, 3, 3, ancestors, burn=1)
    assert method.proper
    evidence, product = [], []
    for seed in range(250):
        population = method(NOTHING, walking(seed))
        assert len(population) == 2 * 3
        evidence.append(math.exp(population.log_evidence))
        product.append(evidence[-1] * population.mean(lambda s: float(s[0])))
    for values, expected in ((evidence, normaliser), (product, normaliser * float(target @ np.arange(27)))):
        assert abs(np.mean(values) - expected) < 4 * np.std(values) / math.sqrt(len(values))


def test_ancestor_sampling_moves_the_beginning_that_otherwise_sticks() -> None:
    """With two particles the first symbol of the kept trajectory changes more often."""
    target, _ = enumerated()
    moved = []
    for ancestors in (False, True):
        changed = 0
        for i in range(300):
            final = FINALS[np.random.default_rng(i).choice(27, p=target)]
            chain = resumed(NUMBERS, 2, ancestors, final)
            chain.sweep(NOTHING, replace(walking().at(i), trace=Trace()))
            changed += number(chain.reference) // 9 != number(final) // 9
        moved.append(changed / 300)
    assert moved[1] > moved[0] + 0.03


@pytest.mark.parametrize("style", ["plain", "few-shot"])
def test_a_graft_is_the_text_it_says_with_the_probability_it_says(style: str) -> None:
    """For chats, whose prefix is scored apart, and for raw prompts."""
    context = spelling(problem=Problem("Q?", examples=(("one", "ab"),)), style=style)
    final = spelled("bab")
    line = final.lineage
    states = [line[1], spelled("abb").lineage[1], spelled("c"), spelled("aca"[:2]).lineage[1]]
    finals, logs = context.program.graft(final, line[1], states, context)
    assert [letters(c.text) for c in finals[:2]] == ["bab", "aab"]
    assert logs[:2] == pytest.approx([math.log(chance(p + "ab") / chance(p)) for p in "ba"])
    assert logs[2] == -np.inf
    assert finals[1].finished
    assert finals[1].text == f"a{SEPARATOR}a{SEPARATOR}b"
    assert finals[1].steps == tuple(s + SEPARATOR for s in "aab")
    assert [c.text for c in finals[1].lineage] == ["", f"a{SEPARATOR}", f"a{SEPARATOR}a{SEPARATOR}", finals[1].text]
    ends, nothing = context.program.graft(final, final, [final, line[1], spelled("c")], context)
    assert ends == [final, line[1], spelled("c")]
    assert nothing.tolist() == [0, -np.inf, 0]
    assert context.meter.bill.calls > 0


def test_a_graft_needs_room_for_its_tokens() -> None:
    context = spelling(sampling=Sampling(temperature=1.0, max_tokens=4))
    final = spelled("bab")
    long = replace(spelled("abb").lineage[1], tokens=2)
    _, logs = context.program.graft(final, final.lineage[1], [final.lineage[1], long], context)
    assert np.isfinite(logs).tolist() == [True, False]


@pytest.mark.parametrize("settings", [{"temperature": 0.8}, {"temperature": 1.0, "top_p": 0.9}, {"temperature": 1.0, "top_k": 5}])
def test_ancestor_sampling_with_changed_probabilities_is_refused_before_anything_is_spent(settings: dict[str, Any]) -> None:
    context = spelling(sampling=Sampling(**settings))
    with pytest.raises(InputError, match="temperature=1"):
        gibbs(TEXTS, 4, 2, ancestors=True)(BLANK, context)
    assert context.meter.bill.calls == 0
    assert len(gibbs(TEXTS, 4, 2)(BLANK, context)) == 8


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (resample() | extend() | weigh(prm()), "multinomial"),
        (resample(multinomial(), n=5) | extend() | weigh(prm()), "as many"),
        (resample(multinomial()) | extend(2) | weigh(prm()), "one extend"),
        (weigh(prm()) | extend(), "one extend"),
        (resample(multinomial()) | extend() | resample(multinomial()), "one extend"),
        (extend() | weigh(prm(), temperature=entropic()), "alone"),
        (extend() | weigh(prm(), again=True), "again"),
    ],
)
def test_bodies_without_an_exact_sweep_are_refused(body: Any, message: str) -> None:
    for stage in (gibbs, tempering):
        with pytest.raises(InputError, match=message):
            stage(body, 4)


def test_other_bad_input() -> None:
    for text in (
        "gibbs(extend(), 1)",
        "gibbs(extend(), 2, sweeps=0)",
        "gibbs(extend(), 2, sweeps=3, burn=3)",
        "tempering(extend(), 2, sweeps=2, burn=2)",
        "tempering(extend(), 2, hottest=0.5)",
        "particle_gibbs(10, sweeps=4)",
        "particle_gibbs(4, sweeps=4)",
        "parallel_tempering(6)",
    ):
        with pytest.raises(ParseError):
            parse(text)
    with pytest.raises(InputError, match="one beginning"):
        gibbs(extend(), 2)(Population([None, None]), walking())
    with pytest.raises(InputError, match="program"):
        gibbs(extend(), 2)(NOTHING, Context(Problem("?")))

    class _NoGraft:
        start, extend, finished, retrace = Walk.start, Walk.extend, Walk.finished, Walk.retrace

    with pytest.raises(InputError, match="graft"):
        gibbs(extend(), 2, ancestors=True)(NOTHING, replace(walking(), program=_NoGraft()))  # pyright: ignore[reportArgumentType]


def test_when_the_budget_ends_whole_sweeps_are_kept() -> None:
    sizes = set()
    for calls in range(0, 60, 3):
        context = spelling(meter=Meter(Budget(calls=calls)))
        population = gibbs(TEXTS, 4, 4)(BLANK, context)
        sizes.add(len(population))
        assert len(population) == 4 or all(c.finished for c in population.items)
    assert sizes == {4, 8, 12, 16}


def test_a_sweep_that_rules_everything_out_ends_the_chain() -> None:
    from ponder.scorers import matches

    population = gibbs(resample(multinomial()) | extend() | weigh(matches("never")), 4, 3)(BLANK, spelling())
    assert population.dead
    assert len(population) == 4


def test_the_kept_particle_costs_nothing() -> None:
    """A first sweep asks for n steps a round, each later one for n - 1."""

    class Counting(Speller):
        asked: list[int]

        def generate(self, requests: Any, sampling: Sampling, allowance: Any = None) -> Any:
            self.asked.append(sum(r.n for r in requests))
            return super().generate(requests, sampling, allowance)

    lm = Counting()
    lm.asked = []
    chain = Chain(TEXTS, 5, False)
    for sweep in range(2):
        chain.sweep(BLANK, spelling(models={"speller": lm}).at(sweep))
        assert lm.asked[0] == 5 - sweep
        lm.asked.clear()


def test_the_chance_of_a_swap_is_in_detailed_balance() -> None:
    """pi_k(x) pi_l(x') A(x, x') = pi_k(x') pi_l(x) A(x', x) for all pairs of trajectories, p_M included."""
    hot, cold = (enumerated(temper)[0] for temper in (3.0, 1.0))
    log_g = log_factors(FINALS, NUMBERS.flat(), walking())
    for x, y in itertools.product(range(27), repeat=2):
        there = hot[x] * cold[y] * swap_chance(log_g[x], log_g[y], 3.0, 1.0)
        back = hot[y] * cold[x] * swap_chance(log_g[y], log_g[x], 3.0, 1.0)
        assert there == pytest.approx(back, rel=1e-9)


def test_swaps_of_three_chains_keep_their_joint_target() -> None:
    """Exact: the law of the held trajectories after all swaps, from every state of three chains over four trajectories."""
    log_g, prior, temperatures = np.array([-1.0, 0.3, 2.0, 0.9]), np.array([0.1, 0.4, 0.2, 0.3]), [4.0, 2.0, 1.0]
    pis = [p / p.sum() for p in (prior * np.exp(log_g / t) for t in temperatures)]
    after = np.zeros((4, 4, 4))
    for state in itertools.product(range(4), repeat=3):
        mass = math.prod(pi[x] for pi, x in zip(pis, state, strict=True))
        x, y, z = state
        first = swap_chance(log_g[x], log_g[y], 4.0, 2.0)
        for did, (a, b) in ((first, (y, x)), (1 - first, (x, y))):
            second = swap_chance(log_g[b], log_g[z], 2.0, 1.0)
            after[a, z, b] += mass * did * second
            after[a, b, z] += mass * did * (1 - second)
            if 0 < did < 1 and 0 < second < 1:  # what `swap` does on each side of these chances
                u = first * 0.5 if (a, b) == (y, x) else (1 + first) / 2
                held = swap([log_g[i] for i in state], temperatures, [u, second * 0.5])
                assert [state[i] for i in held] == [a, z, b]
    assert after == pytest.approx(np.einsum("i,j,k->ijk", *pis))


def test_log_factors_of_a_path_are_the_sum_over_its_steps() -> None:
    """For a factor a step, and for ratios, of which the last score remains; at a temper of 1 whatever the context's."""
    finals = [spelled(p) for p in PATHS]
    for ratio in (False, True):
        body = (resample(multinomial()) | extend() | weigh(odds(prm()), ratio=ratio)).flat()
        found = log_factors(finals, body, replace(spelling(), temper=3.0))
        target = text_target(ratio=ratio)[0]
        implied = np.array([chance(p) for p in PATHS]) * np.exp(found)
        assert implied / implied.sum() == pytest.approx(target)


def test_tempered_chains_and_their_swaps_leave_each_target_as_it_is() -> None:
    """Both chains begin in their targets; after a sweep each and a swap they are in them still. p > .001 each (error rate .002)."""
    stage = tempering(NUMBERS, 2, sweeps=2, chains=2, hottest=3.0)
    targets = [enumerated(t)[0] for t in ladder(2, 3.0)]
    counts, rng = np.zeros((2, 27)), np.random.default_rng(9)
    for i in range(600):
        chains = [resumed(NUMBERS, 2, False, FINALS[rng.choice(27, p=t)]) for t in targets]
        place = replace(walking().at(i), trace=Trace())
        for k, (chain, temper) in enumerate(zip(chains, ladder(2, 3.0), strict=True)):
            assert chain.sweep(NOTHING, replace(place.at(k), temper=temper))
        stage._exchange(chains, ladder(2, 3.0), place.at("swap"))
        for k, chain in enumerate(chains):
            counts[k, number(chain.reference)] += 1
    for seen, target in zip(counts, targets, strict=True):
        assert surprise(seen, target) > 0.001


def test_tempering_answers_with_the_coldest_chain() -> None:
    """150 sweeps of two chains: total variation from the target below .06."""
    target, _ = enumerated()
    population = tempering(NUMBERS, 8, sweeps=150, chains=2, hottest=3.0)(NOTHING, walking())
    assert len(population) == 150 * 8
    law = np.bincount(population.items[:, 0], population.weights, 27)
    assert np.abs(law - target).sum() / 2 < 0.06
    assert not tempering(NUMBERS, 8).proper


def test_a_program_with_a_random_beginning_keeps_the_beginning_too() -> None:
    class _Begun(Walk):
        """The first symbol is part of the beginning."""

        def start(self, n: int, context: Context) -> Any:
            return super().extend(np.zeros((n, 2), dtype=np.int64), 1, context)[0]

        def retrace(self, final: Any, state: Any) -> Any:
            return super().retrace(final, np.zeros(2, dtype=np.int64) if state is None else state)

    kept = np.array([5, 3])
    chain = resumed(extend(), 3, False, kept)
    chain.sweep(NOTHING, replace(walking(), program=_Begun()))
    assert chain._done[-1].items[0].tolist() == kept.tolist()
    assert chain._done[-1].log_weights[0] == pytest.approx(-math.log(3) + SEEN[2][1] + SEEN[3][5])


def test_named_methods_are_their_pipelines() -> None:
    assert particle_gibbs(8) == parse("gibbs(resample(multinomial) | extend() | weigh(odds(prm)), 2) | argmax()")
    assert parallel_tempering(8, hottest=3, select="vote") == parse(
        "tempering(resample(multinomial) | extend() | weigh(odds(prm)), 2, sweeps=2, hottest=3.0) | vote()"
    )
