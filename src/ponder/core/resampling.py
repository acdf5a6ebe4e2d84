"""Resampling schemes: from weights to the indices of survivors.

Each scheme is unbiased: index i is drawn n * weights[i] times in expectation. They differ in the variance of those counts
(Douc, Cappe & Moulines 2005): systematic and stratified <= residual <= multinomial for stratified and residual;
systematic is usually lowest but has no such guarantee.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.core.terms import Term, registered

Weights = NDArray[np.float64]
Indices = NDArray[np.intp]


class Resampler(Term):
    """Draws `n` indices so that index i appears n * weights[i] times in expectation."""

    kind = "resampler"

    def __call__(self, weights: Weights, n: int, rng: np.random.Generator) -> Indices:
        """Indices of the survivors, sorted except for `multinomial`.

        Args:
            weights: shape (m,), non-negative, summing to 1.
            n: how many to draw, at least 1.
            rng: the source of randomness.

        Returns:
            Shape (n,) integers in [0, m).
        """
        raise NotImplementedError


def _invert(weights: Weights, positions: NDArray[np.float64]) -> Indices:
    """The index whose slice of the cumulative weights holds each position in [0, 1)."""
    cumulative = _cumulative(weights)
    return np.minimum(np.searchsorted(cumulative, positions, side="right"), _last(weights))


def _cumulative(weights: Weights) -> Weights:
    cumulative = np.cumsum(weights)
    if weights.ndim != 1 or not np.min(weights) >= 0 or abs(cumulative[-1] - 1) > 1e-5:
        raise InputError("resampling needs non-negative weights of shape (m,) that sum to 1")
    cumulative /= cumulative[-1]
    return cumulative


def _last(weights: Weights) -> int:
    """A position at or beyond the rounded end belongs to the last index that has any weight, never to a weightless one."""
    return len(weights) - 1 - int(np.argmax(weights[::-1] > 0))


@registered
class multinomial(Resampler):
    """Independent draws: the highest variance, the simplest law."""

    def __call__(self, weights: Weights, n: int, rng: np.random.Generator) -> Indices:
        return _invert(weights, rng.random(n))


@registered
class stratified(Resampler):
    """One uniform draw in each of n equal slices (Kitagawa 1996)."""

    def __call__(self, weights: Weights, n: int, rng: np.random.Generator) -> Indices:
        return _invert(weights, (np.arange(n) + rng.random(n)) / n)


@registered
class systematic(Resampler):
    """One uniform draw shared by n equal slices (Carpenter, Clifford & Fearnhead 1999). The usual choice."""

    def __call__(self, weights: Weights, n: int, rng: np.random.Generator) -> Indices:
        # Index i is at positions (j + u) / n from the cumulative weight before it on: j from ceil(n * cumulative - u). Counting where
        # each index ends takes a pass over the weights instead of a search a position.
        ends = np.ceil(n * _cumulative(weights) - rng.random()).astype(np.intp)
        passed = np.bincount(np.clip(ends, 0, n), minlength=n + 1)[:n]
        return np.minimum(np.cumsum(passed), _last(weights))


@registered
class residual(Resampler):
    """floor(n * weight) copies for certain, the rest by multinomial draws (Liu & Chen 1998)."""

    def __call__(self, weights: Weights, n: int, rng: np.random.Generator) -> Indices:
        expected = n * weights
        certain = np.floor(expected + 1e-12).astype(np.intp)
        left = n - int(certain.sum())
        kept = np.repeat(np.arange(len(weights)), certain)
        if left <= 0:
            return kept[:n]
        remainder = np.maximum(expected - certain, 0.0)
        drawn = _invert(remainder / remainder.sum(), rng.random(left))
        return np.sort(np.concatenate([kept, drawn]))
