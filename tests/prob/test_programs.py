"""Inner algorithms, larger populations of small programs, and what programs are refused for."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from ponder.core.algebra import Proper
from ponder.core.resampling import stratified, systematic
from ponder.core.stepwise import extend, loop, resample, start
from ponder.prob.distributions import Bernoulli, Normal
from ponder.prob.errors import InfiniteSupportError, NotPure, TraceMismatchError
from ponder.prob.infer import filtering, nested, smc
from ponder.prob.kernels import independent, mh, single_site
from ponder.prob.laws import assert_preserves, meaning
from ponder.prob.program import Program, Trace


def small(ctx):
    a = ctx.sample(Bernoulli(0.5))
    if not a:
        ctx.score(1)
        return a
    ctx.score(3 if ctx.sample(Bernoulli(0.5)) else 0.5)
    return a


SMALL = Program(small)


@pytest.mark.parametrize("scheme", [systematic(), stratified()], ids=str)
def test_three_particles_preserve(scheme):
    assert_preserves(start(3) | loop(extend() | resample(scheme)), SMALL)


@pytest.mark.parametrize("kernel", [single_site(), independent()], ids=str)
def test_two_particles_that_move_preserve(kernel):
    body = extend() | resample(systematic()) | mh(1, kernel)
    assert_preserves(start(2) | loop(body, limit=1, all=True) | loop(extend()), SMALL)


def prior(ctx):
    return ctx.sample(Bernoulli(F(1, 3)))


def likelihood(theta):
    def coins(ctx):
        x = ctx.sample(Bernoulli(0.5))
        ctx.score(2 if x == theta else 1)
        y = ctx.sample(Bernoulli(0.25))
        ctx.score(3 if x == y else 1)
        return x

    return coins


def joint(ctx):
    theta = prior(ctx)
    return theta, likelihood(theta)(ctx)


class forgetful(Proper):
    """Forgets the total."""

    def __call__(self, population, context):
        return population.normalised()


@pytest.mark.parametrize("n", [1, 2])
def test_an_estimate_of_the_evidence_as_a_score_preserves(n):
    """Parameters and one inner state: the joint measure, whatever the number of particles of the inner filter."""
    inner = nested(prior, lambda theta: Program(likelihood(theta)), filtering(n, systematic()))
    assert meaning(inner) == meaning(Program(joint))


def test_an_estimate_that_forgets_the_evidence_does_not():
    broken = nested(prior, lambda theta: Program(likelihood(theta)), filtering(1) | forgetful())
    assert meaning(broken) != meaning(Program(joint))


def test_a_base_draw_has_as_many_values_as_are_asked_for():
    def third(ctx):
        return ctx.random()

    assert meaning(Program(third), base=3) == {F(1, 6): F(1, 3), F(1, 2): F(1, 3), F(5, 6): F(1, 3)}
    with pytest.raises(InfiniteSupportError, match="base=K"):
        meaning(Program(third))


def test_continuous_draws_are_not_enumerated():
    with pytest.raises(InfiniteSupportError, match="Normal is continuous"):
        meaning(Program(lambda ctx: ctx.sample(Normal())))
    with pytest.raises(InfiniteSupportError, match=r"Generator\.normal"):
        meaning(Program(lambda ctx: ctx.inner(lambda rng: rng.normal())))


def test_a_program_that_remembers_beside_its_context_is_caught():
    runs = iter(range(100))

    def impure(ctx):
        ctx.factor(-float(next(runs)))
        ctx.factor(0.0)

    with pytest.raises(NotPure, match="score site 1 gave"):
        smc(Program(impure), 2)


def test_a_trace_of_another_shape_is_caught():
    def growing(ctx):
        for _ in range(next(lengths)):
            ctx.sample(Normal())
        ctx.score(1)
        ctx.score(1)

    lengths = iter(range(1, 100))
    with pytest.raises(TraceMismatchError, match=r"made 2 draws up to score 1, and before 1"):
        smc(Program(growing), 1)
    with pytest.raises(TraceMismatchError, match="ended after 0 scores where it had passed 1"):
        Program(lambda ctx: None).run(np.random.default_rng(0), Trace(scores=(0.0,)))
