"""Expectation maximisation with one skill a worker (ZenCrowd) and with a confusion matrix a worker (Dawid & Skene 1979)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

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
        items, workers, k = labels.shape
        cell = labels.worker * k + labels.label
        prior = np.full((k, k), self.smoothing) + self.diagonal * np.eye(k)
        posterior, share = pin(shares(labels.counts())), np.empty(0)
        confusion = np.empty((workers, k, k))

        def step() -> float:
            nonlocal posterior, share, confusion
            counted = np.stack([np.bincount(cell, posterior[labels.item, c], workers * k).reshape(workers, k) for c in range(k)], axis=1)
            counted += prior
            total = counted.sum(axis=2, keepdims=True)
            confusion = np.where(total > 0, counted / np.where(total > 0, total, 1), 1 / k)
            share = posterior.mean(axis=0)
            with np.errstate(divide="ignore"):  # log 0 is meant: what never happened has no probability
                logs, scores = np.log(confusion), np.tile(np.log(share), (items, 1))
            for c in range(k):
                scores[:, c] += np.bincount(labels.item, logs[:, c].ravel()[cell], items)
            posterior, value = normalised(scores)
            posterior = pin(posterior)
            return value

        seen = rounds_of(step, self.rounds, self.tolerance)
        return Truth(posterior, np.einsum("wcc,c->w", confusion, share), labels, seen, confusion, share)
