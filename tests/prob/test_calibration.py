"""Statistical laws of samplers and kernels. Fixed seeds; correct code fails one of the eleven comparisons for 11 seeds in 1,000."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.prob.distributions import Normal
from ponder.prob.infer import trace_mh
from ponder.prob.kernels import independent, single_site
from ponder.prob.laws import Joint, geweke, one_step, sbc
from ponder.prob.program import Program, Trace

N = 12
COINS = Joint(
    lambda rng: rng.beta(2, 3),
    lambda theta, rng: int(rng.binomial(N, theta)),
    lambda theta, y: y * np.log(theta) + (N - y) * np.log1p(-theta),
)
GAUSS = Joint(
    lambda rng: rng.standard_normal(),
    lambda theta, rng: theta + 0.5 * rng.standard_normal(),
    lambda theta, y: Normal(theta, 0.5).log_prob(y),
)
GATE = 1e-3


def test_conjugate_draws_are_calibrated_and_the_prior_is_caught_by_the_likelihood_only():
    exact = sbc(COINS, lambda y, n, rng: rng.beta(2 + y, 3 + N - y, n), n_sims=400, n_draws=39)
    assert min(exact.values()) > GATE
    prior = sbc(COINS, lambda y, n, rng: rng.beta(2, 3, n), n_sims=400, n_draws=39)
    assert prior["theta"] > GATE
    assert prior["log-likelihood"] < 1e-9
    narrow = sbc(COINS, lambda y, n, rng: rng.beta(2 * (2 + y), 2 * (3 + N - y), n), n_sims=400, n_draws=39)
    assert narrow["theta"] < GATE


def given(y):
    def model(ctx):
        theta = ctx.sample(Normal())
        ctx.observe(Normal(theta, 0.5), y)
        return theta

    return Program(model)


def test_a_thinned_chain_is_calibrated():
    def chain(y, n, rng):
        return trace_mh(given(y), 10 * n + 30, independent(), burn=30, seed=int(rng.integers(2**31))).values[9::10]

    assert min(sbc(GAUSS, chain, n_sims=100, n_draws=19).values()) > GATE


def moved(kernel):
    def step(theta, y, rng):
        trace = given(y).run(rng, Trace(draws=(NormalDist().cdf(theta),)))
        return kernel(given(y), trace, rng)[0].value

    return step


class bold(single_site):
    """Accepts whatever it proposes."""

    def __call__(self, program, trace, rng, stop=float("inf")):
        return program.run(rng, Trace(draws=self.propose(trace, rng)), stop), True


def test_one_step_of_the_kernel_leaves_the_joint_law():
    assert min(one_step(GAUSS, moved(single_site())).values()) > GATE
    broken = one_step(GAUSS, moved(bold()))
    assert broken["theta"] > GATE
    assert broken["log-likelihood"] < 1e-9


RATE = Joint(
    lambda rng: rng.gamma(2.0),
    lambda theta, rng: rng.poisson(theta, 3),
    lambda theta, y: float(np.sum(y * np.log(theta) - theta)),
)


def scaled(theta, y, rng, jacobian=True):
    """Metropolis-Hastings that proposes theta times exp(e); its density is over log theta, which brings a factor theta."""
    log_density = lambda t: np.log(t) - t + RATE.log_likelihood(t, y) + jacobian * np.log(t)  # noqa: E731
    proposed = theta * np.exp(0.6 * rng.standard_normal())
    return proposed if np.log(rng.random()) < log_density(proposed) - log_density(theta) else theta


def test_a_chain_of_kernel_and_data_keeps_the_joint_law():
    """A forgotten Jacobian is caught, and a kernel that draws from the prior, which leaves the law of theta alone."""
    assert min(geweke(RATE, scaled, n=8000).values()) > GATE
    assert geweke(RATE, lambda *now: scaled(*now, jacobian=False), n=8000)["theta"] < 1e-9
    prior = geweke(RATE, lambda theta, y, rng: rng.gamma(2.0), n=4000)
    assert prior["theta"] > GATE
    assert prior["log-likelihood"] < 1e-9
    with pytest.raises(InputError, match="batch means"):
        geweke(RATE, scaled, n=10)


def test_bins_must_divide_the_ranks():
    with pytest.raises(InputError, match="bins=20 must divide"):
        sbc(COINS, lambda y, n, rng: np.zeros(n), n_draws=50)
    with pytest.raises(InputError, match=r"19 draws and gave an array of shape \(18,\)"):
        sbc(COINS, lambda y, n, rng: np.zeros(n - 1), n_draws=19)
