"""The tester-learner of halfspaces: the ramp in closed form, the tests' moments, what is accepted and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.trust.halfspaces import Accepted, Gaussian, Refused, Rejected, Sampled, TesterLearner, global_tests
from ponder.trust.halfspaces.local_tests import complement, mass_test, moment_tests, quantile, strips_test
from ponder.trust.halfspaces.surrogate import ramp, ramp_slope, row_gradients, surrogate

SMALL = TesterLearner(sigma=0.6, steps=400)


def sample(rows: int = 12_000, d: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(seed, ["rows"])
    x = rng.standard_normal((rows, d))
    y = np.where(x[:, 0] >= 0, 1, -1) * np.where(rng.random(rows) < 0.1, -1, 1)
    return x, y


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_ramp_at_the_points_where_it_is_known(sigma: float):
    at = np.array([-sigma, -sigma / 2, -sigma / 6, 0, sigma / 6, sigma / 2, sigma])
    assert ramp(at, sigma) == pytest.approx([1, 1, 2 / 3, 0.5, 1 / 3, 0, 0], abs=1e-15)
    assert ramp_slope(at, sigma) == pytest.approx(np.array([0, 0, -1, -1, -1, 0, 0]) / sigma, abs=1e-12)


def test_ramp_is_smooth_at_its_joins():
    for join in (-0.5, -1 / 6, 1 / 6, 0.5):
        for f in (ramp, ramp_slope):
            assert float(f(join - 1e-9, 1.0)) == pytest.approx(float(f(join + 1e-9, 1.0)), abs=1e-7)


@given(st.floats(-3, 3), st.floats(0.05, 3))
def test_ramp_is_odd_about_a_half_and_its_slope_is_bounded(t: float, sigma: float):
    assert float(ramp(t, sigma) + ramp(-t, sigma)) == pytest.approx(1)
    assert -4 / (3 * sigma) - 1e-12 <= float(ramp_slope(t, sigma)) <= 0
    step = 1e-6 * sigma
    difference = float(ramp_slope(t + step, sigma) - ramp_slope(t - step, sigma)) / (2 * step)
    assert abs(difference) <= 12 / sigma**2 * (1 + 1e-6)


def test_gradient_is_that_of_the_surrogate_and_tangent():
    x, y = sample(500)
    w = np.array([0.5, 0.5, -0.5, 0.5])
    gradient = row_gradients(w, x, y, 0.8).mean(axis=0)
    assert gradient @ w == pytest.approx(0, abs=1e-12)
    numeric = [(surrogate(w + 1e-6 * e, x, y, 0.8) - surrogate(w - 1e-6 * e, x, y, 0.8)) / 2e-6 for e in np.eye(4)]
    assert gradient == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize("w", [np.array([0.0, -1.0, 0.0]), np.array([0.6, 0.0, 0.8]), np.ones(3) / np.sqrt(3)])
def test_complement_is_an_orthonormal_basis_of_what_is_orthogonal(w: np.ndarray):
    basis = complement(w)
    assert basis.T @ basis == pytest.approx(np.eye(2))
    assert w @ basis == pytest.approx(np.zeros(2), abs=1e-12)
    untouched = [e for e in np.eye(3) if abs(e @ w) < 1e-12]
    assert all(np.any(np.abs(basis.T @ e) > 1 - 1e-12) for e in untouched)


def test_moments_of_a_three_point_law_are_gaussian_up_to_degree_5():
    points = np.array([-np.sqrt(3), 0, np.sqrt(3)])
    expected = Gaussian().moments(None, np.eye(1), np.inf, 8).powers
    exact = [float(np.array([1 / 6, 2 / 3, 1 / 6]) @ points**p) for p in range(3, 9)]
    assert [float(mean[0]) for _, mean, _ in expected] == [0, 3, 0, 15, 0, 105]
    assert exact[:3] == pytest.approx([0, 3, 0])
    assert exact[3] == pytest.approx(9)
    assert [float(variance[0]) for _, _, variance in expected[:2]] == [15, 96]


def test_moments_by_hand():
    z = np.array([[1.0, 2.0], [-1.0, 0.0], [3.0, 1.0], [1.0, 1.0]])
    by_name = {t.test: t for t in moment_tests(z, Gaussian().moments(None, np.eye(2), np.inf, 4), 0.01, "here", np.eye(2))}
    assert by_name["mean here"].statistic == pytest.approx(1.0 * 2)
    assert by_name["moment 4 here"].statistic == pytest.approx((84 / 4 - 3) / np.sqrt(96 / 4))
    assert by_name["squares here"].statistic == pytest.approx((14 / 4 - 1) / np.sqrt(8 / 4))
    assert by_name["moment 3 here"].high == pytest.approx(quantile(0.005))
    assert by_name["second moments here"].statistic == pytest.approx(np.linalg.eigvalsh(z.T @ z / 4 - np.eye(2))[-1])
    assert not by_name["moment 4 here"].passed


def test_mass_and_disagreement_by_hand():
    x, w = np.array([[0.05, 3.0], [0.5, -1.0], [2.5, 1.0], [-0.2, 1.0]]), np.array([1.0, 0.0])
    assert mass_test(x, w, 0.3, Gaussian()).statistic == 0.5
    # strips of width 1: three rows in strip 0 (their mass counts), one in strip 2 with second moment 1/4 over 2 squared
    assert strips_test(x, w, 1.0, Gaussian()).statistic == pytest.approx(3 / 4 + 1 / 4 / 4)


def test_a_sampled_target_agrees_with_the_exact_one():
    sampled = Sampled(lambda n, d, rng: rng.standard_normal((n, d)), 3, generator(1), rows=100_000)
    w = np.array([0.0, 0.6, 0.8])
    exact, found = (t.moments(w, complement(w), 0.5, 4) for t in (Gaussian(), sampled))
    assert sampled.mass(w, 0.5) == pytest.approx(Gaussian().mass(w, 0.5), abs=0.01)
    assert found.second == pytest.approx(exact.second, abs=0.05)  # 6 standard errors of 38,000 rows
    assert found.squares is not None
    assert exact.squares is not None
    assert found.squares[0] == pytest.approx(exact.squares[0], abs=0.3)


def test_a_gaussian_sample_is_accepted_and_predicts():
    x, y = sample()
    found = SMALL.fit(x, y, generator(0))
    assert isinstance(found, Accepted)
    assert found.w[0] > 0.99
    assert found.degree == 4
    assert found.error_ci[0] <= found.error <= found.error_ci[1]
    assert found.error == pytest.approx(0.1, abs=0.02)
    assert found.predict([[0.0, 0.0, 0.0, 0.0]]).tolist() == [1], "the hyperplane itself is positive"
    assert all(t.passed for t in found.tests)


def test_the_same_seed_gives_the_same_halfspace():
    x, y = sample()
    first, second = (SMALL.fit(x, y, generator(3)) for _ in range(2))
    assert np.array_equal(first.w, second.w)


def test_whitening_undoes_a_linear_map():
    x, y = sample()
    mixed = x @ np.array([[2.0, 0.3, 0, 0], [0, 1, 0, 0], [0, 0.5, 0.2, 0], [0, 0, 0, 3.0]]) + 5.0
    found = TesterLearner(sigma=0.6, steps=400, whiten=True).fit(mixed, y, generator(0))
    assert isinstance(found, Accepted)
    assert np.mean(found.predict(mixed) != y) == pytest.approx(0.1, abs=0.03)


def test_a_sample_that_is_not_gaussian_is_rejected_with_a_witness():
    x, y = sample()
    signs = generator(5).choice([-np.sqrt(3), 0.0, np.sqrt(3)], p=[1 / 6, 2 / 3, 1 / 6], size=x.shape)
    flipped = y != np.where(x[:, 0] >= 0, 1, -1)
    with pytest.warns(UserWarning, match="offset"):  # the points on the hyperplane count as 1
        found = SMALL.fit(signs, np.where((signs[:, 0] >= 0) != flipped, 1, -1), generator(0))
    assert isinstance(found, Rejected)
    assert found.witness in found.tests
    assert not found.witness.passed
    with pytest.raises(Refused, match="rejected"):
        found.predict(signs)
    assert all(t.passed for t in global_tests(signs)), "its global moments of degree 4 are Gaussian"


def test_a_laplace_sample_is_accepted_where_laplace_is_the_target():
    def laplace(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
        return rng.laplace(0, np.sqrt(0.5), (n, d))

    x = laplace(12_000, 4, generator(7))
    y = np.where(x[:, 0] >= 0, 1, -1)
    target = Sampled(laplace, 4, generator(8), rows=100_000)
    assert TesterLearner(target=target, sigma=0.6, steps=400).fit(x, y, generator(0)).accepted
    assert not SMALL.fit(x, y, generator(0)).accepted


def test_adversarial_noise_adds_a_test():
    x, y = sample()
    names = [
        {t.test.split()[0] for t in TesterLearner(noise=n, sigma=0.6, steps=400).fit(x, y, generator(0)).tests}
        for n in ("massart", "adversarial")
    ]
    assert names[1] - names[0] == {"disagreement"}


X, Y = sample(400)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (X, np.where(Y > 0, 1, 0), r"labels must be -1 or 1.*0\.0"),
        (X, Y[:-1], r"400 rows need labels"),
        (X, ["yes"] * 400, "labels must be -1 or 1"),
        (X[:390], Y[:390], "390 rows were given, 400 are needed"),
        (np.where(X > 2.5, np.nan, X), Y, "must be finite"),
        (np.column_stack([X[:, :3], np.full(400, 2.0)]), Y, r"\[3\] are constant"),
        (np.column_stack([X[:, :3], X[:, 0] - 2 * X[:, 1] + 1]), Y, r"\[0, 1, 3\] are tied"),
        (np.column_stack([X[:, :3], X[:, 2]]), Y, r"\[2, 3\] are tied"),
        (X[:, 0], Y, "shape"),
        ([["a"]], [1], "must be numbers"),
    ],
)
def test_bad_samples_are_refused(x: object, y: object, said: str):
    with pytest.raises(InputError, match=said):
        SMALL.fit(x, y, generator(0))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"noise": "random"}, "noise must be"),
        ({"sigma": 0.0}, "sigma must be"),
        ({"sigma": ()}, "sigma must be"),
        ({"delta": 0.0}, "delta must be"),
        ({"degree": 1}, "degree"),
        ({"degree": 4.0}, "degree"),
        ({"steps": 3}, "20 steps"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], said: str):
    with pytest.raises(InputError, match=said):
        TesterLearner(**options)  # type: ignore[arg-type]


def test_a_target_whose_moments_are_tied_is_refused():
    signs = Sampled(lambda n, d, rng: rng.choice([-1.0, 1.0], size=(n, d)), 3, generator(0), rows=20_000)
    with pytest.raises(InputError, match=r"degree \[4\] are tied"):
        signs.moments(None, np.eye(3), np.inf, 4)
    with pytest.raises(InputError, match="mean 0 and covariance I"):
        Sampled(lambda n, d, rng: rng.standard_normal((n, d)) + 1, 3, generator(0), rows=1000)


def test_an_empty_band_is_a_rejection_and_unbalanced_labels_warn():
    x, y = sample()
    found = TesterLearner(sigma=0.01, steps=50).fit(x, y, generator(0))
    assert isinstance(found, Rejected)
    assert any(t.test.startswith("rows within") for t in found.failed)
    with pytest.warns(UserWarning, match="offset"):
        SMALL.fit(x, np.where(x[:, 0] > 1, 1, -1), generator(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SMALL.fit(x, y, generator(0))
