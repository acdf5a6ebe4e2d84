"""The reproduction of adaptive data analysis at a small size, and its thresholds."""

from pathlib import Path

import numpy as np
import pytest

from ponder.papers.trust.adaptive_attacks import Noise, feature_selection, majority_attack, noise_prompts
from ponder.papers.trust.adaptive_data_analysis import attack_accuracy, benchmark_checks, coins, selection_checks, weights


def test_the_majority_attack_follows_its_formula_and_noise_has_a_best_size():
    runs = {s: np.mean([majority_attack(600, s, r) for r in range(4)], axis=0) for s in (0.0, 0.045, 0.2)}
    for sigma, (accuracy, _) in runs.items():
        assert accuracy == pytest.approx(attack_accuracy(600, 600, sigma), abs=0.035)
    worst = {s: w for s, (_, w) in runs.items()}
    assert worst[0.045] < 0.8 * worst[0.0]
    assert worst[0.045] < worst[0.2], "too much noise is as bad as none"


def test_a_raw_holdout_is_overfitted_and_a_reusable_one_is_not():
    """n = d = 1000, k = 200; the standard error of a mean accuracy over 4 repetitions is .008."""
    naive, reusable = (feature_selection(1000, 4, False, how, 0).at(200) for how in ("naive", "science2015"))
    assert naive[1] - naive[2] >= 0.1
    assert abs(reusable[1] - reusable[2]) <= 0.05
    assert reusable[0] > 0.7, "the training half is overfitted all the same"


def test_below_its_threshold_the_mechanism_repeats_the_training_half():
    naive, reusable = (feature_selection(500, 6, False, how, 0).at(10) for how in ("naive", "theorem"))
    assert reusable[1] > naive[1]


def test_noise_prompts_gain_only_on_the_raw_holdout(tmp_path: Path):
    found = noise_prompts(coins(5), tmp_path, 5)
    assert found.naive > 0.6
    assert abs(found.reusable - 0.5) <= 0.1
    assert found.source == "holdout"
    assert 0 < found.remaining < 100
    assert abs(found.reusable_fresh - 0.5) < 0.1


def test_thresholds_are_those_set_before_the_run():
    just = selection_checks((0.7, 0.601, 0.5), (0.7, 0.539, 0.5), (0, 0, 0.73), (0, 0, 0.722))
    assert [c.passed for c in just] == [True, True, True]
    off = selection_checks((0.7, 0.599, 0.5), (0.7, 0.541, 0.5), (0, 0, 0.73), (0, 0, 0.715))
    assert [c.passed for c in off] == [False, False, False]
    for naive, reusable, passed in ((0.601, 0.579, [True, True]), (0.59, 0.41, [False, False])):
        noise = Noise(naive, reusable, 0.5, 0.5, "holdout", 9, (1, 1))
        assert [c.passed for c in benchmark_checks(noise)] == passed


def test_multiplicative_weights_stay_within_their_bound():
    checks, table = weights(1)
    assert all(c.passed for c in checks)
    assert len(table.rows) == 2
