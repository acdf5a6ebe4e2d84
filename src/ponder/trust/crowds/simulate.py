"""A crowd of which the truth is known: workers of different skill in different tasks, who change, tire or do not care."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.trust.crowds.labels import Floats, Ints, Labels


@dataclass(frozen=True, eq=False)
class Crowd:
    """Simulated answers.

    Attributes:
        labels: the answers, in order of item.
        truth: the class of each item, shape (items,).
        capability: the task type of each item, shape (items,).
        time: when each answer was given, in [0, 1), shape (n,).
        chance: how likely each answer was to be right, shape (n,).
    """

    labels: Labels
    truth: Ints
    capability: Ints
    time: Floats
    chance: Floats

    def accuracy(self, answers: Ints) -> float:
        """Share of items whose class is right."""
        return float(np.mean(answers == self.truth))


def simulate_crowd(
    n_workers: int = 200, n_items: int = 4000, classes: int = 3, n_capabilities: int = 6, redundancy: int = 6, drift: float = 0.0,
    spam: float = 0.15, seed: int = 0,
) -> Crowd:  # fmt: skip
    """Simulate a crowd.

    A worker's skill is a logit N(1.3, .6), plus N(0, .7) for each capability, plus a slope N(0, drift) times (t - 1/2) over the time
    t in [0, 1]; an item's difficulty is N(0, .6); P(right) = 1/K + (1 - 1/K) sigmoid(skill - difficulty), wrong labels are equally likely.
    A share `spam` of the workers gives a favourite label with probability .7, else any. Activity is Dirichlet(.4), so that few workers
    give most answers. (The figures are ours; Wang et al. 2024 give data, not a simulation.)

    Args:
        n_workers, n_items, classes, n_capabilities: how many.
        redundancy: answers an item, all by different workers.
        drift, spam: as said.
        seed: of everything.
    """
    if min(n_workers, n_items, n_capabilities, redundancy) < 1 or classes < 2 or redundancy > n_workers or drift < 0 or not 0 <= spam <= 1:
        raise InputError(
            "a crowd needs 2 or more classes, as many workers as answers an item, drift >= 0 and spam in [0, 1], not "
            f"{classes}, {n_workers} and {redundancy}, {drift}, {spam}"
        )
    rng = generator(seed, ["crowd"])
    skill = rng.normal(1.3, 0.6, n_workers)[:, None] + rng.normal(0, 0.7, (n_workers, n_capabilities))
    slope = rng.normal(0, 1, n_workers) * drift
    spammer, favourite = rng.random(n_workers) < spam, rng.integers(0, classes, n_workers)
    activity = rng.dirichlet(np.full(n_workers, 0.4)) + 1e-9
    truth, capability = rng.integers(0, classes, n_items), rng.integers(0, n_capabilities, n_items)
    difficulty = rng.normal(0, 0.6, n_items)
    worker = _different(rng, activity, n_items, redundancy).ravel()
    item = np.repeat(np.arange(n_items), redundancy)
    time = rng.random(len(item))
    logit = skill[worker, capability[item]] + slope[worker] * (time - 0.5) - difficulty[item]
    chance = 1 / classes + (1 - 1 / classes) / (1 + np.exp(-logit))
    wrong = (truth[item] + rng.integers(1, classes, len(item))) % classes
    label = np.where(rng.random(len(item)) < chance, truth[item], wrong)
    lazy = np.where(rng.random(len(item)) < 0.7, favourite[worker], rng.integers(0, classes, len(item)))
    label = np.where(spammer[worker], lazy, label)
    chance = np.where(spammer[worker], 0.7 * (favourite[worker] == truth[item]) + 0.3 / classes, chance)
    return Crowd(Labels(item, worker, label, range(n_items), range(n_workers), range(classes)), truth, capability, time, chance)


def _different(rng: np.random.Generator, activity: Floats, n: int, k: int) -> Ints:
    """Rows of k different workers, drawn by activity one after the other; shape (n, k)."""
    cumulative = np.cumsum(activity)
    chosen = np.empty((n, k), dtype=np.int64)
    for column in range(k):
        todo = np.arange(n)
        tries = 0
        while len(todo):
            tries += 1
            # A few workers may hold nearly all activity; then whoever is left is drawn evenly.
            drawn = (
                np.searchsorted(cumulative, rng.random(len(todo)) * cumulative[-1])
                if tries < 50
                else rng.integers(0, len(activity), len(todo))
            )
            chosen[todo, column] = drawn
            todo = todo[(chosen[todo, :column] == drawn[:, None]).any(axis=1)]
    return chosen
