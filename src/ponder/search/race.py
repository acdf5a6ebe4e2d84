"""How many configurations of a recorded table optimisers try until they find one of the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.core.seeds import derive
from ponder.search.optimisers import OPTIMISERS, Told
from ponder.search.template import Space

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Race:
    """How fast optimisers find a configuration within 1% of the best in a table.

    Attributes:
        good: how many such configurations there are.
        size: of the table.
        needed: optimiser -> evaluations until the first of them, one a restart.
        curves: optimiser -> the best score so far over that of the best, mean over restarts, shape (size,).
    """

    good: int
    size: int
    needed: Mapping[str, Floats]
    curves: Mapping[str, Floats]

    @property
    def expected(self) -> float:
        """What drawing without replacement needs on the mean: (m + 1) / (K + 1) for K good ones of m; (m + 1) / 2 for one."""
        return (self.size + 1) / (self.good + 1)


def race(space: Space, table: Floats, restarts: Mapping[str, int], seed: int, most: int = 60) -> Race:
    """Restart each optimiser on the recorded table.

    Args:
        restarts: optimiser -> how often.
        most: evaluations after which a restart of the slower optimisers is given up and counted as `most`.
    """
    good = table >= 0.99 * table.max() - 1e-12
    needed: dict[str, Floats] = {}
    curves: dict[str, Floats] = {}
    for name, times in restarts.items():
        counts, bests = np.empty(times), np.empty((times, min(most, len(table))))
        for r in range(times):
            proposals = OPTIMISERS[name](space, derive(seed, (name, r)), 1)
            tried = [next(proposals)]
            while len(tried) < bests.shape[1]:
                tried.append(proposals.send(Told((float(table[tried[-1]]),))))
            hits = np.flatnonzero(good[tried])
            counts[r] = hits[0] + 1 if len(hits) else most
            bests[r] = np.maximum.accumulate(table[tried])
        needed[name], curves[name] = counts, bests.mean(axis=0) / table.max()
    return Race(int(good.sum()), len(table), needed, curves)
