"""MACE: workers who either know or guess (Hovy et al. 2013)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import need
from ponder.core.seeds import generator
from ponder.trust.crowds.labels import Floats, Labels
from ponder.trust.crowds.truth import Aggregator, Truth, checked, normalised


@dataclass(frozen=True)
class MACE(Aggregator):
    """With some probability a worker copies the truth, else follows a strategy of its own. Variational Bayes. `skill`: that probability.

    Attributes:
        rounds: in each start.
        starts: random starts, of which the one of largest likelihood is kept.
        known: pseudo-counts of knowing and of guessing.
        strategy: pseudo-count of each answer of the strategy.
        seed: of the starts.
    """

    rounds: int = 50
    starts: int = 10
    known: float = 0.5
    strategy: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        checked("MACE", rounds=(self.rounds, 1, math.inf), starts=(self.starts, 1, math.inf))
        checked("MACE", known=(self.known, 1e-6, math.inf), strategy=(self.strategy, 1e-6, math.inf))

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        return max((self._start(labels, pin, start) for start in range(self.starts)), key=lambda t: t.log_likelihood[-1])

    def _start(self, labels: Labels, pin: Callable[[Floats], Floats], start: int) -> Truth:
        digamma = need("scipy.special", "trust").digamma
        _, workers, k = labels.shape
        rng = generator(self.seed, ["mace", start])
        cell = labels.worker * k + labels.label
        knows = np.log(np.clip(0.5 + 0.4 * (rng.random(workers) - 0.5), 0.01, 0.99))
        guesses = np.log1p(-np.exp(knows))
        strategy = np.log(rng.dirichlet(np.full(k, 10.0), workers))
        seen: list[float] = []
        posterior, count = np.empty(0), np.empty(0)
        for _ in range(self.rounds):
            by_luck = guesses[:, None] + strategy  # log P(answers l while guessing), shape (workers, classes)
            at_all = np.logaddexp(knows[:, None], by_luck)  # log P(answers c | truth c)
            posterior, total = normalised(labels.counts((at_all - by_luck).ravel()[cell]))
            seen.append(total + float(by_luck.ravel()[cell].sum()) - len(labels.items) * math.log(k))
            right = labels.agreement(pin(posterior))
            copied = right * np.exp(knows[:, None] - at_all).ravel()[cell]
            count = labels.of_worker(copied)
            rest = np.bincount(cell, 1 - copied, workers * k).reshape(workers, k)
            whole = digamma(labels.answered + 2 * self.known)
            knows, guesses = digamma(count + self.known) - whole, digamma(rest.sum(axis=1) + self.known) - whole
            strategy = digamma(rest + self.strategy) - digamma(rest.sum(axis=1, keepdims=True) + k * self.strategy)
        skill = (count + self.known) / (labels.answered + 2 * self.known)
        return Truth(posterior, skill, labels, tuple(seen))
