"""Sampling until a sample is good enough: what it costs and what it gives, in closed form and on drawn samples.

A self-evaluation V(y) = P(r(y) >= r(y')) compares an answer with a fresh sample y' of the same model (Manvi et al. 2024, arXiv
2410.02725). If rewards are continuous and V is exact, V is uniform on (0, 1); where rewards tie, V is larger. The closed forms are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError
from ponder.methods.adaptive import kept

Floats = NDArray[np.float64]


def expected_samples(threshold: float, n: int, saturated: float = 0.0) -> float:
    """Samples that are drawn on average until one is worth at least `threshold`, at most n: (1 - t^n) / (1 - t).

    Args:
        threshold: in [0, 1]; 1 is never reached.
        n: the most samples.
        saturated: share of the questions that the model cannot improve on, where V is 1 at once.

    Raises:
        InputError: for shares outside [0, 1] or n below 1.
    """
    _check(threshold, n, saturated)
    open_ = float(n) if threshold == 1 else (1 - threshold**n) / (1 - threshold)
    return saturated + (1 - saturated) * open_


def expected_quality(threshold: float, n: int) -> float:
    """The rank, as a share in [0, 1], that the best of the drawn samples has on average among all samples of the model.

    A sample that stops the drawing is uniform above the threshold; if none does, the best of n is the largest of n below it:
    (1 - t^n)(1 + t)/2 + t^n * t * n/(n + 1). Best-of-n is t = 1: n/(n + 1).
    """
    _check(threshold, n)
    failed = threshold**n
    return (1 - failed) * (1 + threshold) / 2 + failed * threshold * n / (n + 1)


def share_of_gain(threshold: float, n: int) -> float:
    """What part of the gain of best-of-n over one sample, n/(n + 1) - 1/2, is kept; n of at least 2."""
    _check(threshold, n)
    if n < 2:
        raise InputError("best of one sample gains nothing; n must be at least 2")
    return (expected_quality(threshold, n) - 0.5) / (n / (n + 1) - 0.5)


def binary_stopping(p: ArrayLike, threshold: float, n: int) -> tuple[Floats, Floats]:
    """Samples and accuracy where an answer is right or wrong and V is exact: 1 for a right one, 1 - p for a wrong one.

    A question with 1 - p >= threshold stops at its first sample, right or not: V says that a fresh start would hardly do better,
    not that the answer is right.

    Args:
        p: probability that a sample is right, in [0, 1], one a question.

    Returns:
        Expected samples and accuracy of each question, in the shape of p.
    """
    _check(threshold, n)
    chance = np.asarray(p, dtype=np.float64)
    if not np.all((chance >= 0) & (chance <= 1)):
        raise InputError("probabilities must be in [0, 1]")
    solved = 1 - (1 - chance) ** n
    samples = np.where(chance > 0, solved / np.maximum(chance, 1e-300), float(n))
    hopeless = 1 - chance >= threshold
    return np.where(hopeless, 1.0, samples), np.where(hopeless, chance, solved)


def pruned_tokens(n: int, tokens: int, keep: float, length: int) -> int:
    """Tokens that n samples of a length cost if only a share of them is kept after so many tokens; at least one is kept.

    Raises:
        InputError: unless 1 <= tokens <= length and 0 <= keep <= 1.
    """
    _check(keep, n)
    if not 1 <= tokens <= length:
        raise InputError(f"the cut must lie between 1 and the length {length}, not at {tokens}")
    return n * tokens + kept(n, keep) * (length - tokens)


@dataclass(frozen=True)
class Stopped:
    """Adaptive sampling replayed on drawn samples.

    Attributes:
        samples: how many were drawn for each question, shape (P,).
        chosen: the index of the one that was chosen, the first of the best, shape (P,).
    """

    samples: NDArray[np.int64]
    chosen: NDArray[np.int64]

    def of(self, table: ArrayLike) -> NDArray[np.float64]:
        """What a table of shape (P, N) holds for the chosen samples, shape (P,)."""
        return np.asarray(table, dtype=np.float64)[np.arange(len(self.chosen)), self.chosen]


def replay(values: ArrayLike, threshold: float | None) -> Stopped:
    """Walk each question's samples in order until one is worth at least `threshold` (None: to the end), and take the best so far.

    Args:
        values: V of each sample, shape (P, N).
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or not np.all(np.isfinite(table)):
        raise InputError(f"values must be finite numbers of shape (questions, samples), not of shape {table.shape}")
    reached = table >= threshold if threshold is not None else np.zeros(table.shape, dtype=bool)
    samples = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, table.shape[1])
    drawn = np.where(np.arange(table.shape[1]) < samples[:, None], table, -np.inf)
    return Stopped(samples.astype(np.int64), drawn.argmax(axis=1))


def tune_threshold(values: ArrayLike, samples: float) -> float:
    """The largest threshold that draws at most so many samples a question on average, on samples drawn before.

    Args:
        values: V of each sample, shape (P, N), of questions that are not the ones it will be used on.
        samples: the mean to stay within, at least 1.
    """
    if samples < 1:
        raise InputError(f"at least one sample is drawn a question, so a mean of {samples} cannot be kept")
    table = np.asarray(values, dtype=np.float64)
    grid = np.unique(np.concatenate([[0.0], table.ravel()]))
    low, high = 0, len(grid) - 1
    while low < high:  # the mean grows with the threshold
        middle = (low + high + 1) // 2
        low, high = (middle, high) if float(replay(table, float(grid[middle])).samples.mean()) <= samples else (low, middle - 1)
    return float(grid[low])


def _check(share: float, n: int, saturated: float = 0.0) -> None:
    if not (0 <= share <= 1 and 0 <= saturated <= 1) or n < 1:
        raise InputError(f"shares must be in [0, 1] and n at least 1, not {share}, {saturated} and n={n}")
