"""What the reproduction counts, on runs that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ponder.core.seeds import generator
from ponder.papers.trust import tester_learner_halfspaces as paper
from ponder.papers.trust.tester_learner_halfspaces import GAUSSIAN, MARGINALS, THREE, Fitted


def runs(gaussian: Fitted, other: Fitted) -> paper.Runs:
    return {(name, noise): [gaussian if name == GAUSSIAN else other] * 20 for name in MARGINALS for noise in paper.NOISES}


GOOD, REFUSED = Fitted(True, 0.004, 0.02, 1.0, ""), Fitted(False, 0.3, 0.3, 60.0, "moment 4")


def test_thresholds_are_those_set_before_the_run():
    assert all(c.passed for c in (*paper.learning_checks(runs(GOOD, REFUSED)), *paper.testing_checks(runs(GOOD, REFUSED))))
    late = Fitted(True, 0.011, 0.021, 1.0, "")
    assert [c.passed for c in paper.learning_checks(runs(late, REFUSED))] == [False, False] * 2
    assert [c.passed for c in paper.testing_checks(runs(GOOD, Fitted(True, 0.021, 0.3, 60.0, "")))] == [True, False, False]
    some = runs(GOOD, REFUSED)
    some[GAUSSIAN, "massart"] = [GOOD] * 17 + [REFUSED] * 3
    assert [c.passed for c in paper.testing_checks(some)] == [False, True, True]


def test_ablation_needs_something_to_catch():
    seen = {GAUSSIAN: [(True, True, 0.0)] * 5, THREE: [(False, True, 0.26)] * 5}
    assert all(c.passed for c in paper.ablation_checks(seen))
    assert [c.passed for c in paper.ablation_checks({**seen, THREE: [(True, False, 0.0)] * 5})] == [False, False, False, True]


@pytest.mark.parametrize("marginal", MARGINALS)
def test_marginals_are_isotropic(marginal: str):
    x = MARGINALS[marginal](generator(0, [marginal]))
    assert np.abs(x.mean(axis=0)).max() < 0.03
    assert np.abs(x.T @ x / len(x) - np.eye(paper.D)).max() < 0.08


def test_noises_flip_what_they_say():
    x, w = generator(0).standard_normal((2000, 10)), np.eye(10)[0]
    y, share = paper.labelled(x, w, "adversarial", generator(1))
    flipped = y != np.where(x @ w >= 0, 1, -1)
    assert share == 0.1
    assert np.abs(x[flipped, 0]).min() >= np.abs(x[~flipped, 0]).max()
    y, share = paper.labelled(x, w, "massart", generator(1))
    assert share == pytest.approx(0.3 * np.minimum(1, np.abs(x[:, 1])).mean(), abs=0.04)


def test_henze_zirkler_is_uniform_under_normality_and_small_elsewhere():
    rng = generator(2)
    normal = [paper.henze_zirkler(whitened(rng.standard_normal((200, 3)))) for _ in range(200)]
    assert stats.kstest(normal, "uniform").pvalue > 0.001
    assert paper.henze_zirkler(whitened(rng.exponential(size=(200, 3)))) < 1e-6


def whitened(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) @ paper._inverse_root(x)
