"""Excursions of simulated paths: what the approximation is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError
from ponder.prob.gaussian import Correlation, simulate

_CHUNK = 4_000_000


@dataclass(frozen=True)
class Excursions:
    """What simulated paths did at a level.

    A path is looked at every `step`; an excursion that lies between two looks is not seen, so survival is over-estimated a little.

    Attributes:
        step: time between looks.
        intervals: intervals between crossings that began in the first half of a path and ended in it, shape (m,).
        censored: how many began in the first half and had not ended with the path.
        staying: share of paths that have not crossed the level by time k * step, shape (n,).
        paths: how many there were.
    """

    step: float
    intervals: np.ndarray
    censored: int
    staying: np.ndarray
    paths: int

    @property
    def times(self) -> np.ndarray:
        """The times of `staying`."""
        return self.step * np.arange(len(self.staying))

    def persistency(self, window: tuple[float, float] = (0.3, 0.03)) -> float:
        """The rate at which the logarithm of `staying` falls while it lies within the window, by least squares.

        Raises:
            InputError: the paths are too short for `staying` to fall through the window.
        """
        high, low = window
        inside = (self.staying <= high) & (self.staying >= low)
        if self.staying[-1] > low or inside.sum() < 3:
            raise InputError(f"{self.staying[-1]:.3g} of the paths never cross: make them longer, so that the share falls below {low:g}")
        return -float(np.polyfit(self.times[inside], np.log(self.staying[inside]), 1)[0])

    def survival(self, t: np.ndarray) -> np.ndarray:
        """Share of intervals longer than t, for t up to half a path: those cut off are known to be longer.

        Raises:
            InputError: a t beyond half a path.
        """
        half = self.times[-1] - self.times[len(self.staying) // 2]
        if np.max(t) > half:
            raise InputError(f"intervals are seen whole up to half a path, {half:g}, and t goes up to {np.max(t):g}")
        ended = np.searchsorted(np.sort(self.intervals), t, side="right")
        return 1 - ended / (len(self.intervals) + self.censored)


def simulate_excursions(process: Correlation, step: float, n: int, paths: int, rng: np.random.Generator, level: float = 0.0) -> Excursions:
    """Simulate paths of n points and measure the times between crossings of a level.

    Raises:
        NotPositiveDefinite: the correlation is not that of a process.
        InputError: fewer than 2 points or 1 path, a step that is not positive, or no completed interval.
    """
    intervals: list[np.ndarray] = []
    uncrossed = np.zeros(n, dtype=int)
    censored = 0
    at_once = max(2, _CHUNK // (4 * n))
    for begin in range(0, paths, at_once):
        above = simulate(process, step, n, min(at_once, paths - begin), rng) > level
        flips = above[:, 1:] != above[:, :-1]
        first = np.where(flips.any(axis=1), flips.argmax(axis=1) + 1, n)
        uncrossed += len(above) - np.cumsum(np.bincount(first, minlength=n + 1))[:n]
        row, column = np.nonzero(flips)
        early = column < n // 2
        ends = np.append(row[1:] == row[:-1], False)
        gap = np.append(np.diff(column), 0)
        intervals.append(gap[early & ends])
        censored += int(np.sum(early & ~ends))
    lengths = step * np.concatenate(intervals)
    if not len(lengths):
        raise InputError(f"no path crossed the level {level:g} twice: make the paths longer than {n} points of {step:g}")
    return Excursions(step, lengths, censored, uncrossed / paths, paths)
