"""Expectation maximisation with one skill a worker (ZenCrowd) and with a confusion matrix a worker (Dawid & Skene 1979)."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from ponder.core.errors import InputError
from ponder.trust.crowds.labels import Floats, Labels
from ponder.trust.crowds.truth import Aggregator, Truth, checked, normalised, rounds_of, shares

EDGE = 1e-6


def coin_scores(labels: Labels, skill: Floats) -> tuple[Floats, float]:
    """log P(answers, truth = c) up to the class prior, shape (items, classes), as scores and what was left out of all of them.

    An answer has its worker's skill as the chance to be right; wrong ones share the rest.
    """
    wrong = np.log((1 - skill) / (len(labels.classes) - 1))
    return labels.counts((np.log(skill) - wrong)[labels.worker]), float(wrong @ labels.answered)


class Sums:
    """Sums over answers, for tables with a row a cell: a worker and what it answered."""

    def __init__(self, labels: Labels) -> None:
        self.items, workers, k = labels.shape
        self.cells, self.item, self.cell = workers * k, labels.item, labels.worker * k + labels.label

    def by_cell(self, table: Floats) -> Floats:
        """Sum of an item's row over the answers of each cell; (items, c) -> (workers * classes, c)."""
        columns = np.ascontiguousarray(table.T)
        return np.stack([np.bincount(self.cell, c[self.item], self.cells) for c in columns], axis=1).astype(np.float64, copy=False)

    def by_item(self, table: Floats) -> Floats:
        """Sum of a cell's row over the answers to each item; (workers * classes, c) -> (items, c)."""
        columns = np.ascontiguousarray(table.T)
        return np.stack([np.bincount(self.item, c[self.cell], self.items) for c in columns]).astype(np.float64, copy=False).T


class SparseSums(Sums):
    """The same as products with a sparse matrix: three times as fast."""

    def __init__(self, labels: Labels, sparse: ModuleType) -> None:
        super().__init__(labels)
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.item, minlength=self.items))])
        self.matrix = sparse.csr_matrix((np.ones(len(labels)), self.cell, starts), shape=(self.items, self.cells))

    def by_cell(self, table: Floats) -> Floats:
        return self.matrix.T @ np.ascontiguousarray(table)

    def by_item(self, table: Floats) -> Floats:
        return self.matrix @ table


def sums_of(labels: Labels) -> Sums:
    """The fastest sums that can be had: votes of a default installation are small and do without scipy."""
    try:
        return SparseSums(labels, importlib.import_module("scipy.sparse"))
    except ImportError:
        return Sums(labels)


@dataclass(frozen=True)
class OneCoin(Aggregator):
    """ZenCrowd (Demartini et al. 2012): a worker is right with one probability, the `skill`, and wrong labels are equally likely.

    Attributes:
        start: every worker's skill at first.
        rounds: at most.
        tolerance: of the log-likelihood.
    """

    start: float = 0.8
    rounds: int = 20
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        checked("OneCoin", start=(self.start, EDGE, 1 - EDGE), rounds=(self.rounds, 1, math.inf), tolerance=(self.tolerance, 0, math.inf))

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        skill = np.full(len(labels.workers), self.start)
        answered, prior = np.maximum(labels.answered, 1), len(labels.items) * math.log(len(labels.classes))
        posterior = np.empty(0)

        def step() -> float:
            nonlocal skill, posterior
            scores, rest = coin_scores(labels, skill)
            posterior, total = normalised(scores)
            skill = np.clip(labels.of_worker(labels.agreement(pin(posterior))) / answered, EDGE, 1 - EDGE)
            return total + rest - prior

        seen = rounds_of(step, self.rounds, self.tolerance)
        return Truth(posterior, skill, labels, seen)


@dataclass(frozen=True)
class DawidSkene(Aggregator):
    """Dawid & Skene 1979: a worker has a confusion matrix; `skill` is the share of right answers it implies.

    Attributes:
        smoothing: pseudo-answers in every cell of every confusion matrix. Without any, a worker of a single answer is refused: the
            model would fit it perfectly and believe it.
        diagonal: further pseudo-answers in the cells of right answers: the belief that workers are better than chance, which
            keeps classes from changing their names where many workers answer badly.
        rounds: at most.
        tolerance: of the log-likelihood.
    """

    smoothing: float = 0.1
    diagonal: float = 0.0
    rounds: int = 100
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        checked("DawidSkene", smoothing=(self.smoothing, 0, 1e9), diagonal=(self.diagonal, 0, 1e9), rounds=(self.rounds, 1, math.inf))
        checked("DawidSkene", tolerance=(self.tolerance, 0, math.inf))

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        single = np.flatnonzero(labels.answered == 1)
        if not self.smoothing and len(single):
            raise InputError(
                f"{len(single)} workers have a single answer, worker {labels.workers[int(single[0])]!r} for one: without smoothing a "
                "confusion matrix fits it perfectly; leave such workers out or set smoothing above 0"
            )
        _, workers, k = labels.shape
        sums = sums_of(labels)
        prior = np.full((k, k), self.smoothing) + self.diagonal * np.eye(k)
        posterior, share = pin(shares(labels.counts())), np.empty(0)
        confusion = np.empty((workers, k, k))

        def step() -> float:
            nonlocal posterior, share, confusion
            counted = sums.by_cell(posterior).reshape(workers, k, k).transpose(0, 2, 1) + prior
            total = counted.sum(axis=2, keepdims=True)
            confusion = np.where(total > 0, counted / np.where(total > 0, total, 1), 1 / k)
            share = posterior.mean(axis=0)
            with np.errstate(divide="ignore"):  # log 0 is meant: what never happened has no probability
                logs, share_logs = np.log(confusion), np.log(share)
            posterior, value = normalised(sums.by_item(logs.transpose(0, 2, 1).reshape(workers * k, k)) + share_logs)
            posterior = pin(posterior)
            return value

        seen = rounds_of(step, self.rounds, self.tolerance)
        return Truth(posterior, np.einsum("wcc,c->w", confusion, share), labels, seen, confusion, share)
