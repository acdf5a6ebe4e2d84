"""Aggregation of a stream: answers are read once, and skills follow workers who change."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.trust.crowds.em import EDGE
from ponder.trust.crowds.labels import Floats, Ints
from ponder.trust.crowds.truth import checked, normalised

START = (4.0, 1.0)
"""Right and wrong pseudo-answers of a worker who is new."""


@dataclass(eq=False)
class OnlineCrowd:
    """One-coin skills as Beta counts that forget; posteriors of items as sums of log-odds. Costs the same for every answer of a stream.

    Give chunks in the order in which answers came in (cut a stream by time, not by item: an item's later answers are not known yet). An
    item may come back in a later chunk: its earlier answers count with the skills that were believed when they came.

    Attributes:
        classes: the possible answers.
        forget: what remains of a worker's counts after a chunk in which the worker answered, in (0, 1]; 1 never forgets.
        per_capability: one skill a worker and capability instead of one a worker.
        rounds: of expectation and maximisation within a chunk.
    """

    classes: Sequence[Hashable]
    forget: float = 1.0
    per_capability: bool = False
    rounds: int = 3
    _items: dict[Any, int] = field(default_factory=dict[Any, int], init=False, repr=False)
    _workers: dict[Any, int] = field(default_factory=dict[Any, int], init=False, repr=False)
    _scores: Floats = field(init=False, repr=False)
    _counts: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        checked("OnlineCrowd", forget=(self.forget, 1e-9, 1), rounds=(self.rounds, 1, math.inf))
        if len(set(self.classes)) < max(2, len(self.classes)):
            raise InputError(f"a crowd needs at least 2 different classes, not {list(self.classes)}")
        self._class = {c: i for i, c in enumerate(self.classes)}
        self._scores, self._counts = np.zeros((0, len(self.classes))), np.zeros((0, 2))

    def partial_fit(
        self, items: Sequence[Any] | NDArray[Any], workers: Sequence[Any] | NDArray[Any], answers: Sequence[Any] | NDArray[Any],
        capability: Sequence[Any] | NDArray[Any] | None = None,
    ) -> OnlineCrowd:  # fmt: skip
        """Read the next answers of the stream; one entry an answer.

        Raises:
            InputError: for lists of different lengths, an answer that is no class, or no capabilities where skills are per capability.
        """
        columns = [np.asarray(c) for c in (items, workers, answers, items if capability is None else capability)]
        if len({c.shape for c in columns}) > 1 or columns[0].ndim != 1:
            raise InputError(f"a chunk needs lists of one length, not of shapes {[c.shape for c in columns]}")
        if self.per_capability and capability is None:
            raise InputError("skills are per capability: give each answer's capability")
        if not len(columns[0]):
            return self
        unknown = [a for a in np.unique(columns[2]).tolist() if a not in self._class]
        if unknown:
            raise InputError(f"{unknown[0]!r} is no class of {list(self.classes)}")
        item, worker = _places(columns[0], self._items), _places(columns[1], self._workers, columns[3] if self.per_capability else None)
        label = _places(columns[2], self._class)
        k = len(self.classes)
        self._scores = _room(self._scores, len(self._items), np.zeros(k))
        self._counts = _room(self._counts, len(self._workers), np.array(START))
        here, local = np.unique(item, return_inverse=True)
        who, local_worker = np.unique(worker, return_inverse=True)
        answered = np.bincount(local_worker)
        before, right = self._scores[here], np.zeros(len(who))
        a, b = self._counts[who].T
        told = np.zeros_like(before)
        for turn in range(self.rounds + 1):
            wrong = answered - right if turn else 0.0
            skill = np.clip((a + right) / (a + right + b + wrong), EDGE, 1 - EDGE)
            odds = np.log(skill) - np.log((1 - skill) / (k - 1))
            told = np.bincount(local * k + label, odds[local_worker], len(here) * k).reshape(-1, k)
            if turn < self.rounds:
                posterior, _ = normalised(before + told)
                right = np.bincount(local_worker, posterior[local, label], len(who))
        self._scores[here] = before + told
        start = np.array(START)
        fresh = np.column_stack([right, answered - right])
        self._counts[who] = start + self.forget * (self._counts[who] - start) + fresh
        return self

    @property
    def posterior(self) -> Floats:
        """Probability of each class of each item seen so far, in order of first appearance, shape (items, classes)."""
        scores = self._scores[: len(self._items)]
        return normalised(scores)[0] if len(scores) else scores

    @property
    def items(self) -> list[Any]:
        """The items seen so far, in order of first appearance."""
        return list(self._items)

    @property
    def answers(self) -> dict[Any, Any]:
        """Item -> its most probable class."""
        return {i: self.classes[int(c)] for i, c in zip(self._items, np.argmax(self._scores[: len(self._items)], axis=1), strict=True)}

    @property
    def skills(self) -> dict[Any, float]:
        """Worker, or (worker, capability) -> the mean of its skill."""
        counts = self._counts[: len(self._workers)]
        return dict(zip(self._workers, (counts[:, 0] / counts.sum(axis=1)).tolist(), strict=True))

    def next_item(self, enough: float = 0.95) -> Any | None:
        """The item whose best class is least probable, to be asked about next; None if all have `enough`."""
        if not self._items:
            return None
        top = self.posterior.max(axis=1)
        at = int(np.argmin(top))
        return None if top[at] >= enough else list(self._items)[at]

    def next_worker(self) -> Any | None:
        """The worker of largest expected skill, or (worker, capability); None before the first answer."""
        skills = self.skills
        return max(skills, key=lambda w: skills[w]) if skills else None


def _room(table: Floats, rows: int, fill: Floats) -> Floats:
    """The table with room for so many rows; it doubles, so that a long stream does not copy it for every chunk."""
    if rows <= len(table):
        return table
    return np.concatenate([table, np.tile(fill, (max(rows, 2 * len(table)) - len(table), 1))])


def _places(values: NDArray[Any], known: dict[Any, int], group: NDArray[Any] | None = None) -> Ints:
    """Index of each value, or of each (value, group), in `known`, which grows by those that are new."""
    found, index = np.unique(values, return_inverse=True)
    names: list[Any] = found.tolist()
    if group is not None:
        kinds, of = np.unique(group, return_inverse=True)
        pairs, index = np.unique(index * len(kinds) + of, return_inverse=True)
        names = [(names[int(p) // len(kinds)], kinds[int(p) % len(kinds)].item()) for p in pairs]
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)[index]
