"""Sequences of events with marks, padded to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError


@dataclass(frozen=True, eq=False)
class EventBatch:
    """Sequences observed from time 0 to an end. A sequence without events is one: it says that nothing happened.

    Attributes:
        times: of events, increasing, above 0, shape (B, L); beyond a sequence's length its end.
        marks: from 0 to n_marks - 1, shape (B, L); beyond a sequence's length 0.
        lengths: events a sequence, shape (B,).
        ends: when observation ended, shape (B,).
        n_marks: how many marks there are.
    """

    times: NDArray[np.float64]
    marks: NDArray[np.int64]
    lengths: NDArray[np.int64]
    ends: NDArray[np.float64]
    n_marks: int

    @classmethod
    def from_lists(
        cls, times: Sequence[ArrayLike], marks: Sequence[ArrayLike], ends: ArrayLike, n_marks: int, starts: ArrayLike = 0.0
    ) -> EventBatch:
        """Data of your own.

        Args:
            times: an array of increasing times for each sequence, in (start, end].
            marks: an array of as many whole numbers from 0 on.
            ends: when observation ended, for all or for each.
            n_marks: how many marks there are.
            starts: when observation began; times are counted from there.

        Raises:
            InputError: no sequences, unequal lengths, times that do not increase (ties: move one of them yourself) or lie outside
                (start, end], marks that are none.
        """
        n = len(times)
        if not n or len(marks) != n:
            raise InputError(f"there must be as many arrays of marks as of times and at least one, not {n} and {len(marks)}")
        if n_marks < 1:
            raise InputError(f"there must be at least 1 mark, not {n_marks}")
        begin, end = (np.broadcast_to(np.asarray(a, dtype=float), (n,)) for a in (starts, ends))
        rows = [_checked(i, times[i], marks[i], begin[i], end[i], n_marks) for i in range(n)]
        lengths = np.array([len(t) for t, _ in rows])
        filled = np.repeat((end - begin)[:, None], lengths.max(), axis=1)
        labels = np.zeros(filled.shape, dtype=np.int64)
        for i, (t, m) in enumerate(rows):
            filled[i, : len(t)], labels[i, : len(t)] = t - begin[i], m
        return cls(filled, labels, lengths, end - begin, n_marks)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> EventBatch:
        """Some of the sequences, as long as the longest of them."""
        longest = int(self.lengths[rows].max(initial=0))
        return EventBatch(self.times[rows, :longest], self.marks[rows, :longest], self.lengths[rows], self.ends[rows], self.n_marks)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Where there is an event, shape (B, L)."""
        return np.arange(self.times.shape[1]) < self.lengths[:, None]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """Time from the event before (from 0 for the first) to each event, shape (B, L); 1 where there is none."""
        return np.where(self.inside, np.diff(self.times, axis=1, prepend=0.0), 1.0)

    @property
    def last_gap(self) -> NDArray[np.float64]:
        """Time from the last event to the end, in which nothing happened, shape (B,)."""
        last = np.where(self.inside, self.times, 0.0).max(axis=1, initial=0.0)
        return self.ends - last

    def before(self, times: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """For a batch of one sequence: how many events came before each of some times, and how long ago the last; shapes (T,).

        Raises:
            InputError: more than one sequence, or a time that is not above 0.
        """
        when = np.asarray(times, dtype=float)
        if len(self) != 1 or when.ndim != 1 or not np.all(when > 0):
            raise InputError(f"this looks at one sequence at times above 0, not at {len(self)} at times of shape {when.shape}")
        events = np.concatenate([[0.0], self.times[0, : self.lengths[0]]])
        count = np.searchsorted(events[1:], when, side="left")
        return count, when - events[count]


@dataclass(frozen=True, eq=False)
class LogProb:
    """Log-density of sequences, each of shape (B,): their sum is the log-density of events, marks and what did not happen.

    Attributes:
        time: of the gaps, whatever their marks.
        mark: of the marks, given the gaps.
        survival: that no event came between the last one and the end.
    """

    time: NDArray[np.float64]
    mark: NDArray[np.float64]
    survival: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        return self.time + self.mark + self.survival


def _checked(i: int, times: ArrayLike, marks: ArrayLike, start: float, end: float, n_marks: int) -> tuple[NDArray, NDArray]:
    t, m = np.asarray(times, dtype=float), np.asarray(marks)
    if not (np.isfinite(start) and np.isfinite(end) and end > start):
        raise InputError(f"sequence {i} must be observed over a finite time, not from {start} to {end}")
    if t.ndim != 1 or t.shape != m.shape:
        raise InputError(f"sequence {i} has times of shape {t.shape} and marks of shape {m.shape}; both must be (events,)")
    if not len(t):
        return t, np.zeros(0, dtype=np.int64)
    if not np.all(np.isfinite(t)) or np.any(np.diff(t) <= 0):
        raise InputError(f"the times of sequence {i} must be finite and increase; break ties yourself, by moving one of the events")
    if t[0] <= start or t[-1] > end:
        raise InputError(f"the times of sequence {i} must lie above {start:g} and at most at {end:g}, not from {t[0]:g} to {t[-1]:g}")
    if not np.issubdtype(m.dtype, np.integer) or m.min() < 0 or m.max() >= n_marks:
        raise InputError(f"the marks of sequence {i} must be whole numbers from 0 to {n_marks - 1}, not {sorted(set(m.tolist()))[:8]}")
    return t, m
