"""GLAD: abilities of workers and difficulties of items (Whitehill et al. 2009)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import need
from ponder.trust.crowds.labels import Floats, Labels
from ponder.trust.crowds.truth import Aggregator, Truth, checked, normalised, rounds_of, shares


@dataclass(frozen=True)
class GLAD(Aggregator):
    """P(right) = sigmoid(a_w exp(b_i)); wrong labels share the rest. Normal priors of mean 1 and variance 1 on a and b. `skill` is a.

    Attributes:
        rounds: of expectation and maximisation, at most.
        inner: conjugate gradient steps in each maximisation, at most.
        tolerance: of the log-likelihood.
    """

    rounds: int = 30
    inner: int = 25
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        checked("GLAD", rounds=(self.rounds, 1, math.inf), inner=(self.inner, 1, math.inf), tolerance=(self.tolerance, 0, math.inf))

    def _fit(self, labels: Labels, pin: Callable[[Floats], Floats]) -> Truth:
        minimize = need("scipy.optimize", "trust").minimize
        items, workers, k = labels.shape
        at = np.ones(workers + items)
        posterior = pin(shares(labels.counts()))

        def strength(x: Floats) -> tuple[Floats, Floats]:
            scale = np.exp(np.clip(x[workers:], -20, 20))
            return x[:workers][labels.worker] * scale[labels.item], scale

        def loss(x: Floats, right: Floats) -> tuple[float, Floats]:
            """Minus the expected log-posterior of abilities and difficulties, and its gradient."""
            z, scale = strength(x)
            value = right @ np.logaddexp(0, -z) + (1 - right) @ (np.logaddexp(0, z) + math.log(k - 1)) + 0.5 * np.sum((x - 1) ** 2)
            slope = 1 / (1 + np.exp(-np.clip(z, -500, 500))) - right
            gradient = np.concatenate([labels.of_worker(slope * scale[labels.item]), np.bincount(labels.item, slope * z, items)])
            return float(value), gradient + x - 1

        def step() -> float:
            nonlocal at, posterior
            right = labels.agreement(posterior)
            at = minimize(loss, at, args=(right,), jac=True, method="CG", options={"maxiter": self.inner}).x
            z, _ = strength(at)
            wrong = -np.logaddexp(0, z) - math.log(k - 1)
            posterior, total = normalised(labels.counts(-np.logaddexp(0, -z) - wrong))
            posterior = pin(posterior)
            return total + float(wrong.sum()) - items * math.log(k)

        seen = rounds_of(step, self.rounds, self.tolerance * len(labels) / 1000)
        return Truth(posterior, at[:workers], labels, seen)
