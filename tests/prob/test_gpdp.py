"""Planning and regression against brute force, the true policy as published, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import multivariate_normal

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.prob.gaussian import NotPositiveDefinite, correlation
from ponder.prob.gpdp import (
    MODELS,
    TRAINING,
    Fishery,
    criteria,
    fit_gp,
    fit_parametric,
    gp_posterior,
    harvest_problem,
    log_marginal,
    parametric_transitions,
    policy_iteration,
    simulate_harvest,
    value_iteration,
)

GRID = np.linspace(0, 15, 50)
TRUE = parametric_transitions(MODELS[1], np.array([[2.0, 8.0, 5.0, 0.05]]), GRID)
X, Y = TRAINING[:-1], TRAINING[1:]


def test_the_true_policy_is_the_published_one_and_does_not_hang_on_the_discount():
    problem = harvest_problem(TRUE, GRID)
    swept = value_iteration(*problem, 1.0, horizon=1000).policy
    left = GRID - GRID[np.minimum(swept, np.arange(50))]
    assert left == pytest.approx(np.where(GRID <= 4.29, 0, np.minimum(GRID, 6.73469)), abs=1e-4)
    assert np.array_equal(policy_iteration(*problem, 0.99).policy, swept)
    assert np.array_equal(policy_iteration(*problem, 0.999).policy, swept)
    impatient = policy_iteration(*problem, 0.95).policy
    assert (impatient == swept).sum() == 20
    assert GRID[49 - impatient[49]] == pytest.approx(6.429, abs=1e-3)


def test_value_and_policy_iteration_agree_on_random_problems():
    rng = generator(0)
    for _ in range(20):
        p, reward = rng.dirichlet(np.full(6, 0.5), (4, 6)), rng.normal(size=(6, 4))
        swept, solved = value_iteration(p, reward, 0.9, tol=1e-12), policy_iteration(p, reward, 0.9)
        assert swept.value == pytest.approx(solved.value, abs=1e-9)
        assert np.array_equal(swept.policy, solved.policy)


def test_without_noise_the_best_escapement_maximises_the_surplus():
    fine = np.linspace(0, 15, 76)
    after = parametric_transitions(MODELS[0], np.array([[1.0, 8.0, 0.02]]), fine)
    plan = policy_iteration(*harvest_problem(after, fine), 0.999)
    surplus = fine * np.exp(1 - fine / 8) - fine
    assert fine[75 - plan.policy[75]] == pytest.approx(fine[surplus.argmax()], abs=0.21)


def test_rows_are_probabilities_with_the_models_mean():
    assert TRUE.sum(axis=1) == pytest.approx(np.ones(50))
    assert TRUE[0, 0] == 1
    for i in (20, 26, 32):
        assert TRUE[i] @ GRID == pytest.approx(Fishery().mean(GRID[i]) * np.exp(0.05**2 / 2), rel=2e-3)


def test_regression_is_gaussian_conditioning():
    rng = generator(1)
    x, at = rng.uniform(0, 5, 8), np.array([0.5, 2.0, 9.0])
    y = rng.normal(size=8)
    points = np.concatenate([x, at])
    joint = np.exp(-0.5 * np.subtract.outer(points, points) ** 2 / 0.7**2) + 0.3**2 * np.diag([1.0] * 8 + [0.0] * 3)
    gain = joint[8:, :8] @ np.linalg.inv(joint[:8, :8])
    found = gp_posterior(x, y, at, 0.7, 0.3)
    assert found.mean == pytest.approx(gain @ y, abs=1e-8)
    assert found.variance == pytest.approx(np.diag(joint[8:, 8:] - gain @ joint[:8, 8:]), abs=1e-8)
    assert log_marginal(x, y, 0.7, 0.3) == pytest.approx(multivariate_normal(np.zeros(8), joint[:8, :8]).logpdf(y), abs=1e-8)


def test_the_anchor_makes_extinction_absorbing_and_doubt_wide():
    samples = fit_gp(X, Y, generator(2), steps=1200, keep=20)
    anchor = gp_posterior(samples.x, samples.y, np.array([0.0]), 3.0, 0.4, samples.exact)
    assert abs(anchor.mean[0]) + anchor.variance[0] < 1e-9
    after = samples.transitions(GRID)
    assert after.sum(axis=1) == pytest.approx(np.ones(50))
    spread = np.sqrt(after @ GRID**2 - (after @ GRID) ** 2)
    assert spread[10] > 1.5 * spread[24]


def test_length_and_noise_are_drawn_from_their_posterior():
    """Metropolis against a grid over the posterior, in the logarithms that it walks in."""
    samples = fit_gp(X, Y, generator(5), steps=6000, keep=1000, anchored=False)
    lengths, noises = np.linspace(-1, 2.5, 60), np.linspace(-2, 0.5, 50)
    logs = np.array(
        [[log_marginal(X, Y, np.exp(a), np.exp(b)) - 10 * a - 10 / np.exp(a) - 5 * b - 5 / np.exp(b) for b in noises] for a in lengths]
    )
    mass = np.exp(logs - logs.max())
    for drawn, axis, other in ((samples.length, lengths, 1), (samples.noise, noises, 0)):
        marginal = mass.sum(axis=other)
        assert np.log(drawn).mean() == pytest.approx(trapezoid(marginal * axis, axis) / trapezoid(marginal, axis), abs=0.05)


def test_ricker_fishes_the_stock_out_and_truth_does_not():
    fit = fit_parametric(MODELS[0], X, Y, generator(3), steps=1500, keep=40)
    slope, intercept = np.polyfit(X, np.log(Y / X), 1)  # Ricker's likelihood is a linear regression
    assert fit.best[:2] == pytest.approx([intercept, -intercept / slope], rel=1e-3)
    assert criteria(fit)["BIC"] - criteria(fit)["AIC"] == pytest.approx(3 * (np.log(39) - 2))
    assert criteria(fit)["DIC"] == pytest.approx(criteria(fit)["AIC"], abs=1)  # three regular parameters
    plan = value_iteration(*harvest_problem(parametric_transitions(MODELS[0], fit.draws, GRID), GRID), 0.99)
    profit, gone = simulate_harvest(Fishery(), plan.policy, GRID, 50, 100, generator(4))
    truth = value_iteration(*harvest_problem(TRUE, GRID), 0.99)
    best, kept = simulate_harvest(Fishery(), truth.policy, GRID, 50, 100, generator(4))
    assert profit.mean() < 0.3 * best.mean()
    assert gone.sum() >= 95
    assert kept.sum() == 0


P = np.full((2, 3, 3), 1 / 3)
R = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: value_iteration(P * 1.1, R, 0.9), "sum to 1"),
        (lambda: value_iteration(P, R.T, 0.9), r"\(2, 3, 3\) and \(2, 3\)"),
        (lambda: value_iteration(P, R, 1.0), "discount"),
        (lambda: policy_iteration(P, R, 0.0), "discount"),
        (lambda: value_iteration(P, R, 1.0, horizon=0), "horizon"),
        (lambda: fit_gp(X[:2], Y[:2], generator(0)), "at least 3"),
        (lambda: fit_gp(-X, Y, generator(0)), "not negative"),
        (lambda: fit_gp(X, Y, generator(0), steps=60, keep=2).transitions(np.linspace(0, 7, 30)), "longer grid"),
        (lambda: fit_parametric(MODELS[0], np.append(X, 0), np.append(Y, 0), generator(0)), "leave the zeros out"),
        (lambda: parametric_transitions(MODELS[0], np.ones((2, 4)), GRID), "2 parameters"),
        (lambda: harvest_problem(TRUE, GRID + 1), "starts at 0"),
        (lambda: Fishery(sigma=-1), "sigma >= 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_kernel_that_is_not_positive_definite_is_refused():
    def box(length):
        return correlation(lambda t: np.where(t < length, 1.0, 0.0), slope=lambda t: 0 * t, lambda2=1.0)

    with pytest.raises(NotPositiveDefinite, match=r"length 1\.5"):
        gp_posterior(np.arange(4.0), np.ones(4), np.array([1.5]), 1.5, 0.1, kernel=box)
