"""What a learner keeps and loses: accuracy after each task on each task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

Task = tuple[NDArray[Any], NDArray[Any]]


def accuracy_matrix(learners: Sequence[Callable[[NDArray[Any]], ArrayLike]], tasks: Sequence[Task]) -> NDArray[np.float64]:
    """R[t, i]: share of task i's labels that the learner after task t predicts, shape (len(learners), len(tasks)).

    Args:
        learners: what predicts labels of shape (n,) for inputs of shape (n, ...), after each task.
        tasks: pairs of inputs and labels, held out.

    Raises:
        InputError: no learner, no task, or an empty one.
    """
    if not len(learners) or not len(tasks) or not all(len(y) for _, y in tasks):
        raise InputError("an accuracy matrix needs a learner, a task, and labels in each task")
    return np.array([[float(np.mean(np.asarray(predict(x)) == y)) for x, y in tasks] for predict in learners])


def average_accuracy(matrix: ArrayLike) -> float:
    """Mean accuracy on all tasks after the last (Lopez-Paz & Ranzato 2017)."""
    return float(np.mean(_square(matrix)[-1]))


def backward_transfer(matrix: ArrayLike) -> float:
    """Mean over all tasks but the last of the accuracy at the end less that right after learning; below 0 is forgetting."""
    r = _square(matrix)
    if len(r) < 2:
        raise InputError("backward transfer needs at least 2 tasks")
    return float(np.mean(r[-1, :-1] - np.diag(r)[:-1]))


def _square(matrix: ArrayLike) -> NDArray[np.float64]:
    r = np.asarray(matrix, dtype=float)
    if r.ndim != 2 or r.shape[0] != r.shape[1] or not len(r) or not np.all((r >= 0) & (r <= 1)):
        raise InputError(f"an accuracy matrix has a row after each task, a column for each, and entries in [0, 1]; not shape {r.shape}")
    return r
