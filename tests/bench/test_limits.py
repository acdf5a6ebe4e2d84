"""Resampling with a checker that errs: closed forms against simulation, and the card's fixtures."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.bench.limits import TwoType, false_positives, none_found, reward_curve
from ponder.core.errors import InputError

FIXTURE = TwoType((0.58, 0.42), (0.87, 0.13), completeness=1.0, soundness=0.75)


def test_chance_of_an_accepted_sample_within_k() -> None:
    found = 1 - none_found(200, [40])[0]
    assert found[1] == pytest.approx(0.2)
    assert found[5] == pytest.approx(0.67646, abs=5e-6)
    assert found[20] == pytest.approx(0.99108, abs=5e-6)
    assert found[161] == 1
    assert none_found(5, [0]).tolist() == [[1.0] * 6]


def test_the_closed_form_is_what_random_orders_give() -> None:
    """1e5 orders of 12 samples on three problems; within 4 standard errors, costs of attempts and abstentions included."""
    rng = np.random.default_rng(3)
    base = np.array([[1] * 5 + [0] * 7, [1] * 3 + [0] * 9, [0] * 12], dtype=bool)
    strong = np.array([[1] * 4 + [0] * 8, [1] * 1 + [0] * 11, [0] * 12], dtype=bool)
    curve = reward_curve(base, strong, [1, 2, 5, 12], 2.0, tp_value=1.0, abstain_value=0.1, attempt_cost=0.03)
    orders = rng.permuted(np.tile(np.arange(12), (100_000, 1)), axis=1)
    for k, closed in zip(curve.ks, curve.values, strict=True):
        rewards = np.zeros(len(orders))
        for b, s in zip(base, strong, strict=True):
            seen = b[orders[:, :k]]
            hit = seen.any(axis=1)
            first = np.where(hit, seen.argmax(axis=1), k - 1)
            right = s[orders[np.arange(len(orders)), first]]
            rewards += np.where(hit, np.where(right, 1.0, -2.0), 0.1) - 0.03 * (first + 1)
        rewards /= 3
        assert abs(rewards.mean() - closed) < 4 * rewards.std() / len(orders) ** 0.5


@pytest.mark.parametrize(
    ("cost", "k_star", "reward", "limit"),
    [(0.7, 3, 0.524567, 0.517601), (1.0, 2, 0.472381, 0.432472), (2.0, 1, 0.338800, 0.148708), (4.0, 1, 0.118400, -0.418821)],
)
def test_two_types(cost: float, k_star: int, reward: float, limit: float) -> None:
    assert FIXTURE.rejected == pytest.approx([0.0975, 0.6525])
    assert FIXTURE.flukes == pytest.approx([0.0325, 0.2175])
    assert FIXTURE.optimal_attempts(cost) == k_star
    assert float(FIXTURE.reward(k_star, cost)) == pytest.approx(reward, abs=1e-6)
    assert float(FIXTURE.reward(np.inf, cost)) == pytest.approx(limit, abs=1e-6)


def test_two_types_by_simulation_with_a_cost_of_attempts() -> None:
    rng = np.random.default_rng(5)
    n, cost, each = 200_000, 1.0, 0.05
    model = TwoType((0.6, 0.4), (0.8, 0.2), completeness=0.9, soundness=0.7)
    success = np.where(rng.random(n) < 0.6, 0.8, 0.2)
    reward, open_ = np.zeros(n), np.ones(n, dtype=bool)
    for k in range(1, 6):
        right = rng.random(n) < success
        accepted = rng.random(n) < np.where(right, 0.9, 0.3)
        reward += open_ * (-each + accepted * np.where(right, 1.0, -cost))
        open_ &= ~accepted
        assert abs(reward.mean() - float(model.reward(k, cost, each))) < 4 * reward.std() / n**0.5


def test_perfect_and_useless_checkers() -> None:
    perfect = TwoType((0.5, 0.5), (0.9, 0.2), soundness=1.0)
    assert np.all(np.diff(perfect.reward(np.arange(50), 3.0)) > 0)
    assert float(perfect.reward(np.inf, 3.0)) == pytest.approx(1)
    assert perfect.ceiling() == 1
    half = TwoType((0.5, 0.5), (0.9, 0.0), soundness=1.0)
    assert float(half.reward(np.inf, 3.0)) == pytest.approx(0.5)
    useless = TwoType((0.5, 0.5), (0.9, 0.2), soundness=0.0)
    assert useless.reward(np.array([1, 7, np.inf]), 1.0) == pytest.approx([0.55 - 0.45] * 3)
    assert useless.ceiling() == pytest.approx(0.55)
    assert TwoType((1.0,), (0.0,), soundness=1.0).ceiling() is None
    assert TwoType((1.0,), (0.1,), soundness=0.5).optimal_attempts(4.0) == 0


@pytest.mark.parametrize(("cost", "reward"), [(0.0, 0.91), (1.0, 0.84), (2.0, 0.77), (4.0, 0.63)])
def test_the_reward_of_endless_attempts_falls_by_the_share_of_wrong_ends(cost: float, reward: float) -> None:
    """The published rewards of GPT-4o at 200 attempts: of 100 questions 91 end right, 7 wrong, 2 in no answer."""
    base = np.ones((100, 5), dtype=bool)
    base[98:] = False
    strong = base & (np.arange(100) < 91)[:, None]
    assert reward_curve(base, strong, [5], cost).values[0] == pytest.approx(reward)


@pytest.mark.parametrize(("cost", "published", "right"), [(0.7, 0.5541, 0.5246), (1.0, 0.4884, 0.4724)])
def test_weighing_by_the_posterior_twice_is_the_published_slip(cost: float, published: float, right: float) -> None:
    pi, r, beta = np.array([0.58, 0.42]), np.array([0.87, 0.13]), FIXTURE.rejected
    gain = r - cost * FIXTURE.flukes
    best = FIXTURE.optimal_attempts(cost)
    slip = 0.0
    for k in range(best):
        posterior = pi * beta**k / (pi * beta**k).sum()
        slip += (posterior * beta**k).sum() * (posterior * gain).sum()
    assert slip == pytest.approx(published, abs=5e-5)
    assert float(FIXTURE.reward(best, cost)) == pytest.approx(right, abs=5e-5)


def test_rates_and_ceilings() -> None:
    base = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=bool)
    strong = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    kept = false_positives(base, strong)
    assert kept.dropped == (3,)
    assert kept.ceiling == pytest.approx(0.75)
    assert kept.worst == pytest.approx(0.5)
    assert kept.best == pytest.approx(2.5 / 3)
    assert kept.false_discovery_rate == pytest.approx(0.25)
    assert kept.soundness == pytest.approx(9 / 10)
    assert kept.completeness == 1
    whole = false_positives(base, strong, drop_false_negatives=False)
    assert whole.completeness == pytest.approx(5 / 6)
    assert whole.dropped == ()
    nothing = false_positives(np.zeros((2, 3)), np.zeros((2, 3)))
    assert (nothing.ceiling, nothing.false_discovery_rate, nothing.completeness) == (None, None, None)
    assert nothing.soundness == 1


def test_the_best_number_of_attempts() -> None:
    easy, hard = [1] * 8 + [0] * 2, [1] + [0] * 9
    base, strong = np.array([easy, hard], dtype=bool), np.array([easy, [0] * 10], dtype=bool)
    ks = np.arange(1, 11)
    stars = [reward_curve(base, strong, ks, cost).k_star for cost in (0.0, 1.0, 4.0, 50.0)]
    assert stars[0] > 1
    assert stars == sorted(stars, reverse=True)
    assert stars[-1] == 0
    assert reward_curve(base, strong, ks, 0.0).values[-1] == pytest.approx(0.5)


def test_fit_finds_what_made_the_samples() -> None:
    rng = np.random.default_rng(9)
    success = np.where(np.arange(4000) < 2400, 0.8, 0.2)[:, None]
    strong = rng.random((4000, 50)) < success
    base = np.where(strong, rng.random(strong.shape) < 0.95, rng.random(strong.shape) < 0.3)
    found = TwoType.fit(base, strong)
    assert found.priors == pytest.approx((0.6, 0.4), abs=0.002)
    assert found.success == pytest.approx((0.8, 0.2), abs=0.005)
    assert (found.completeness, found.soundness) == pytest.approx((0.95, 0.7), abs=0.005)
    nested = base & ~strong | strong
    assert TwoType.fit(nested, strong).completeness == 1
    assert TwoType.fit(nested, strong, "published").soundness < 0.7  # means of ratios times means, not the mean of products


def test_bad_input_is_refused() -> None:
    table = np.ones((2, 3))
    for bad in (
        lambda: false_positives(table, np.ones((2, 4))),
        lambda: false_positives(np.zeros((1, 2)), np.ones((1, 2))),
        lambda: reward_curve(table, table, [4], 1.0),
        lambda: reward_curve(table, table, [1], -1.0),
        lambda: TwoType((0.5, 0.4), (0.1, 0.2)),
        lambda: TwoType((0.5, 0.5), (0.1, 1.2)),
        lambda: TwoType.fit(table, table),
        lambda: FIXTURE.reward(1, -1.0),
    ):
        with pytest.raises(InputError):
            bad()
