"""AUROC against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ponder.bench.ranking import auroc, auroc_within
from ponder.core.errors import InputError


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        scores, labels = rng.integers(0, 6, 40), rng.random(40) < 0.4
        pairs = [(p > n) + 0.5 * (p == n) for p in scores[labels] for n in scores[~labels]]
        assert auroc(scores, labels) == pytest.approx(np.mean(pairs))
    assert auroc([1.0, 1.0], [0, 1]) == 0.5
    assert auroc([0.0, 3.0], [0, 1]) == 1
    assert math.isnan(auroc([1.0, 2.0], [1, 1]))


def test_within_problems_difficulty_does_not_count() -> None:
    labels = np.array([[1, 1, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]], dtype=bool)
    difficulty = np.repeat([[0.9], [0.1], [1.0]], 4, axis=1)
    assert auroc(difficulty, labels) > 0.8
    assert auroc_within(difficulty, labels) == 0.5
    assert auroc_within(labels.astype(float), labels) == 1
    assert math.isnan(auroc_within(difficulty, np.ones((3, 4))))


def test_bad_input_is_refused() -> None:
    for bad in (lambda: auroc([1.0], [1, 0]), lambda: auroc([math.nan, 1.0], [1, 0]), lambda: auroc_within([1.0], [1])):
        with pytest.raises(InputError):
            bad()
