"""Filters over state-space models: evidence against Kalman's and the forward algorithm, and one pipeline for numbers and for text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.stages.enumerable import letters, spelling

from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.resampling import systematic
from ponder.core.stepwise import extend, loop, resample, start
from ponder.prob.distributions import Bernoulli, Categorical
from ponder.prob.errors import ImpossibleModelError
from ponder.prob.infer import pimh, pmmh, running, smc, trace_mh
from ponder.prob.program import Program
from ponder.prob.statespace import forward_log_evidence, hidden_markov, kalman_log_evidence, linear_gaussian
from ponder.scorers.base import Scorer

RNG = np.random.default_rng(4)
Y = RNG.standard_normal(10)
CHAIN = ([0.5, 0.3, 0.2], [[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6]], [[0.7, 0.3], [0.4, 0.6], [0.1, 0.9]])
SYMBOLS = [0, 1, 1, 0, 1, 1, 1, 0]


@pytest.mark.parametrize("ess", [1.0, 0.5])
def test_the_evidence_is_kalmans_and_the_forward_algorithms(ess):
    """The mean ratio of 60 filters of 200 particles is within 4 standard errors of 1, which are below .04 (a false alarm in 4,000)."""
    for model, exact in (
        (linear_gaussian(Y), kalman_log_evidence(Y)),
        (hidden_markov(*CHAIN, SYMBOLS), forward_log_evidence(*CHAIN, SYMBOLS)),
    ):
        ratios = [math.exp(smc(model, 200, ess=ess, seed=s).log_evidence - exact) for s in range(60)]
        error = np.std(ratios) / math.sqrt(60)
        assert error < 0.04
        assert abs(np.mean(ratios) - 1) < 4 * error


class vowel(Scorer):
    """Half the weight for a step or a state that is not the first."""

    def __call__(self, candidates, context):
        firsts = [letters(c.text)[-1:] == "a" if isinstance(c, Candidate) else c == 0 for c in candidates]
        return np.where(firsts, 0.0, math.log(0.5))


def test_one_pipeline_filters_a_hidden_markov_model_and_a_models_reasoning_steps():
    """5,000 particles: whole paths within .03 of enumeration in total variation, evidence within 3 %, the last state within .02."""
    from tests.stages.enumerable import PATHS, chance

    from ponder.stages import weigh

    pipeline = start(5_000) | loop(extend() | weigh(vowel()) | resample(systematic(), ess=0.5))
    texts = pipeline(Population((Candidate(),), [0.0]), spelling())
    due = np.array([chance(p) * math.prod(1.0 if s == "a" else 0.5 for s in p) for p in PATHS])
    law = np.zeros(len(PATHS))
    np.add.at(law, [PATHS.index(letters(c.text)) for c in texts.items], texts.weights)
    assert np.abs(law - due / due.sum()).sum() / 2 < 0.03
    assert math.exp(texts.log_evidence) == pytest.approx(due.sum(), rel=0.03)

    numbers = pipeline(Population((None,), [0.0]), running(hidden_markov(*CHAIN, SYMBOLS)))
    emission = np.array(CHAIN[2])
    tilted = emission * np.array([1.0, 0.5, 0.5])[:, None]
    first, step = (np.array(a) for a in CHAIN[:2])
    alpha = first * tilted[:, SYMBOLS[0]]
    for symbol in SYMBOLS[1:]:
        alpha = (alpha @ step) * tilted[:, symbol]
    assert math.exp(numbers.log_evidence) == pytest.approx(alpha.sum(), rel=0.03)
    assert np.bincount(np.asarray(list(numbers.items)), numbers.weights, 3) == pytest.approx(alpha / alpha.sum(), abs=0.02)


def test_histories_are_read_off_when_asked_for():
    found = smc(linear_gaussian(Y, history=True), 50)
    paths = found.population.items.trajectories()
    assert paths.shape == (50, len(Y))
    assert paths[:, -1].tolist() == found.population.items.values.tolist()


def test_bad_input_is_named():
    for make, match in (
        (lambda: linear_gaussian([]), "observation"),
        (lambda: linear_gaussian(Y, sd_seen=-1), "sd_seen"),
        (lambda: hidden_markov([0.5, 0.6], np.eye(2), np.eye(2), [0]), "first"),
        (lambda: Bernoulli(1.2), "probabilities"),
        (lambda: Categorical([0.5, 0.2]), "add up"),
    ):
        with pytest.raises(InputError, match=match):
            make()

    def never(ctx):
        ctx.sample(Bernoulli(0.5))
        ctx.score(0)

    def nan(ctx):
        ctx.score(float("nan"))

    with pytest.raises(ImpossibleModelError):
        smc(Program(never), 10)
    with pytest.raises(ImpossibleModelError):
        trace_mh(Program(never), 10)
    with pytest.raises(InputError, match="score site 1"):
        smc(Program(nan), 2)


def test_particle_chains_find_the_posterior_of_a_parameter():
    """Two values of a parameter; the share within .1 of the exact one over 400 steps."""
    seen = SYMBOLS[:5]
    kinds = {True: CHAIN, False: ([1 / 3] * 3, np.full((3, 3), 1 / 3), CHAIN[2])}
    z = {k: math.exp(forward_log_evidence(*c, seen)) for k, c in kinds.items()}
    found = pmmh(lambda ctx: ctx.sample(Bernoulli(0.5)), lambda k: hidden_markov(*kinds[k], seen), 20, 400)
    assert np.mean([v[0] for v in found.values]) == pytest.approx(z[True] / (z[True] + z[False]), abs=0.1)
    assert 0 < pimh(hidden_markov(*CHAIN, SYMBOLS), 20, 50).acceptance <= 1
