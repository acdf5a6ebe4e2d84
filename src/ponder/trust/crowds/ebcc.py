"""EBCC: workers whose mistakes go together, through hidden subtypes of the classes (Li, Rubinstein & Cohn 2019)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import need
from ponder.core.seeds import generator
from ponder.trust.crowds.labels import Floats, Labels
from ponder.trust.crowds.truth import Aggregator, Truth, checked, normalised, shares


@dataclass(frozen=True)
class EBCC(Aggregator):
    """Each class has subtypes; given the subtype, answers are independent. Mean-field variational Bayes. `skill`: share of right answers.

    Attributes:
        subtypes: a class.
        rounds: at most.
        tolerance: of the largest change of a posterior.
        starts: random starts, of which the one of largest evidence bound is kept.
        diagonal, off: pseudo-answers in the cells of right and of wrong answers.
        seed: of the starts.
    """

    subtypes: int = 10
    rounds: int = 500
    tolerance: float = 1e-3
    starts: int = 3
    diagonal: float = 4.0
    off: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        checked("EBCC", subtypes=(self.subtypes, 1, 1000), rounds=(self.rounds, 1, math.inf), starts=(self.starts, 1, math.inf))
        checked("EBCC", tolerance=(self.tolerance, 0, 1), diagonal=(self.diagonal, 1e-9, math.inf), off=(self.off, 1e-9, math.inf))

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        return max((self._start(labels, pin, start) for start in range(self.starts)), key=lambda t: t.log_likelihood[-1])

    def _start(self, labels: Labels, pin: Callable[[Floats], Floats], start: int) -> Truth:
        special = need("scipy.special", "trust")
        digamma, gammaln = special.digamma, special.gammaln
        items, workers, k = labels.shape
        m, cell = self.subtypes, labels.worker * k + labels.label
        prior = np.full((k, k), self.off) + (self.diagonal - self.off) * np.eye(k)
        hidden = generator(self.seed, ["ebcc", start]).dirichlet(np.ones(m), (items, k)) * pin(shares(labels.counts()))[:, :, None]
        seen: list[float] = []
        posterior, confusion = hidden.sum(axis=2), np.empty(0)
        for _ in range(self.rounds):
            eta, nu = 0.1 / m + hidden.sum(axis=0), 1 + hidden.sum(axis=(0, 2))
            flat = hidden.reshape(items, k * m)
            counted = np.stack([np.bincount(cell, flat[:, j][labels.item], workers * k) for j in range(k * m)])
            mu = counted.reshape(k, m, workers, k) + prior[:, None, None, :]
            logs = (digamma(mu) - digamma(mu.sum(axis=3, keepdims=True))).reshape(k * m, workers * k)
            prior_logs = digamma(nu) - digamma(nu.sum()) + (digamma(eta) - digamma(eta.sum(axis=1, keepdims=True))).T
            scores = np.stack([np.bincount(labels.item, logs[j][cell], items) for j in range(k * m)], axis=1) + prior_logs.T.ravel()
            flat, total = normalised(scores)
            # With the optimal hidden distribution the bound is the normaliser minus the divergences of the other factors from their priors.
            seen.append(
                total
                - _gap(gammaln, digamma, mu, prior[:, None, None, :])
                - _gap(gammaln, digamma, eta, np.full((k, m), 0.1 / m))
                - _gap(gammaln, digamma, nu, np.ones(k))
            )
            hidden = _pinned(flat.reshape(items, k, m), pin)
            moved, posterior = posterior, hidden.sum(axis=2)
            confusion = np.einsum("kmwl,km->wkl", mu / mu.sum(axis=3, keepdims=True), eta / eta.sum(axis=1, keepdims=True))
            if np.max(np.abs(moved - posterior)) < self.tolerance:
                break
        share = posterior.mean(axis=0)
        return Truth(posterior, np.einsum("wcc,c->w", confusion, share), labels, tuple(seen), confusion, share)


def _pinned(hidden: Floats, pin: Callable[[Floats], Floats]) -> Floats:
    """Subtype probabilities whose classes are those that are known."""
    posterior = hidden.sum(axis=2)
    fixed = pin(posterior.copy())
    within = np.where(posterior[:, :, None] > 0, hidden / np.maximum(posterior, 1e-300)[:, :, None], 1 / hidden.shape[2])
    return within * fixed[:, :, None]


def _gap(gammaln: Callable[[Floats], Floats], digamma: Callable[[Floats], Floats], a: Floats, b: Floats) -> float:
    """Sum of the KL divergences of Dirichlet(a) from Dirichlet(b), over the last axis."""
    b = np.broadcast_to(b, a.shape)
    total = a.sum(axis=-1, keepdims=True)
    first = gammaln(total[..., 0]) - gammaln(b.sum(axis=-1))
    return float(np.sum(first) + np.sum(gammaln(b) - gammaln(a) + (a - b) * (digamma(a) - digamma(total))))
