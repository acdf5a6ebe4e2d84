"""When enough has been drawn: stopping rules for `until`."""

from __future__ import annotations

from math import comb
from typing import Annotated, Any

import numpy as np

from ponder.core.algebra import Condition
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.terms import Range, registered
from ponder.scorers.base import log


def leader_counts(population: Population[Any]) -> list[int]:
    """How many candidates gave each answer, most first; candidates without an answer are left out."""
    counts: dict[str, int] = {}
    for candidate in population.items:
        if candidate.value is not None:
            counts[candidate.value] = counts.get(candidate.value, 0) + 1
    return sorted(counts.values(), reverse=True)


def beta_majority(first: int, second: int) -> float:
    """P(q > 1/2) for q ~ Beta(first + 1, second + 1): that the leader beats the runner-up in the long run.

    Exact: I_{1/2}(a, b) with whole a, b is a binomial tail. Aggarwal et al. 2023, "Let's Sample Step by Step", eq. 2.
    """
    n = first + second + 1
    return sum(comb(n, j) for j in range(first + 1)) / 2**n


@registered
class confident(Condition):
    """The leading answer beats the runner-up with this probability, by the Beta posterior of their counts."""

    p: Annotated[float, Range(0.5, 1), "the probability to reach"] = 0.95

    def __call__(self, population: Population[Any], context: Context) -> bool:
        counts = [*leader_counts(population), 0, 0]
        return counts[0] > 0 and beta_majority(counts[0], counts[1]) >= self.p


@registered
class settled(Condition):
    """The leading answer would still lead after `of` samples with this probability, by a Polya urn of the answers so far.

    The urn imagines the samples that are still to come (the martingale posterior of the majority): drawn in proportion to the
    counts, with `novelty` pseudo-counts for answers not seen yet. Ties count against the leader.
    """

    p: Annotated[float, Range(0.5, 1), "the probability to reach"] = 0.95
    of: Annotated[int, Range(1), "how many samples there would be in all"] = 64
    novelty: Annotated[float, Range(0), "pseudo-count of an answer not seen yet"] = 1.0

    def __call__(self, population: Population[Any], context: Context) -> bool:
        counts = leader_counts(population)
        return bool(counts) and self.probability(counts, self.of - len(population), context.rng()) >= self.p

    def probability(self, counts: list[int], left: int, rng: np.random.Generator, draws: int = 2000) -> float:
        """Monte Carlo estimate (standard error below .012) that the first count is still strictly the largest after `left` more."""
        if left <= 0:
            return float(len(counts) < 2 or counts[0] > counts[1])
        concentration = np.array([*counts, self.novelty] if self.novelty > 0 else counts, dtype=float)
        now = np.array([*counts, 0] if self.novelty > 0 else counts)
        # A Polya urn run forward is a Dirichlet draw followed by a multinomial one.
        future = now + rng.multinomial(left, rng.dirichlet(concentration, size=draws))
        if future.shape[1] == 1:
            return 1.0
        return float(np.mean(future[:, 0] > future[:, 1:].max(axis=1)))


@registered
class reached(Condition):
    """The best of the candidates that were judged and hold an answer weighs this much, as `sample(1) | weigh(scorer)` leaves them.

    For scores that are log-probabilities, weighed once.
    """

    threshold: Annotated[float | None, Range(0, 1), "the score, as a probability, that is good enough; None is never reached"] = 0.9

    def __call__(self, population: Population[Any], context: Context) -> bool:
        judged = np.array([getattr(c, "value", None) is not None and bool(c.scores) for c in population.items])
        if self.threshold is None or not judged.any():
            return False
        # A union gives each of n candidates the share 1 / n of its score.
        best = float(np.max(population.log_weights[judged])) + np.log(len(population))
        if best < float(log(self.threshold)) - 1e-12:
            return False
        context.trace.note(f"{self}: stopped after {len(population)} candidates in {context.round + 1} rounds")
        return True
