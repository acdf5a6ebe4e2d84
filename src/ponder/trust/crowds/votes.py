"""Votes, plain and weighted by agreement with the majority: no model of the answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ponder.trust.crowds.labels import Floats, Labels
from ponder.trust.crowds.truth import Aggregator, Truth, checked, shares


@dataclass(frozen=True)
class MajorityVote(Aggregator):
    """Every answer counts the same. A worker's skill is the share of agreement with the posterior."""

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        posterior = pin(shares(labels.counts()))
        return Truth(posterior, labels.of_worker(labels.agreement(posterior)) / np.maximum(labels.answered, 1), labels)


@dataclass(frozen=True)
class Wawa(Aggregator):
    """Worker agreement with aggregate: a majority vote, then one in which an answer weighs as much as its worker agreed with the first."""

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        best = pin(shares(labels.counts())).argmax(axis=1)
        skill = labels.of_worker((best[labels.item] == labels.label).astype(np.float64)) / np.maximum(labels.answered, 1)
        return Truth(pin(shares(labels.counts(skill[labels.worker]))), skill, labels)


@dataclass(frozen=True)
class ZeroBasedSkill(Aggregator):
    """Weights that start just above chance and move towards each worker's agreement with the weighted vote.

    Attributes:
        rounds: of voting and moving.
        rate: share of the way in a round, halved every `halve` rounds.
        halve: as said.
    """

    rounds: int = 100
    rate: float = 1.0
    halve: int = 20

    def __post_init__(self) -> None:
        checked("ZeroBasedSkill", rounds=(self.rounds, 1, math.inf), rate=(self.rate, 1e-12, 1), halve=(self.halve, 1, math.inf))

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        skill = np.full(len(labels.workers), 1 / len(labels.classes) + 1e-5)
        answered = np.maximum(labels.answered, 1)
        for done in range(self.rounds):
            best = pin(shares(labels.counts(skill[labels.worker]))).argmax(axis=1)
            agreed = labels.of_worker((best[labels.item] == labels.label).astype(np.float64)) / answered
            moved = skill + self.rate / 2 ** (done // self.halve) * (agreed - skill)
            if np.array_equal(moved, skill):
                break
            skill = moved
        return Truth(pin(shares(labels.counts(skill[labels.worker]))), skill, labels)
