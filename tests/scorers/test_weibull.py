import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ponder.core.errors import InputError
from ponder.core.terms import REGISTRY
from ponder.scorers.weibull import FIRST_START, Pruner, _loss, fit_weibull_mixture, weibull


def fixture():
    """Forty likely paths and twenty-four unlikely ones."""
    rng = np.random.default_rng(0)
    return np.clip(np.concatenate([0.8 * rng.weibull(8, 40), 0.2 * rng.weibull(2, 24)]), 1e-4, 0.999)


def reference_nll(theta, x):
    """The density as it is written in the paper."""
    w, k1, l1, k2, l2 = theta
    with np.errstate(all="ignore"):
        first, second = (k / s * (x / s) ** (k - 1) * np.exp(-((x / s) ** k)) for k, s in ((k1, l1), (k2, l2)))
        return -np.sum(np.log(np.maximum(w * first + (1 - w) * second, 1e-300)))


def by_scipy(x):
    bounds = [(0.2, 0.8)] + [(0.01, None)] * 4
    return minimize(reference_nll, FIRST_START, args=(np.maximum(x, 1e-12),), bounds=bounds, method="L-BFGS-B")


def data(seed):
    """Two clear groups, no groups, one group, and weights over many orders of magnitude."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([16, 32, 64, 128]))
    if seed % 5 == 0:
        return np.clip(np.concatenate([0.8 * rng.weibull(8, n // 2), 0.2 * rng.weibull(2, n - n // 2)]), 1e-4, 0.999)
    if seed % 5 == 1:
        return rng.random(n)
    if seed % 5 == 2:
        return np.clip(rng.beta(8, 3, n), 1e-4, 0.999)
    if seed % 5 == 3:
        return np.exp(rng.normal(-0.3, 0.15, n)).clip(None, 0.999)
    x = np.exp(rng.normal(-8, 3, n))
    return x / x.mean()


def test_the_published_fixture():
    x = fixture()
    fit = fit_weibull_mixture(x)
    assert fit.converged
    assert fit.weight == pytest.approx(0.592, abs=1e-3)
    assert (fit.shape[0], fit.scale[0]) == pytest.approx((8.487, 0.822), abs=2e-3)
    assert (fit.shape[1], fit.scale[1]) == pytest.approx((2.021, 0.205), abs=2e-3)
    assert fit.nll == pytest.approx(-15.788, abs=1e-3)
    keep = weibull()(x)
    assert not keep[40:].any()
    assert 24 <= np.sum(~keep) <= 28


def test_at_least_as_likely_as_l_bfgs_b_from_the_published_start():
    for x in [fixture(), *(data(seed) for seed in range(20))]:
        fit = fit_weibull_mixture(x)
        theta = (fit.weight, fit.shape[0], fit.scale[0], fit.shape[1], fit.scale[1])
        assert fit.nll == pytest.approx(reference_nll(theta, np.maximum(x, 1e-12)), abs=1e-6)
        assert fit.nll <= by_scipy(x).fun + 1e-4
        assert 0.2 <= fit.weight <= 0.8
        assert min(*fit.shape, *fit.scale) >= 0.0099


def test_the_gradient_is_that_of_the_loss():
    log_x = np.log(data(1))
    theta = np.array([0.3, 0.2, -0.1, 1.1, -0.7])
    _, slope = _loss(log_x, theta)
    for i in range(5):
        step = np.eye(5)[i] * 1e-6
        assert slope[i] == pytest.approx((_loss(log_x, theta + step)[0] - _loss(log_x, theta - step)[0]) / 2e-6, rel=1e-5)


def test_the_posterior_is_that_of_the_component_with_the_larger_mean():
    x = fixture()
    fit = fit_weibull_mixture(x)
    first, second = (k / s * (x / s) ** (k - 1) * np.exp(-((x / s) ** k)) for k, s in zip(fit.shape, fit.scale, strict=True))
    assert fit.p_high == pytest.approx(fit.weight * first / (fit.weight * first + (1 - fit.weight) * second), abs=1e-9)
    means = [s * math.gamma(1 + 1 / k) for k, s in zip(fit.shape, fit.scale, strict=True)]
    assert means[0] > means[1]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_pruner_keeps_all_at_or_above_the_mean_whatever_the_weights(values):
    x = np.array(values)
    keep = weibull()(x)
    assert keep.shape == x.shape
    assert keep.any()
    assert keep[x >= x.mean()].all()


def test_order_does_not_matter():
    x = data(5)
    order = np.random.default_rng(0).permutation(len(x))
    assert np.array_equal(weibull()(x)[order], weibull()(x[order]))


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9])
def test_only_relative_weights_matter(scale):
    for seed in range(5):
        assert np.array_equal(weibull()(data(seed)), weibull()(data(seed) * scale))


def test_weights_of_zero_and_of_many_orders_of_magnitude():
    x = np.exp(np.linspace(-80, 0, 30))
    x[0] = 0.0
    fit = fit_weibull_mixture(x / x.mean())
    assert math.isfinite(fit.nll)
    assert np.all((fit.p_high >= 0) & (fit.p_high <= 1))


def test_few_or_equal_weights_prune_nothing():
    assert weibull()(np.full(64, 0.7)).all()
    assert weibull()(np.zeros(8)).all()
    assert weibull()(np.array([0.01, 0.5, 0.6, 0.7] * 5)).all()
    with pytest.raises(InputError, match="5 different"):
        fit_weibull_mixture([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("bad", [[], [[1.0]], [1.0, math.nan], [1.0, math.inf], [1.0, -0.1]])
def test_weights_that_are_none_are_refused(bad):
    with pytest.raises(InputError, match="path weights"):
        weibull()(np.array(bad))


def test_it_has_a_place_in_the_text_form():
    assert REGISTRY["weibull"] is weibull
    assert isinstance(weibull(), Pruner)
    assert str(weibull()) == "weibull"
