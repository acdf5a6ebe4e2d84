"""SMC squared: its law by enumeration, a mutant that breaks it, and the posterior of a parameter against the forward algorithm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.prob.test_programs import SMALL, joint, likelihood, prior
from tests.prob.test_statespace import CHAIN, SYMBOLS

from ponder.core.algebra import Proper
from ponder.core.resampling import systematic
from ponder.core.stepwise import extend, loop, resample, start
from ponder.prob.distributions import Bernoulli
from ponder.prob.errors import ImpossibleModelError
from ponder.prob.infer import advancing, smc2
from ponder.prob.kernels import independent, mh
from ponder.prob.laws import assert_preserves, meaning
from ponder.prob.program import Program
from ponder.prob.statespace import forward_log_evidence, hidden_markov

INNER = advancing(prior, lambda theta: Program(likelihood(theta)), 1, ess=1.0)


def test_evidence_that_is_scored_step_by_step_preserves():
    assert meaning(INNER) == meaning(Program(joint))


def test_parameters_that_move_with_their_filters_preserve():
    body = extend() | resample(systematic()) | mh(1)
    assert meaning(INNER, start(1) | loop(body, limit=1, all=True) | loop(extend())) == meaning(Program(joint))


class where_needed(Proper):
    """Resamples and moves only where weights are uneven, as is often done."""

    def __call__(self, population, context):
        uneven = population.ess < 0.9 * len(population)
        return (resample(systematic()) | mh(1, independent()))(population, context) if uneven else population


def test_when_to_move_must_not_hang_on_the_weights():
    """Two particles of a small program; the same stages in every round leave the measure as it is."""
    fixed = start(2) | loop(extend() | resample(systematic()) | mh(1, independent()), limit=1, all=True) | loop(extend())
    assert_preserves(fixed, SMALL)
    adaptive = start(2) | loop(extend() | where_needed(), limit=1, all=True) | loop(extend())
    with pytest.raises(AssertionError, match="does not preserve"):
        assert_preserves(adaptive, SMALL)


SEEN = SYMBOLS[:4]
KINDS = {True: CHAIN, False: ([1 / 3] * 3, np.full((3, 3), 1 / 3), CHAIN[2])}


def of_kind(kind):
    return hidden_markov(*KINDS[kind], SEEN)


def test_the_posterior_of_a_parameter_and_the_evidence():
    """Means over 12 runs are within 4 standard errors of the exact values (a false alarm in 8,000)."""
    z = {k: math.exp(forward_log_evidence(*chain, SEEN)) for k, chain in KINDS.items()}
    total = (z[True] + z[False]) / 2
    found = [smc2(lambda ctx: ctx.sample(Bernoulli(0.5)), of_kind, 20, 10, 4, every=2, seed=s) for s in range(12)]
    evidence = np.array([math.exp(p.log_evidence) for p in found])
    mass = evidence * [float(p.mean(lambda v: v[0])) for p in found]
    for estimates, exact in ((evidence, total), (mass, z[True] / 2)):
        assert abs(estimates.mean() - exact) < 4 * estimates.std(ddof=1) / math.sqrt(12)
        assert estimates.std(ddof=1) < 0.5 * exact


def test_an_impossible_model_is_named():
    with pytest.raises(ImpossibleModelError):
        smc2(lambda ctx: None, lambda theta: hidden_markov([1.0], [[1.0]], [[1.0, 0.0]], [0, 1]), 2, 2, 2)
