"""Closed forms of adaptive sampling against simulation, and replays of drawn samples."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.bench.stopping import binary_stopping, expected_quality, expected_samples, pruned_tokens, replay, share_of_gain, tune_threshold
from ponder.core.errors import InputError

PROMPTS, N = 100_000, 16
PUBLISHED = {0.5: (2.0, 0.7500, 0.567), 0.8: (4.859, 0.8959, 0.897), 0.9: (8.147, 0.9309, 0.977), 0.95: (11.197, 0.9394, 0.996)}


@pytest.mark.parametrize("threshold", PUBLISHED)
def test_closed_forms_have_the_card_s_figures_and_those_of_a_simulation(threshold: float) -> None:
    """1e5 prompts: standard errors are below .02 samples and .0006 of quality; five of them are allowed."""
    samples, quality, share = PUBLISHED[threshold]
    assert expected_samples(threshold, N) == pytest.approx(samples, abs=6e-4)
    assert expected_quality(threshold, N) == pytest.approx(quality, abs=6e-5)
    assert share_of_gain(threshold, N) == pytest.approx(share, abs=6e-4)
    values = np.random.default_rng(15).random((PROMPTS, N))
    stopped = replay(values, threshold)
    spread = stopped.samples.std() / PROMPTS**0.5
    assert abs(stopped.samples.mean() - expected_samples(threshold, N)) < 5 * spread
    assert abs(stopped.of(values).mean() - expected_quality(threshold, N)) < 0.005


def test_saturated_questions_stop_at_once() -> None:
    rng = np.random.default_rng(16)
    values = np.where(rng.random((PROMPTS, 1)) < 0.6, 1.0, rng.random((PROMPTS, N)))
    assert abs(replay(values, 0.9).samples.mean() - expected_samples(0.9, N, saturated=0.6)) < 0.06
    assert expected_samples(0.9, N, saturated=1) == 1
    assert expected_samples(0.9, N, 0.6) == pytest.approx(0.6 + 0.4 * expected_samples(0.9, N))


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.75, 0.9])
def test_binary_rewards_stop_as_an_exact_value_says(threshold: float) -> None:
    rng = np.random.default_rng(17)
    for p in (0.0, 0.05, 0.3, 0.6, 1.0):
        right = rng.random((PROMPTS // 5, N)) < p
        stopped = replay(np.where(right, 1.0, 1 - p), threshold)
        samples, accuracy = binary_stopping(p, threshold, N)
        assert abs(stopped.samples.mean() - samples) < 0.2
        assert abs(stopped.of(right).mean() - accuracy) < 0.02


def test_limits_and_monotony() -> None:
    assert expected_samples(0, N) == 1
    assert expected_samples(1, N) == N
    assert expected_quality(0, N) == 0.5
    assert expected_quality(1, N) == pytest.approx(N / (N + 1))
    grid = np.linspace(0, 1, 101)
    for f in (expected_samples, expected_quality):
        assert np.all(np.diff([f(t, N) for t in grid]) >= 0)
    values = np.random.default_rng(1).random((500, N))
    assert np.all(np.diff([replay(values, t).samples.mean() for t in grid]) >= 0)
    assert replay(values, 0).samples.tolist() == [1] * 500
    assert replay(values, None).chosen.tolist() == values.argmax(axis=1).tolist()
    assert share_of_gain(1 / 6, N) == pytest.approx(0.19, abs=0.01)


def test_the_token_ledger() -> None:
    assert pruned_tokens(16, 64, 0.5, 256) == 2560
    assert pruned_tokens(16, 64, 0.25, 256) == 1792
    assert pruned_tokens(16, 64, 1, 256) == 4096
    assert pruned_tokens(16, 64, 0, 256) == 16 * 64 + 192


def test_a_tuned_threshold_keeps_its_mean_and_the_next_one_does_not() -> None:
    values = np.round(np.random.default_rng(2).random((400, N)), 3)
    for samples in (1, 2.5, 6, N):
        t = tune_threshold(values, samples)
        assert replay(values, t).samples.mean() <= samples
        above = values[values > t]
        assert not above.size or replay(values, float(above.min())).samples.mean() > samples


def test_bad_input_is_refused() -> None:
    for bad in (
        lambda: expected_samples(1.2, N),
        lambda: expected_samples(0.5, 0),
        lambda: expected_quality(-0.1, N),
        lambda: share_of_gain(0.5, 1),
        lambda: pruned_tokens(16, 300, 0.5, 256),
        lambda: binary_stopping([1.5], 0.5, N),
        lambda: replay([0.5], 0.5),
        lambda: replay([[float("nan")]], 0.5),
        lambda: tune_threshold([[0.5]], 0.5),
    ):
        with pytest.raises(InputError):
            bad()
