"""What is measured on drawn and evaluated samples: adaptive stopping, fixed best-of-k, pruning, and controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stopping import replay
from ponder.methods.adaptive import kept
from ponder.papers.sampling.organism_paths import Paths

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluated:
    """Samples with what a self-evaluator says of them, arrays of shape (P, n).

    Attributes:
        paths: the samples.
        whole: the value of each finished response.
        half: the value of its first half.
        cuts: steps of the first half of each problem, shape (P,).
    """

    paths: Paths
    whole: Floats
    half: Floats
    cuts: NDArray[np.int64]

    @property
    def right(self) -> NDArray[np.bool_]:
        return self.paths.right

    def at(self, problems: NDArray[np.intp]) -> Evaluated:
        """Some of the problems."""
        return Evaluated(self.paths.at(problems), self.whole[problems], self.half[problems], self.cuts[problems])


@dataclass(frozen=True)
class Outcome:
    """Mean credit and mean number of samples of each problem, shape (P,)."""

    credit: Floats
    samples: Floats


def orders(shape: tuple[int, ...], repeats: int, seed: int) -> list[NDArray[np.intp]]:
    """Random orders of each problem's samples, `repeats` arrays of shape (P, n)."""
    rng = np.random.default_rng(seed)
    return [rng.permuted(np.tile(np.arange(shape[1]), (shape[0], 1)), axis=1) for _ in range(repeats)]


def adaptive(values: Floats, right: NDArray[np.bool_], threshold: float, repeats: int, seed: int) -> Outcome:
    """Adaptive sampling over random orders; 0 repeats keep the order in which the samples were drawn."""
    taken = orders(values.shape, repeats, seed) or [np.tile(np.arange(values.shape[1]), (len(values), 1))]
    credit, samples = np.zeros(len(values)), np.zeros(len(values))
    for order in taken:
        stopped = replay(np.take_along_axis(values, order, 1), threshold)
        credit += stopped.of(np.take_along_axis(right, order, 1))
        samples += stopped.samples
    return Outcome(credit / len(taken), samples / len(taken))


def best_of(values: Floats, right: NDArray[np.bool_], repeats: int, seed: int) -> Floats:
    """Credit of the best of the first k samples in random orders, for k = 1 to n, shape (P, n)."""
    credit = np.zeros(values.shape)
    for order in orders(values.shape, repeats, seed):
        ordered, truth = np.take_along_axis(values, order, 1), np.take_along_axis(right, order, 1)
        best = np.maximum.accumulate(ordered, axis=1)
        new = np.concatenate([np.ones((len(best), 1), dtype=bool), best[:, 1:] > best[:, :-1]], axis=1)
        at = np.maximum.accumulate(np.where(new, np.arange(best.shape[1]), 0), axis=1)
        credit += np.take_along_axis(truth, at, 1)
    return credit / repeats


def at_mean(curve: Floats, k: float) -> Floats:
    """Credit of best-of-k for a k between whole numbers: the mixture of the two nearest, shape (P,)."""
    low = min(max(int(k), 1), curve.shape[1])
    high = min(low + 1, curve.shape[1])
    part = min(max(k - low, 0.0), 1.0)
    return (1 - part) * curve[:, low - 1] + part * curve[:, high - 1]


def pruned(by: Floats, values: Floats, right: NDArray[np.bool_], keep: float, repeats: int, seed: int) -> Floats:
    """Credit of the best by `values` of the samples that `by` keeps; ties of either are broken at random; shape (P,)."""
    rng = np.random.default_rng(seed)
    count = kept(values.shape[1], keep)
    credit = np.zeros(len(values))
    for _ in range(repeats):
        first = np.lexsort((rng.random(by.shape), -by), axis=1)[:, :count]
        last = np.lexsort((rng.random(first.shape), -np.take_along_axis(values, first, 1)), axis=1)[:, :1]
        credit += np.take_along_axis(right, np.take_along_axis(first, last, 1), 1)[:, 0]
    return credit / repeats


def exact_values(right: NDArray[np.bool_]) -> Floats:
    """What an exact evaluator of finished answers says: 1 for a right one, for a wrong one the share of wrong ones among the others."""
    n = right.shape[1]
    others = (right.sum(axis=1, keepdims=True) - right) / (n - 1)
    return np.where(right, 1.0, 1 - others)


def wins_or_ties(right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each sample is at least as good as the next one of its problem: what the value is the probability of, shape (P, n)."""
    return right >= np.roll(right, -1, axis=1)


def by_prompt(seen: Paths, other: Paths) -> Floats:
    """What the question alone tells of winning or tying: 1 - p (1 - p), p the share of right answers of the questions in `seen` that
    have as many multiplications; shape (problems of `other`,)."""
    known = _multiplications(seen)
    share = {m: (seen.right[known == m].sum() + 1) / (seen.right[known == m].size + 2) for m in range(9)}
    p = np.array([share[m] for m in _multiplications(other)])
    return 1 - p * (1 - p)


def _multiplications(paths: Paths) -> NDArray[np.int64]:
    return ((paths.chains.kinds == 2) & paths.chains.live).sum(axis=1)
