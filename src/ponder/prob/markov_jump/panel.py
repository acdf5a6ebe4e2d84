"""Observations of a chain at some times only."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError


@dataclass(frozen=True)
class Panel:
    """Paths seen at some times, padded to one length.

    Attributes:
        states: labels seen, from 0, shape (paths, m); what is beyond a path's length is 0.
        lengths: observations a path, at least 2, shape (paths,).
        gaps: the distinct times between neighbouring observations, shape (g,).
        gap: which of them lies between observation k and k + 1, shape (paths, m - 1).
        n_states: how many states there are.
    """

    states: np.ndarray
    lengths: np.ndarray
    gaps: np.ndarray
    gap: np.ndarray
    n_states: int

    @classmethod
    def from_paths(cls, times: Sequence[np.ndarray], states: Sequence[np.ndarray], n_states: int) -> Panel:
        """Data of your own: one array of increasing times and one of labels a path. Paths of one point are dropped, with a warning.

        Raises:
            InputError: nothing given, arrays of unequal length, times that do not increase or are not finite, labels outside 0..n_states-1.
        """
        if len(times) != len(states) or not len(times):
            raise InputError(f"there must be as many arrays of times as of states and at least one, not {len(times)} and {len(states)}")
        for k, (t, s) in enumerate(zip(times, states, strict=True)):
            _check_path(k, np.asarray(t, dtype=float), np.asarray(s), n_states)
        kept = [k for k, t in enumerate(times) if len(t) > 1]
        if len(kept) < len(times):
            warnings.warn(f"{len(times) - len(kept)} paths of fewer than 2 observations say nothing of rates and are dropped", stacklevel=2)
        if not kept:
            raise InputError("no path has 2 observations, so nothing can be said of the rates")
        lengths = np.array([len(times[k]) for k in kept])
        filled, gap = np.zeros((len(kept), lengths.max()), dtype=int), np.zeros((len(kept), lengths.max() - 1))
        for row, k in enumerate(kept):
            filled[row, : lengths[row]] = states[k]
            gap[row, : lengths[row] - 1] = np.diff(times[k])
        inside = np.arange(gap.shape[1]) < lengths[:, None] - 1
        # Differences of equal steps differ by rounding: ten digits tell gaps apart.
        rounded = np.round(gap[inside] / gap.max(), 10)
        distinct, which = np.unique(rounded, return_inverse=True)
        index = np.zeros(gap.shape, dtype=int)
        index[inside] = which
        return cls(filled, lengths, distinct * gap.max(), index, n_states)

    @classmethod
    def regular(cls, times: np.ndarray, states: np.ndarray, n_states: int) -> Panel:
        """Paths seen at the same times, labels of shape (paths, m)."""
        return cls.from_paths([times] * len(states), list(states), n_states)

    @property
    def inside(self) -> np.ndarray:
        """Whether there is an observation after each gap, shape (paths, m - 1)."""
        return np.arange(self.gap.shape[1]) < self.lengths[:, None] - 1

    def counts(self) -> np.ndarray:
        """How often each pair of labels lies at the two ends of each gap, shape (g, n, n)."""
        n = self.n_states
        code = (self.gap * n + self.states[:, :-1]) * n + self.states[:, 1:]
        return np.bincount(code[self.inside], minlength=len(self.gaps) * n * n).reshape(-1, n, n).astype(float)


def _check_path(k: int, t: np.ndarray, s: np.ndarray, n_states: int) -> None:
    if t.ndim != 1 or t.shape != s.shape:
        raise InputError(f"path {k} has {t.shape} times and {s.shape} labels")
    if not np.all(np.isfinite(t)) or np.any(np.diff(t) <= 0):
        raise InputError(f"the times of path {k} must be finite and increase: sort them, and keep one label a time")
    if len(s) and (not np.issubdtype(s.dtype, np.integer) or s.min() < 0 or s.max() >= n_states):
        raise InputError(f"labels of path {k} must be whole numbers from 0 to {n_states - 1}, not {sorted(set(s.tolist()))[:8]}")
