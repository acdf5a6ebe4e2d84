"""Hamiltonian Monte Carlo through blackjax: closed forms, agreement with the program itself, and what cannot be moved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.prob.diagnostics import diagnose
from ponder.prob.distributions import Bernoulli, Distribution, Normal
from ponder.prob.errors import ImpossibleModelError
from ponder.prob.hmc import hmc, nuts
from ponder.prob.infer import nested
from ponder.prob.program import Program, Trace

pytest.importorskip("blackjax")


def chained(ctx):
    """mu ~ N(0, 1), x ~ N(mu, 2), seen once each."""
    mu = ctx.sample(Normal())
    ctx.observe(Normal(mu, 0.5), 1.0)
    x = ctx.sample(Normal(mu, 2.0))
    ctx.observe(Normal(x, 1.0), -1.0)
    return {"mu": mu, "both": (mu, x)}


def test_nuts_finds_a_gaussian_posterior_and_its_runs_are_the_programs():
    """Means within 5 Monte Carlo errors of the exact ones, deviations within 10 %."""
    found = nuts(Program(chained), draws=500, warmup=300, chains=2, seed=1)
    precision = np.array([[1 + 4 + 0.25, -0.25], [-0.25, 0.25 + 1]])
    mean, covariance = np.linalg.solve(precision, [4.0, -1.0]), np.linalg.inv(precision)
    draws = np.array([v["both"] for v in found.values])
    for i in range(2):
        said = diagnose(nuts_of(found, draws[:, i]))["x"]
        assert said.r_hat < 1.02
        assert said.ess_bulk > 200
        assert abs(said.mean - mean[i]) < 5 * math.sqrt(covariance[i, i] / said.ess_bulk)
        assert said.sd == pytest.approx(math.sqrt(covariance[i, i]), rel=0.1)
    for trace in found.population.items[::250]:
        again = Program(chained).run(np.random.default_rng(0), Trace(draws=trace.draws))
        assert again.value["both"] == pytest.approx(trace.value["both"], abs=1e-6)
        assert again.log_weight == pytest.approx(trace.log_weight, abs=1e-6)
    assert found.chains == 2
    assert found.acceptance is not None
    assert 0.6 < found.acceptance < 1


def nuts_of(found, column):
    """The same posterior with one number a draw."""
    traces = [Trace(finished=True, value=float(x)) for x in column]
    return type(found)(type(found.population)(tuple(traces)), chains=found.chains)


@dataclass(frozen=True)
class Exponential(Distribution):
    """A distribution of one's own: its quantile computes with jax.numpy."""

    def quantile(self, u: Any) -> Any:
        import jax.numpy as jnp

        return -jnp.log1p(-u)


def test_hmc_moves_uniform_draws_and_own_distributions():
    """Beta(9, 5) from a uniform draw and Gamma(2, 3) from an exponential one."""

    def model(ctx):
        import jax.numpy as jnp

        u = ctx.random()
        ctx.factor(8 * jnp.log(u) + 4 * jnp.log1p(-u))
        rate = ctx.sample(Exponential())
        ctx.score(rate * jnp.exp(-2 * rate))
        return u, rate

    found = hmc(Program(model), leapfrog=3, draws=2000, warmup=300, chains=2, seed=2)
    said = diagnose(found)
    for name, mean, variance in (("x0", 9 / 14, 45 / (14**2 * 15)), ("x1", 2 / 3, 2 / 9)):
        assert abs(said[name].mean - mean) < 5 * math.sqrt(variance / said[name].ess_bulk)
        assert said[name].sd == pytest.approx(math.sqrt(variance), rel=0.15)


def ragged(ctx):
    ctx.sample(Normal())
    return 1 if ctx.sample(Normal()) > 0 else 2


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (lambda ctx: ctx.sample(Bernoulli(0.5)), "2 values has no gradient"),
        (lambda ctx: np.exp(ctx.sample(Normal())), "use jax.numpy"),
        (lambda ctx: math.exp(ctx.sample(Normal())), "numpy or math"),
        (ragged, "branches on a drawn value"),
        (lambda ctx: 3, "nothing to move"),
        (nested(lambda ctx: ctx.sample(Normal()), lambda theta: Program(lambda ctx: None), None).model, "inner algorithm"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_has_no_gradient_is_named(model, match):
    with pytest.raises(InputError, match=match):
        nuts(Program(model))


def test_impossible_models_and_bad_numbers_are_refused():
    with pytest.raises(InputError, match="at least 1"):
        hmc(Program(chained), leapfrog=0)

    def never(ctx):
        ctx.factor(0 * ctx.sample(Normal()) - math.inf)

    with pytest.raises(ImpossibleModelError, match="none of 400 runs"):
        nuts(Program(never))
