"""How well scores tell positives from negatives, over all problems and within one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ponder.core.errors import InputError


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """The probability that a positive's score is above a negative's, ties counted half; NaN if there is only one kind.

    Args:
        scores: numbers of any shape.
        labels: True and False of the same shape.
    """
    values, truth = _pair(scores, labels)
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        return math.nan
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def auroc_within(scores: ArrayLike, labels: ArrayLike) -> float:
    """The mean AUROC of the rows of two tables of shape (problems, samples), over the problems that have both labels; NaN if none has.

    Pooled over problems, a score that only knows which problems are hard looks good. This does not reward it.
    """
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2 or values.shape != truth.shape:
        raise InputError(f"scores and labels must have one shape (problems, samples), not {values.shape} and {truth.shape}")
    found = [a for row, label in zip(values, truth, strict=True) if not math.isnan(a := auroc(row, label))]
    return float(np.mean(found)) if found else math.nan


def _pair(scores: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if values.shape != truth.shape or values.size == 0 or np.isnan(values).any() or not np.all((truth == 0) | (truth == 1)):
        raise InputError(f"scores must be numbers and labels True or False, of one shape; {values.shape} and {truth.shape} were given")
    return values.ravel(), truth.ravel().astype(bool)
