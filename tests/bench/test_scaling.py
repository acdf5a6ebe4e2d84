import math

import numpy as np
import pytest
from scipy.special import gamma

from ponder.bench.scaling import BetaFit, beta_coverage, fit_beta, fit_power_law, log_shift
from ponder.bench.stats import coverage
from ponder.core.errors import InputError

KS = np.unique(np.round(np.logspace(0, 4, 40)))


@pytest.mark.parametrize("space", ["coverage", "log"])
def test_a_law_is_recovered_from_its_own_data(space):
    law = fit_power_law(KS, np.exp(-2 * KS**-0.35), space)
    assert (law.a, law.b) == pytest.approx((-2, -0.35), abs=1e-6)
    assert (law.b_low, law.b_high) == pytest.approx((-0.35, -0.35), abs=1e-6)
    assert law.residual < 1e-9
    assert law.r2 == pytest.approx(1)
    assert law.predict(KS) == pytest.approx(np.exp(-2 * KS**-0.35), abs=1e-9)
    assert law.samples_for(0.9) == pytest.approx((math.log(0.9) / -2) ** (1 / -0.35))


@pytest.mark.parametrize(
    ("alpha", "beta", "a", "b", "residual"),
    [(0.3, 1, -1.372, -0.362, 0.023), (0.3, 3, -2.321, -0.372, 0.012), (0.6, 2, -1.556, -0.602, 0.020)],
)
def test_the_law_fits_beta_mixtures_with_a_biased_slope(alpha, beta, a, b, residual):
    law = fit_power_law(KS, beta_coverage(alpha, beta, KS))
    assert (law.a, law.b, law.residual) == pytest.approx((a, b, residual), abs=6e-4)
    assert not law.b_low <= -alpha <= law.b_high or alpha == 0.6  # the fitted slope is not the asymptotic one
    assert law.b_low < law.b < law.b_high


def test_the_interval_of_the_slope_is_that_of_the_linearised_fit():
    """Coverage of the interval for independent noise, 300 curves: 95% give or take 4 standard errors."""
    rng = np.random.default_rng(0)
    truth = np.exp(-2 * KS**-0.35)
    laws = [fit_power_law(KS, np.clip(truth + rng.normal(0, 0.01, len(KS)), 0, 1)) for _ in range(300)]
    inside = np.mean([law.b_low <= -0.35 <= law.b_high for law in laws])
    assert inside == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 300))


def test_beta_coverage_against_a_product_and_its_asymptote():
    assert float(beta_coverage(0.3, 1, 1)) == pytest.approx(0.3 / 1.3)
    assert float(beta_coverage(0.3, 1, 10_000)) == pytest.approx(0.9434, abs=5e-5)
    for k in (0, 1, 5, 50):
        product = 1 - math.prod((3 + j) / (3.3 + j) for j in range(k))
        assert float(beta_coverage(0.3, 3, k)) == pytest.approx(product, abs=1e-13)
    k = 1e9
    assert -math.log(float(beta_coverage(0.3, 3, k))) == pytest.approx(gamma(3.3) / gamma(3) * k**-0.3, rel=2e-3)
    assert float(beta_coverage(1e-9, 5, 1)) == pytest.approx(2e-10, rel=1e-6)


def test_a_beta_mixture_is_recovered_from_counts():
    rng = np.random.default_rng(0)
    p = rng.beta(0.3, 3, size=4000)
    n = rng.integers(200, 1000, size=4000)
    fit = fit_beta((n, rng.binomial(n, p)))
    assert (fit.alpha, fit.beta) == pytest.approx((0.3, 3), rel=0.08)
    assert np.abs(fit.predict(KS) - beta_coverage(0.3, 3, KS)).max() < 0.02


def test_the_fit_is_a_maximum_and_it_extrapolates():
    rng = np.random.default_rng(1)
    p = rng.beta(0.6, 2, size=300)
    counts = (np.full(300, 256), rng.binomial(256, p))
    fit = fit_beta(counts)

    def likelihood(a, b):
        from scipy.special import betaln

        return np.sum(betaln(counts[1] + a, 256 - counts[1] + b) - betaln(a, b))

    assert fit.log_likelihood == pytest.approx(likelihood(fit.alpha, fit.beta))
    for factor in (0.99, 1.01):
        assert likelihood(fit.alpha * factor, fit.beta) < fit.log_likelihood
        assert likelihood(fit.alpha, fit.beta * factor) < fit.log_likelihood
    assert float(fit.predict(4096)) == pytest.approx(float(np.mean(1 - (1 - p) ** 4096)), abs=0.02)
    assert np.abs(fit.predict([1, 16, 128]) - coverage(counts, [1, 16, 128]).values).max() < 0.03


def test_how_many_samples_a_mixture_needs():
    fit = BetaFit(0.3, 3, 0.0)
    for target in (0.001, 0.5, 0.99):
        assert float(fit.predict(fit.samples_for(target))) == pytest.approx(target, abs=1e-9)
    assert BetaFit(1e-4, 3, 0.0).samples_for(0.999) == math.inf
    with pytest.raises(InputError, match="target"):
        fit.samples_for(1.0)


@pytest.mark.parametrize(
    ("ks", "values", "space", "message"),
    [
        ([1, 2, 4], [0, 0, 0], "coverage", "not defined"),
        ([1, 2, 4], [1, 1, 1], "coverage", "does not grow"),
        ([1, 2, 4], [0.5, 0.7, 1], "log", "undefined at 0 and 1, which 1 of 3"),
        ([1, 2, 4], [0.5, 0.4, 0.3], "log", "does not grow"),
        ([1, 2], [0.1, 0.2], "coverage", "at least 3"),
        ([1, 2, 2], [0.1, 0.2, 0.2], "coverage", "at least 3"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "coverage", "above 0"),
        ([1, 2, 3], [0.1, 0.2, 1.3], "coverage", "in \\[0, 1\\]"),
        ([1, 2, 3], [0.1, 0.2, math.nan], "coverage", "in \\[0, 1\\]"),
    ],
)
def test_curves_without_a_law_are_refused_with_the_reason(ks, values, space, message):
    with pytest.raises(InputError, match=message):
        fit_power_law(ks, values, space)


def test_saturated_and_starting_curves_still_fit_in_coverage_space():
    late = fit_power_law([1, 2, 4, 8], [0, 0, 0, 0.1])
    assert late.residual < 1e-3
    early = fit_power_law([1, 2, 4, 8], [0.9, 1, 1, 1])
    assert early.residual < 1e-3


def test_counts_without_a_mixture_are_refused():
    with pytest.raises(InputError, match="none of 20 samples"):
        fit_beta((10, [0, 0]))
    with pytest.raises(InputError, match="all of 20 samples"):
        fit_beta((10, [10, 10]))


def test_shifted_curves_of_one_family_lie_on_one_another():
    k = np.logspace(0, 4, 200)
    shifts = [log_shift(k, np.exp(-size * k**-0.35), 0.5) for size in (1, 2)]
    assert shifts[1] - shifts[0] == pytest.approx(math.log(2) / 0.35, abs=1e-3)
    assert log_shift([1, 2, 4], [0.1, 0.2, 0.4], 0.3) == pytest.approx(math.log(2) * 1.5)
    assert log_shift([1, 2, 4], [0.5, 0.5, 0.7], 0.5) == 0.0
    with pytest.raises(InputError, match="does not cross"):
        log_shift([1, 2, 4], [0.1, 0.2, 0.4], 0.5)
