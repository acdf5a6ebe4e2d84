"""Excursions of Gaussian processes: closed forms, the two matchings against each other, and what must be refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import digamma

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.prob.gaussian import (
    NotPositiveDefinite,
    correlation,
    diffusion,
    matern,
    random_acceleration,
    simulate,
    squared_exponential,
)
from ponder.prob.slepian import InvalidApproximation, NotDifferentiable, excursion_law, simulate_excursions

SECH = diffusion(2)
TABLE = [
    (diffusion(1), 0.120328),
    (SECH, 0.186211),
    (diffusion(3), 0.235774),
    (diffusion(4), 0.276915),
    (diffusion(5), 0.312777),
    (random_acceleration(), 0.264669),
    (squared_exponential(), 0.411497),
    (matern(1.5), 0.583179),
    (matern(2.5), 0.489766),
]
VALID = pytest.mark.parametrize(("process", "theta"), TABLE, ids=lambda v: getattr(v, "name", ""))


@VALID
def test_persistency_exponents_and_the_mean_interval(process, theta):
    law = excursion_law(process)
    assert law.persistency() == pytest.approx(theta, abs=1e-5)
    assert 2 * np.sum(law.weights * law.divisor) == pytest.approx(law.mean, abs=1e-8)
    assert excursion_law(process.stretched(3)).persistency() == pytest.approx(3 * theta, abs=3e-5)


@VALID
def test_slope_and_drop_are_those_of_the_correlation(process, theta):
    t, h = np.array([0.3, 1.0, 2.5]), 1e-5
    assert process.slope(t) == pytest.approx((process.value(t + h) - process.value(t - h)) / (2 * h), abs=1e-9)
    assert process.drop(t) == pytest.approx(1 - process.value(t), abs=1e-14)
    assert process.drop(np.array([1e-4]))[0] == pytest.approx(process.lambda2 / 2 * 1e-8, rel=1e-3)


def test_the_plane_has_closed_forms():
    law = excursion_law(SECH)
    t = np.linspace(0, 30, 50)
    assert law.divisor_survival(t) == pytest.approx(1 / np.cosh(t / 2), abs=1e-9)
    theta = law.persistency()
    assert theta == pytest.approx(0.18621071297895, abs=1e-11)
    assert theta * (digamma((1.5 - theta) / 2) - digamma((0.5 - theta) / 2)) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("process", [SECH, random_acceleration(), matern(2.5)], ids=lambda p: p.name)
def test_matching_the_clipped_covariance_gives_the_same_law(process):
    law = excursion_law(process)
    clipped = 2 / np.pi * np.arcsin(process.value(law.times))
    for s in (0.1, 1.0, 5.0):
        transform = np.sum(law.weights * np.exp(-s * law.times) * clipped)
        share = (1 - s * transform) * law.mean * s / 2  # (1 - Psi) / (1 + Psi), classical approximation
        assert law.laplace(s) == pytest.approx((1 - share) / (1 + share), abs=1e-10)


def test_samples_have_the_transform_and_the_survival_of_the_law():
    law = excursion_law(SECH)
    drawn = law.sample(200_000, generator(1))
    for s in (0.1, 1.0, 5.0):  # 3 of about 3 independent comparisons at 4 standard errors: a false alarm in 5,000 runs
        values = np.exp(-s * drawn)
        assert abs(values.mean() - law.laplace(s)) < 4 * values.std() / np.sqrt(len(drawn))
    t = np.array([1.0, 5.0, 20.0])
    assert law.survival(t) == pytest.approx([(drawn > v).mean() for v in t], abs=0.005)
    assert drawn.var() == pytest.approx(law.variance, rel=0.03)
    grid = np.linspace(0, 60, 4001)
    for s in (0.1, 1.0):
        assert np.trapezoid(np.exp(-s * grid) * law.pdf(grid), grid) == pytest.approx(law.laplace(s), abs=2e-5)
    assert law.residual_survival(np.array([0.0, 80.0])) == pytest.approx([1, 0], abs=1e-4)
    tail = np.log(law.survival(np.array([20.0, 40.0])))
    assert tail[0] - tail[1] == pytest.approx(20 * law.persistency(), rel=1e-4)


def test_a_function_of_ones_own_is_enough():
    own = excursion_law(correlation(lambda t: 1 / np.cosh(np.minimum(t, 1000) / 2)))
    assert own.process.lambda2 == pytest.approx(0.25, abs=1e-7)
    assert own.persistency() == pytest.approx(0.186211, abs=1e-5)


def test_oscillating_covariances_are_refused_at_the_time_they_fail():
    with pytest.raises(InvalidApproximation, match=r"least value -0.233.*simulate instead") as caught:
        excursion_law(correlation(lambda t: np.exp(-t * t / 2) * np.cos(2 * t)))
    assert 0 < caught.value.at < 2
    with pytest.raises(InvalidApproximation, match=r"-0\.292"):
        excursion_law(correlation(lambda t: np.sinc(t / np.pi)))


@pytest.mark.parametrize("process", [matern(0.5), correlation(lambda t: np.exp(-t))], ids=["known", "given"])
def test_processes_that_cross_infinitely_often_are_refused(process):
    with pytest.raises(NotDifferentiable, match="infinitely often"):
        excursion_law(process)


def test_long_memory_has_no_exponent():
    law = excursion_law(correlation(lambda t: (1 + t * t) ** -0.5))
    with pytest.warns(UserWarning, match="no exponential tail"):
        assert law.persistency() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: correlation(lambda t: 2 * np.exp(-t)), r"r\(0\) = 2"),
        (lambda: correlation(lambda t: 1 + 0 * t), "does not fall"),
        (lambda: correlation(lambda t: np.full_like(t, np.nan)), "finite"),
        (lambda: matern(1.0), "0.5, 1.5 and 2.5"),
        (lambda: squared_exponential(-1), "positive"),
        (lambda: excursion_law(SECH).survival(np.array([-1.0])), "not negative"),
        (lambda: excursion_law(SECH).sample(0, generator(0)), "at least 1"),
        (lambda: simulate(SECH, 0.1, 1, 4, generator(0)), "at least 2 points"),
        (lambda: simulate_excursions(SECH, 0.01, 4, 2, generator(0)), "no path crossed"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_simulated_paths_have_the_covariance_and_impossible_ones_are_refused():
    n, paths = 24, 40_000
    drawn = simulate(matern(1.5), 0.2, n, paths, generator(3))
    assert drawn.shape == (paths, n)
    expected = matern(1.5).value(0.2 * np.abs(np.subtract.outer(np.arange(n), np.arange(n))))
    assert np.abs(drawn.T @ drawn / paths - expected).max() < 5.5 / np.sqrt(paths) * np.sqrt(2)  # 300 entries at 5.5 sd
    with pytest.raises(NotPositiveDefinite, match="no process has"):
        simulate(correlation(lambda t: np.where(t < 1, 1 - t**2, 0.0)), 0.05, 200, 2, generator(0))


def test_simulation_comes_near_three_sixteenths():
    seen = simulate_excursions(SECH, 0.06, 400, 40_000, generator(2))
    assert seen.persistency() == pytest.approx(3 / 16, abs=0.006)
    t = np.linspace(0.5, 11.5, 30)
    assert np.abs(seen.survival(t) - excursion_law(SECH).survival(t)).max() < 0.03
    with pytest.raises(InputError, match="make them longer"):
        simulate_excursions(SECH, 0.06, 50, 500, generator(2)).persistency()
