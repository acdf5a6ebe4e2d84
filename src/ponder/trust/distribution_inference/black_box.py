"""Attacks that see a model's answers only (Suri & Evans 2022, section 5; the KL attack from Suri et al. 2023, arXiv 2212.07591)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pair = tuple[Floats, Floats]


@dataclass(frozen=True)
class Answers:
    """What models of both worlds answer on both probe sets.

    Attributes:
        scores: probability of label 1, scores[world][probe] of shape (models of the world, points of the probe).
        labels: right labels 0 and 1 of each probe's points.
    """

    scores: tuple[Pair, Pair]
    labels: tuple[NDArray[np.int64], NDArray[np.int64]]

    def __post_init__(self) -> None:
        for probe in (0, 1):
            points = len(self.labels[probe])
            if not points:
                raise InputError(f"probe set {probe} is empty")
            for world in (0, 1):
                shape = np.shape(self.scores[world][probe])
                if len(shape) != 2 or shape[0] != len(self.scores[world][0]) or shape[1] != points or not shape[0]:
                    raise InputError(f"scores of world {world} on probe {probe} must have shape (models, {points}), not {shape}")

    def accuracies(self, world: int, probe: int) -> Floats:
        """The share of a probe's points that each model of a world gets right, shape (models,)."""
        return np.mean((self.scores[world][probe] >= 0.5) == (self.labels[probe] == 1), axis=1)


class BlackBox(Protocol):
    """An attack on answers."""

    def __call__(self, adversary: Answers, victims: Answers) -> tuple[Bools, Bools]:
        """Whether each victim of world 0, and of world 1, is taken for one of world 1."""
        ...


@dataclass(frozen=True)
class LossTest:
    """World 0 if a model is more accurate on world 0's probe. Trains nothing; blind where one probe is easier for every model."""

    def __call__(self, adversary: Answers, victims: Answers) -> tuple[Bools, Bools]:
        first, second = (victims.accuracies(world, 0) <= victims.accuracies(world, 1) for world in (0, 1))
        return first, second


@dataclass(frozen=True)
class ThresholdTest:
    """The threshold on accuracy, on one of the probes, that best separates the adversary's own models."""

    def __call__(self, adversary: Answers, victims: Answers) -> tuple[Bools, Bools]:
        fits = [best_threshold(*(adversary.accuracies(world, probe) for world in (0, 1))) for probe in (0, 1)]
        probe = int(fits[1][0] > fits[0][0])
        _, threshold, above = fits[probe]
        first, second = ((victims.accuracies(world, probe) > threshold) == above for world in (0, 1))
        return first, second


def best_threshold(first: Floats, second: Floats) -> tuple[float, float, bool]:
    """The cut between sorted values that best separates two groups.

    Returns:
        Balanced accuracy, the cut, and whether the second group is above it. Of equal cuts the lowest.
    """
    values = np.unique(np.concatenate([first, second]))
    cuts = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    low, high = (np.searchsorted(np.sort(group), cuts, side="right") / len(group) for group in (first, second))
    right = 0.5 + (low - high) / 2
    above = right >= 1 - right
    best = np.maximum(right, 1 - right)
    at = int(np.argmax(best))
    return float(best[at]), float(cuts[at]), bool(above[at])


@dataclass(frozen=True)
class PerPointThreshold:
    """A threshold of its own for the score at every point, and the majority of the points that separate the adversary's models best.

    Attributes:
        shares: shares of the points, by how far apart the two worlds' mean scores are, among which the best is chosen on the adversary's
            models.
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)

    def __post_init__(self) -> None:
        if not self.shares or not all(0 < s <= 1 for s in self.shares):
            raise InputError(f"shares of the points must be above 0 and at most 1, not {self.shares!r}")

    def __call__(self, adversary: Answers, victims: Answers) -> tuple[Bools, Bools]:
        own, theirs = (tuple(np.concatenate(seen.scores[world], axis=1) for world in (0, 1)) for seen in (adversary, victims))
        apart = np.abs(own[0].mean(axis=0) - own[1].mean(axis=0))
        order = np.argsort(-apart, kind="stable")
        fits = [best_threshold(own[0][:, i], own[1][:, i]) for i in order]
        cuts, above = np.array([f[1] for f in fits]), np.array([f[2] for f in fits])

        def share_for_one(scores: Floats) -> Floats:
            """Votes for world 1 of the first 1, 2, ... points, shape (models, points)."""
            return np.cumsum((scores[:, order] > cuts) == above, axis=1) / np.arange(1, len(order) + 1)

        counts = [max(1, round(s * len(order))) - 1 for s in self.shares]
        votes = [share_for_one(scores) for scores in own]
        balanced = [np.mean(votes[0][:, c] < 0.5) + np.mean(votes[1][:, c] >= 0.5) for c in counts]
        chosen = counts[int(np.argmax(balanced))]
        first, second = (share_for_one(scores)[:, chosen] >= 0.5 for scores in theirs)
        return first, second


@dataclass(frozen=True)
class KLAttack:
    """Which world's models answer more like the victim, in Kullback-Leibler divergence from each of them, by votes of pairs.

    Attributes:
        pair_fraction: share of the pairs of adversary models that vote, in (0, 1].
        half: keep the half of the points where the two worlds' log odds are farthest apart.
        seed: of the choice of pairs.
    """

    pair_fraction: float = 1.0
    half: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.pair_fraction <= 1:
            raise InputError(f"the fraction of pairs must be above 0 and at most 1, not {self.pair_fraction!r}")

    def __call__(self, adversary: Answers, victims: Answers) -> tuple[Bools, Bools]:
        counts = [len(adversary.scores[world][0]) for world in (0, 1)]
        r, s = np.nonzero(np.arange(counts[0])[:, None] < np.arange(counts[1]))
        if not len(r):
            raise InputError(f"the KL attack needs at least 2 adversary models a world, not {counts}")
        if self.pair_fraction < 1:
            kept = np.random.default_rng(self.seed).choice(len(r), max(1, round(self.pair_fraction * len(r))), replace=False)
            r, s = r[kept], s[kept]
        votes: list[list[Floats]] = [[], []]
        for probe in (0, 1):
            own = [np.clip(adversary.scores[world][probe], 1e-4, 1 - 1e-4) for world in (0, 1)]
            points = _farthest_half(own[0], own[1]) if self.half else slice(None)
            for world in (0, 1):
                seen = np.clip(victims.scores[world][probe], 1e-4, 1 - 1e-4)[:, points]
                zero, one = (divergences(models[:, points], seen) for models in own)
                votes[world].append((zero[r] > one[s]).mean(axis=0))
        first, second = (np.mean(pair, axis=0) >= 0.5 for pair in votes)
        return first, second


def divergences(p: Floats, q: Floats) -> Floats:
    """Mean KL(p || q) of Bernoulli answers over points, for every pair of models: shapes (a, m) and (v, m) -> (a, v)."""
    own = np.mean(p * np.log(p) + (1 - p) * np.log1p(-p), axis=1)
    return own[:, None] - (p @ np.log(q).T + (1 - p) @ np.log1p(-q).T) / p.shape[1]


def _farthest_half(first: Floats, second: Floats) -> NDArray[np.intp]:
    odds = [np.mean(np.log(p) - np.log1p(-p), axis=0) for p in (first, second)]
    return np.argsort(-np.abs(odds[0] - odds[1]), kind="stable")[: max(1, first.shape[1] // 2)]
