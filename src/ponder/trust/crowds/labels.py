"""Who gave which answer to which item: checked, and encoded as small integers so that millions are a few array operations."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Labels:
    """Answers as triples, in order of item.

    Attributes:
        item, worker, label: indices into the three lists below, shape (n,) each.
        items, workers, classes: the user's names; an item's index is its place.
    """

    item: Ints
    worker: Ints
    label: Ints
    items: Sequence[Any]
    workers: Sequence[Any]
    classes: Sequence[Any]

    def __len__(self) -> int:
        return len(self.item)

    @cached_property
    def _cell(self) -> Ints:
        """Where each answer falls in a table kept class by class."""
        return self.label * len(self.items) + self.item

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of items, workers, classes."""
        return len(self.items), len(self.workers), len(self.classes)

    def counts(self, weights: Floats | None = None) -> Floats:
        """Votes for each class of each item, shape (items, classes), each answer with its weight, shape (n,); 1 by default."""
        n, _, k = self.shape
        return np.bincount(self._cell, weights, n * k).reshape(k, n).T.astype(np.float64, copy=False)

    def of_worker(self, values: Floats) -> Floats:
        """Sum of one value an answer, shape (n,), over each worker's answers; shape (workers,)."""
        return np.bincount(self.worker, values, len(self.workers)).astype(np.float64, copy=False)

    def agreement(self, posterior: Floats) -> Floats:
        """What each answer is worth under a posterior, shape (items, classes): the probability of its label, shape (n,)."""
        return np.ascontiguousarray(posterior.T).ravel()[self._cell]

    @property
    def answered(self) -> Floats:
        """Answers a worker, shape (workers,)."""
        return np.bincount(self.worker, minlength=len(self.workers)).astype(np.float64)

    def where(self, kept: NDArray[np.bool_]) -> Labels:
        """Some of the answers; items, workers and classes stay."""
        return Labels(self.item[kept], self.worker[kept], self.label[kept], self.items, self.workers, self.classes)

    def by_group(self, group: ArrayLike) -> Labels:
        """Each worker as one worker a group of items (a task type, a capability); `group` is an integer an item, shape (items,)."""
        groups = np.asarray(group)
        if groups.shape != (len(self.items),) or groups.dtype.kind not in "iu" or groups.min() < 0:
            raise InputError(
                f"a group is a whole number of at least 0 for each of the {len(self.items)} items, not of shape {groups.shape}"
            )
        found, worker = np.unique(self.worker * (int(groups.max()) + 1) + groups[self.item], return_inverse=True)
        names = [(self.workers[int(f) // (int(groups.max()) + 1)], int(f) % (int(groups.max()) + 1)) for f in found]
        return Labels(self.item, worker, self.label, self.items, names, self.classes)


def labels_of(
    items: Sequence[Hashable] | NDArray[Any],
    workers: Sequence[Hashable] | NDArray[Any],
    answers: Sequence[Hashable] | NDArray[Any],
    *,
    classes: Sequence[Hashable] | None = None,
    all_items: Sequence[Hashable] | None = None,
    allow_repeats: bool = False,
) -> Labels:
    """Check and encode answers.

    Args:
        items, workers, answers: one entry an answer: which item, by whom, what. Numbers or texts.
        classes: the possible answers in order; by default those that were given, sorted.
        all_items: all items in order; by default those that were answered, sorted.
        allow_repeats: a worker may answer an item several times.

    Raises:
        InputError: for lists of different lengths, no answers, an answer that is no class, an item without answers, a worker that answers
            an item twice.
    """
    columns = [np.asarray(c) for c in (items, workers, answers)]
    if len({c.shape for c in columns}) > 1 or columns[0].ndim != 1 or not len(columns[0]):
        raise InputError(f"items, workers and answers must be three lists of one length, not of shapes {[c.shape for c in columns]}")
    if any(c.dtype.kind == "f" and not np.all(np.isfinite(c)) for c in columns):
        raise InputError("items, workers and answers must not be NaN: leave out what was not answered")
    (item_names, item), (worker_names, worker) = _encoded("item", columns[0], all_items), _encoded("worker", columns[1], None)
    class_names, label = _encoded("class", columns[2], classes)
    empty = np.flatnonzero(np.bincount(item, minlength=len(item_names)) == 0)
    if len(empty):
        raise InputError(f"every item needs an answer; {len(empty)} have none, the first is {item_names[int(empty[0])]!r}")
    order = np.argsort(item, kind="stable")
    item, worker, label = item[order], worker[order], label[order]
    if not allow_repeats:
        pairs = np.sort(item * len(worker_names) + worker)
        twice = np.flatnonzero(pairs[1:] == pairs[:-1])
        if len(twice):
            i, w = divmod(int(pairs[twice[0]]), len(worker_names))
            raise InputError(f"worker {worker_names[w]!r} answers item {item_names[i]!r} more than once; allow_repeats=True counts all")
    return Labels(item, worker, label, item_names, worker_names, class_names)


def _encoded(what: str, values: NDArray[Any], names: Sequence[Hashable] | None) -> tuple[list[Any], Ints]:
    found, index = np.unique(values, return_inverse=True)
    if names is None:
        return found.tolist(), index.astype(np.int64)
    place = {name: i for i, name in enumerate(names)}
    if len(place) < len(names):
        raise InputError(f"every {what} may be listed once")
    unknown = [v for v in found.tolist() if v not in place]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no {what} of those listed: {', '.join(map(repr, list(names)[:10]))}")
    return list(names), np.array([place[v] for v in found.tolist()], dtype=np.int64)[index]


def gold(labels: Labels, known: Mapping[Any, Any] | None) -> tuple[Ints, Ints]:
    """Indices of the items whose truth is known, and of their classes.

    Raises:
        InputError: for an item or a class that the labels do not have.
    """
    if not known:
        return np.array([], dtype=np.int64), np.array([], dtype=np.int64)
    places, kinds = ({name: i for i, name in enumerate(names)} for names in (labels.items, labels.classes))
    for item, truth in known.items():
        if item not in places or truth not in kinds:
            raise InputError(f"the known answer {truth!r} of item {item!r} is of no item or no class of these labels")
    return np.array([places[i] for i in known]), np.array([kinds[t] for t in known.values()])
