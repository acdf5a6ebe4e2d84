"""What an aggregator finds, and what all aggregators do alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.trust.crowds.labels import Floats, Ints, Labels, gold


@dataclass(frozen=True, eq=False)
class Truth:
    """The answers that an aggregator believes in.

    Attributes:
        posterior: probability of each class for each item, shape (items, classes).
        skill: one figure a worker, larger is better, shape (workers,); what it means is said by the aggregator.
        labels: what was aggregated.
        log_likelihood: of the answers after each round; empty for aggregators without a likelihood.
        confusion: P(answer l | truth c) a worker, shape (workers, classes, classes), where the model has it.
        classes_share: the estimated share of each class, shape (classes,), where the model has it.
    """

    posterior: Floats
    skill: Floats
    labels: Labels
    log_likelihood: tuple[float, ...] = ()
    confusion: Floats | None = None
    classes_share: Floats | None = None

    @property
    def best(self) -> Ints:
        """Index of the most probable class of each item, the first of equals; shape (items,)."""
        return np.argmax(np.round(self.posterior, 12), axis=1)

    @property
    def answers(self) -> dict[Any, Any]:
        """Item -> its most probable class, in the user's names."""
        return {item: self.labels.classes[int(c)] for item, c in zip(self.labels.items, self.best, strict=True)}

    @property
    def skills(self) -> dict[Any, float]:
        """Worker -> skill."""
        return dict(zip(self.labels.workers, self.skill.tolist(), strict=True))

    def unsure(self, below: float) -> NDArray[np.intp]:
        """Indices of the items whose best class has a probability below this: where to ask again."""
        return np.flatnonzero(self.posterior.max(axis=1) < below)


class Aggregator:
    """Turns many noisy answers into one an item. Frozen dataclasses whose fields are their settings."""

    def fit(self, labels: Labels, known: Mapping[Any, Any] | None = None) -> Truth:
        """Aggregate.

        Args:
            labels: the answers (`labels_of`).
            known: item -> its true class, for items whose truth is known; their posterior is that truth throughout.

        Raises:
            InputError: for labels that this model cannot use.
        """
        where, truth = gold(labels, known)
        if len(labels.classes) == 1:
            return Truth(np.ones((len(labels.items), 1)), np.ones(len(labels.workers)), labels)

        def pin(posterior: Floats) -> Floats:
            posterior[where] = 0
            posterior[where, truth] = 1
            return posterior

        return self._fit(labels, pin)

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        raise NotImplementedError


def shares(votes: Floats) -> Floats:
    """Rows divided by their sums; a row without votes is spread evenly."""
    total = votes.sum(axis=1, keepdims=True)
    return np.where(total > 0, votes / np.where(total > 0, total, 1), 1 / votes.shape[1])


def normalised(log_scores: Floats) -> tuple[Floats, float]:
    """Softmax of each row, and the sum of the rows' log normalisers.

    Kept class by class in memory: classes are few, and reducing over a short inner axis takes most of a round's time.
    """
    columns = np.ascontiguousarray(log_scores.T)
    top = columns.max(axis=0)
    raw = np.exp(columns - top)
    total = raw.sum(axis=0)
    raw /= total
    return raw.T, float(np.sum(top) + np.sum(np.log(total)))


def rounds_of(step: Callable[[], float], most: int, tolerance: float) -> tuple[float, ...]:
    """Repeat a step that returns a log-likelihood until it changes by less than the tolerance, `most` times at most."""
    seen: list[float] = []
    while len(seen) < most:
        seen.append(step())
        if not math.isfinite(seen[-1]):
            raise InputError("the answers have probability 0 under the model: give it some smoothing")
        if len(seen) > 1 and abs(seen[-1] - seen[-2]) < tolerance:
            break
    return tuple(seen)


def checked(name: str, **limits: tuple[float, float, float]) -> None:
    """Refuse settings out of range: name=(value, low, high)."""
    for setting, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise InputError(f"{name}: {setting} must be between {low:g} and {high:g}, not {value!r}")
