"""The reproduction of truth inference at a small size, and its thresholds."""

import numpy as np
import pytest

from ponder.papers.trust.netease_crowd import CHUNKS, calibration_table, drift_checks, early, model_checks, stopping_checks, streamed
from ponder.trust.crowds import simulate_crowd


def test_a_stream_reads_everything_and_tracks_workers():
    accuracy, errors = streamed(simulate_crowd(60, 1500, drift=3.0, seed=1), 0.9)
    assert accuracy > 0.9
    assert errors.shape == (CHUNKS,)
    assert np.isnan(errors[0]), "no worker is known before the first chunk"
    assert 0 < np.nanmean(errors) < 0.3


def test_early_stopping_saves_answers():
    saved, lost = early(simulate_crowd(60, 1000, seed=2))
    assert 0.2 < saved < 0.7
    assert abs(lost) < 0.05


def test_calibration_is_reported_for_three_models():
    rows = calibration_table(simulate_crowd(60, 1500, seed=3)).rows
    assert [r[0] for r in rows] == ["majority", "one_coin", "dawid_skene"]
    assert rows[0][3] < 1, "a majority of six is less sure than it could be"


def gains(points):
    names = ("dawid_skene", "one_coin", "mace", "glad", "ebcc")
    return model_checks({"majority": np.array([0.9, 0.9]), **{n: 0.9 + np.array(points) / 100 for n in names}})


def test_thresholds_are_those_set_before_the_run():
    assert all(c.passed for c in gains([2.1, 2.1]))
    assert [c.passed for c in gains([-0.1, 3.3])].count(False) == 7, "1.6 points are no 2, and a seed lost"
    assert [c.passed for c in gains([1.4, 1.4])].count(True) == 2
    online = {(0.0, 0.9): np.array([0.9509]), (0.0, 1.0): np.array([0.95]), (3.0, 0.9): np.array([0.9521]), (3.0, 1.0): np.array([0.95])}
    tracking = {0.9: np.full(CHUNKS, 0.1), 1.0: np.full(CHUNKS, 0.2)}
    assert [c.passed for c in drift_checks(online, tracking)] == [True, True, True]
    swapped = {(d, 0.9 if g == 1.0 else 1.0): v for (d, g), v in online.items()}
    assert [c.passed for c in drift_checks(swapped, {0.9: tracking[1.0], 1.0: tracking[0.9]})] == [False, True, False]
    assert [c.passed for c in stopping_checks([(0.251, 0.0049)])] == [True, True]
    assert [c.passed for c in stopping_checks([(0.24, 0.006)])] == [False, False]


def test_a_gain_without_drift_counts_against_the_claim():
    online = {(0.0, 0.9): np.array([0.96]), (0.0, 1.0): np.array([0.95]), (3.0, 0.9): np.array([0.96]), (3.0, 1.0): np.array([0.95])}
    check = drift_checks(online, {g: np.ones(CHUNKS) for g in (0.9, 1.0)})[1]
    assert check.measured == pytest.approx(1.0)
    assert not check.passed
