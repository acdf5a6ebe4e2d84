"""Posteriors that mean what they say: one temperature, fitted on items whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ponder.core.errors import InputError
from ponder.trust.crowds.labels import gold
from ponder.trust.crowds.truth import Truth, normalised


def calibrated(truth: Truth, known: Mapping[Any, Any]) -> tuple[Truth, float]:
    """The same answers with posteriors q^(1/T), renormalised; T has the largest likelihood of the known answers (Guo et al. 2017).

    Fit without `known` first: items whose truth the aggregator was told say nothing of its calibration.

    Args:
        truth: what an aggregator found.
        known: item -> its true class.

    Returns:
        The recalibrated truth and T: above 1 if the aggregator was too sure.
    """
    where, right = gold(truth.labels, known)
    if not len(where):
        raise InputError("calibration needs items whose truth is known")
    logs = np.log(np.maximum(truth.posterior, 1e-12))

    def loss(log_t: float) -> float:
        scores = logs[where] * np.exp(-log_t)
        return -float(np.mean(np.log(np.maximum(normalised(scores)[0][np.arange(len(where)), right], 1e-300))))

    grid = np.linspace(-2, 4, 61)
    for _ in range(4):  # the loss has one minimum in 1/T: a grid closes in on it
        best = int(np.argmin([loss(t) for t in grid]))
        grid = np.linspace(grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)], 21)
    temperature = float(np.exp(grid[10]))
    return replace(truth, posterior=normalised(logs / temperature)[0]), temperature
