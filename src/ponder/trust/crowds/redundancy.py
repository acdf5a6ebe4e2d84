"""Asking again only where the answer is not clear yet: what a stopping rule would have cost on answers that are there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError
from ponder.trust.crowds.em import OneCoin
from ponder.trust.crowds.labels import Labels
from ponder.trust.crowds.truth import Aggregator, Truth


def stopped_early(
    labels: Labels, enough: float = 0.95, least: int = 2, order: ArrayLike | None = None, model: Aggregator | None = None
) -> tuple[Truth, NDArray[np.int64]]:
    """Take each item's answers one more at a time, until its best class has the posterior `enough` or its answers end.

    Skills are estimated anew from all answers taken so far after each round; an item that has stopped stays stopped.

    Args:
        labels: all answers.
        enough: the posterior that stops an item, in (1/classes, 1].
        least: answers that every item gets at first.
        order: a number an answer, shape (n,): smaller came first. As listed by default.
        model: what aggregates; by default `OneCoin()`.

    Returns:
        The truth from the answers taken, and how many each item took, shape (items,).
    """
    if not 1 / len(labels.classes) < enough <= 1 or least < 1:
        raise InputError(f"enough must be above {1 / len(labels.classes):.3g} and at most 1, least at least 1, not {enough} and {least}")
    came = np.arange(len(labels), dtype=np.float64) if order is None else np.asarray(order, dtype=np.float64)
    if came.shape != (len(labels),):
        raise InputError(f"an order needs a number for each of the {len(labels)} answers, not shape {came.shape}")
    sorted_ = np.lexsort((came, labels.item))
    there = np.bincount(labels.item, minlength=len(labels.items))
    place = np.empty(len(labels), dtype=np.int64)  # 0 for an item's first answer
    place[sorted_] = np.arange(len(labels)) - np.repeat(np.cumsum(there) - there, there)
    taken = np.minimum(there, least)
    model = OneCoin() if model is None else model
    while True:
        truth = model.fit(labels.where(place < taken[labels.item]))
        more = (truth.posterior.max(axis=1) < enough) & (taken < there)
        if not more.any():
            return truth, taken
        taken = taken + more
