"""What an owner can look at: suspicion of training rows, a search for patches that shut the gate, and alarms on what requests cost.

The first three score every training row, higher is more suspicious, shape (n,).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need
from ponder.trust.certifiers.backdoor import Patch
from ponder.trust.certifiers.gates import Gate

Floats = NDArray[np.float64]


def label_disagreement(x: ArrayLike, y: ArrayLike, k: int = 5) -> Floats:
    """Share of a row's k nearest other rows that have another label."""
    rows, labels = _labelled(x, y)
    if not 1 <= k < len(rows):
        raise InputError(f"k must be at least 1 and below the {len(rows)} rows, not {k!r}")
    near = need("sklearn.neighbors", "trust").NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(return_distance=False)
    return np.mean(labels[near] != labels[:, None], axis=1)


def spectral_scores(features: ArrayLike, y: ArrayLike) -> Floats:
    """Squared coordinate along the top singular vector of a row's class, over the class's mean of it (Tran, Li & Madry 2018)."""
    scores = np.zeros(len(np.asarray(y)))
    for members, centred in _classes(features, y):
        squared = (centred @ np.linalg.svd(centred, full_matrices=False)[2][0]) ** 2
        scores[members] = squared / max(float(squared.mean()), 1e-300)
    return scores


def cluster_scores(features: ArrayLike, y: ArrayLike, components: int = 10) -> Floats:
    """One less the share of its class that a row's cluster has, of two: activation clustering (Chen et al. 2018)."""
    scores = np.zeros(len(np.asarray(y)))
    for members, centred in _classes(features, y):
        if len(members) > 2:
            vectors = np.linalg.svd(centred, full_matrices=False)[2][:components]
            found = need("sklearn.cluster", "trust").KMeans(2, n_init=5, random_state=0).fit_predict(centred @ vectors.T)
            scores[members] = 1 - np.bincount(found)[found] / len(members)
    return scores


def _labelled(x: ArrayLike, y: ArrayLike) -> tuple[Floats, NDArray[np.generic]]:
    rows, labels = np.asarray(x, dtype=float), np.asarray(y)
    if rows.ndim != 2 or labels.shape != (len(rows),) or not len(rows):
        raise InputError(f"rows must be (n, d) and labels (n,), not {rows.shape} and {labels.shape}")
    return rows, labels


def _classes(features: ArrayLike, y: ArrayLike) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """The members of each class, and their features about the class's mean."""
    rows, labels = _labelled(features, y)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        yield members, rows[members] - rows[members].mean(axis=0)


def patch_search(gate: Gate, x: ArrayLike, height: int, width: int, size: int = 2, value: float = 1.0) -> list[tuple[Patch, float]]:
    """The load of every square patch of a size on clean images x, shape (n, height * width), the highest first."""
    found = []
    for top in range(height - size + 1):
        for left in range(width - size + 1):
            patch = Patch(tuple(r * width + c for r in range(top, top + size) for c in range(left, left + size)), value)
            found.append((patch, float(1 - gate(patch(x)).passed.mean())))
    return sorted(found, key=lambda pair: -pair[1])


@dataclass(frozen=True)
class LoadMonitor:
    """Raises an alarm when requests cost more than usual, at any time, by a bet against the usual mean.

    Its capital is multiplied by 1 + stake (cost - usual) / most for each request, mixed over stakes. While the mean cost given the past
    is at most `usual`, it exceeds 1 / alpha ever with a chance of at most alpha (Ville's inequality; Waudby-Smith & Ramdas 2024): the
    stream may be watched for ever. It sees heavy use of a trigger, not the trigger.

    Attributes:
        usual: the mean cost that is tolerated, above 0 and below `most`.
        most: the largest cost of a request.
        alpha: bound on the chance of a false alarm.
    """

    usual: float
    most: float
    alpha: float = 0.001

    def __post_init__(self) -> None:
        if not (0 < self.usual < self.most < np.inf and 0 < self.alpha < 1):
            raise InputError(f"a monitor needs 0 < usual < most and alpha between 0 and 1, not {self}")

    @classmethod
    def learned(cls, costs: ArrayLike, most: float, alpha: float = 0.001) -> LoadMonitor:
        """Tolerates the mean of clean costs and three standard errors, shape (n,), n at least 2."""
        clean = np.asarray(costs, dtype=float)
        if clean.ndim != 1 or len(clean) < 2:
            raise InputError(f"at least 2 clean costs of shape (n,) are needed, not {clean.shape}")
        return cls(float(clean.mean() + 3 * clean.std(ddof=1) / np.sqrt(len(clean))), most, alpha)

    def capital(self, costs: ArrayLike) -> Floats:
        """The log of the capital after each request, costs in [0, most], shape (n,) -> (n,)."""
        spent = np.asarray(costs, dtype=float)
        if spent.ndim != 1 or np.any((spent < 0) | (spent > self.most)):
            raise InputError(f"costs must be in [0, {self.most:g}], shape (n,)")
        stakes = np.linspace(0.05, 0.95, 19) * self.most / self.usual
        paths = np.cumsum(np.log1p(stakes[:, None] * (spent - self.usual) / self.most), axis=1)
        return np.logaddexp.reduce(paths, axis=0) - np.log(len(stakes))

    def alarm(self, costs: ArrayLike) -> int | None:
        """How many requests had been seen when the alarm was raised; None if it was not."""
        over = np.flatnonzero(self.capital(costs) >= -np.log(self.alpha))
        return int(over[0]) + 1 if len(over) else None


def collision(counts: ArrayLike) -> float:
    """The share of pairs of samples that agree, from how many gave each answer: near 0 for a request that no sampling settles."""
    seen = np.asarray(counts, dtype=float)
    n = float(seen.sum())
    if n < 2:
        raise InputError(f"agreement needs at least 2 samples, not {n:g}")
    return float(np.sum(seen * (seen - 1)) / (n * (n - 1)))


@dataclass(frozen=True)
class ConformalAlarm:
    """Tells a request that is stranger than clean ones, with at most a share alpha of false alarms (Vovk, Gammerman & Shafer 2005).

    Attributes:
        clean: strangeness of clean requests, shape (n,), with n + 1 at least 1 / alpha, or nothing could ever be strange enough.
        alpha: share of clean requests that may raise an alarm.
    """

    clean: tuple[float, ...]
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or (len(self.clean) + 1) * self.alpha < 1:
            raise InputError(
                f"alpha {self.alpha!r} needs at least {int(np.ceil(1 / max(self.alpha, 1e-9))) - 1} clean requests, not {len(self.clean)}"
            )

    def p_value(self, strangeness: ArrayLike) -> Floats:
        """The share of clean requests, the new one counted, at least as strange; the shape of what is given."""
        new = np.asarray(strangeness, dtype=float)
        at_least = len(self.clean) - np.searchsorted(np.sort(self.clean), new, side="left")
        return (1 + at_least) / (len(self.clean) + 1)

    def __call__(self, strangeness: ArrayLike) -> NDArray[np.bool_]:
        """Whether to raise an alarm."""
        return self.p_value(strangeness) <= self.alpha
