"""Accuracy of choosing one of k samples without a checker, against which coverage is compared."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.bench.stats import Curve, Floats, mean_ends, whole
from ponder.core.errors import InputError

Selection = Literal["majority", "best_of_n", "weighted"]


def selection_curve(
    values: Sequence[Sequence[Hashable]],
    correct: ArrayLike,
    ks: ArrayLike,
    method: Selection,
    subsets: int = 100,
    seed: int = 0,
    scores: ArrayLike | None = None,
) -> Curve:
    """Accuracy of choosing one of k samples without a checker: the mean over random subsets of size k, and over problems.

    Brown et al. 2024, section 4. Ties share the credit: if 2 of 3 tied answers are right, the subset counts 2/3.

    Args:
        values: answers [P][N]; None is an answer that could not be read: it never wins a vote.
        correct: bool[P, N].
        ks: subset sizes, at most N.
        method: "majority" (most frequent answer), "best_of_n" (the sample with the highest score) or "weighted" (the answer
            with the highest total score).
        subsets: how many subsets a problem; nested, so that a problem's subset of size k is part of that of size k + 1.
        seed: of the subsets and the bootstrap.
        scores: [P, N]; needed by "best_of_n" and "weighted", non-negative for "weighted".

    Raises:
        InputError: shapes that differ, k above N, missing or negative scores.
    """
    right = np.asarray(correct)
    grid = np.atleast_1d(whole("ks", ks))
    if right.ndim != 2 or right.size == 0 or [len(v) for v in values] != [right.shape[1]] * len(right):
        raise InputError("values [P][N] and correct [P, N] must have the same shape, with at least one problem and sample")
    if grid.min() < 1 or grid.max() > right.shape[1]:
        raise InputError(f"k must be between 1 and the {right.shape[1]} samples; {grid.min()} to {grid.max()} was asked")
    if subsets < 1:
        raise InputError(f"at least 1 subset is needed, not {subsets}")
    points = _points(method, scores, right.shape)
    rng = np.random.default_rng(seed)
    table = np.empty((len(right), len(grid)))
    for i, row in enumerate(values):
        order = np.argsort(rng.random((subsets, right.shape[1])), axis=1)
        codes, truth = _codes(row, right[i], by_sample=method == "best_of_n")
        table[i] = [_credit(codes[order[:, :k]], points[i][order[:, :k]], truth, method == "best_of_n") for k in grid]
    low, high = mean_ends(table, 1000, seed)
    return Curve(grid, table.mean(axis=0), low, high)


def _points(method: str, scores: ArrayLike | None, shape: tuple[int, ...]) -> Floats:
    """What every sample brings to its answer, shape [P, N]."""
    if method == "majority":
        return np.ones(shape)
    if method not in ("best_of_n", "weighted"):
        raise InputError(f"method must be 'majority', 'best_of_n' or 'weighted', not {method!r}")
    if scores is None:
        raise InputError(f"{method} chooses by scores, and none were given")
    points = np.asarray(scores, dtype=np.float64)
    if points.shape != shape or not np.all(np.isfinite(points)) or (method == "weighted" and np.any(points < 0)):
        raise InputError(f"{method} needs finite{' non-negative' * (method == 'weighted')} scores of shape {shape}, not {points.shape}")
    return points


def _codes(row: Sequence[Any], right: NDArray[Any], by_sample: bool) -> tuple[NDArray[np.intp], Floats]:
    """A class number for every sample (-1 for no answer) and the share of right samples of every class."""
    if by_sample:
        return np.arange(len(row)), np.asarray(right, dtype=np.float64)
    numbers: dict[Any, int] = {}
    codes = np.array([-1 if v is None else numbers.setdefault(v, len(numbers)) for v in row], dtype=np.intp)
    known = codes >= 0
    sizes = np.bincount(codes[known], minlength=len(numbers))
    return codes, np.bincount(codes[known], right[known].astype(np.float64), minlength=len(numbers)) / sizes


def _credit(codes: NDArray[np.intp], points: Floats, truth: Floats, by_sample: bool) -> float:
    """Mean credit over subsets; codes and points of shape (S, k)."""
    if by_sample:
        tied = points == points.max(axis=1, keepdims=True)
        return float(np.mean((truth[codes] * tied).sum(axis=1) / tied.sum(axis=1)))
    rows, classes = len(codes), len(truth)
    if classes == 0:
        return 0.0
    known = codes >= 0
    flat = (np.arange(rows)[:, None] * classes + codes)[known]
    totals = np.bincount(flat, points[known], minlength=rows * classes).reshape(rows, classes)
    present = np.bincount(flat, minlength=rows * classes).reshape(rows, classes) > 0
    totals[~present] = -np.inf
    # Sums of the same weights in another order differ in the last digits: those are ties too.
    tied = present & (totals >= totals.max(axis=1, keepdims=True) * (1 - 1e-12))
    return float(np.mean(np.where(tied.any(axis=1), (tied * truth).sum(axis=1) / np.maximum(tied.sum(axis=1), 1), 0.0)))
