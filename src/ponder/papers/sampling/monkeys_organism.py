"""A synthetic sampler: problems with Beta-distributed difficulty, wrong answers that repeat, and a reward model that errs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import need

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """Samples of P problems, N each.

    Attributes:
        answers: shape (P, N); 0 is the right answer, 1 and up are the wrong ones of that problem.
        rewards: shape (P, N), above 0.
    """

    answers: NDArray[np.int64]
    rewards: Floats

    @property
    def correct(self) -> NDArray[np.bool_]:
        return self.answers == 0


def success_counts(
    family: Mapping[str, tuple[float, float]], problems: int, samples: tuple[int, ...], rng: np.random.Generator
) -> dict[str, list[NDArray[np.int64]]]:
    """Correct samples among the first n of each problem, for models of several sizes on the same problems.

    Problem i has one rank of difficulty; for the size (alpha, beta) its success probability is the quantile of Beta(alpha, beta)
    at that rank.

    Returns:
        For every size an array of shape (P,) for every n of `samples` (ascending).
    """
    quantile = need("scipy.special", "bench").betaincinv
    rank = rng.random(problems)
    result: dict[str, list[NDArray[np.int64]]] = {}
    for size, (alpha, beta) in family.items():
        p = quantile(alpha, beta, rank)
        new = [rng.binomial(n - before, p) for before, n in zip((0, *samples), samples, strict=False)]
        result[size] = list(np.cumsum(new, axis=0))
    return result


def draw_samples(alpha: float, beta: float, problems: int, n: int, rng: np.random.Generator, wrong: int = 20) -> Samples:
    """Draw answers and rewards.

    A sample is right with probability p ~ Beta(alpha, beta); wrong answers repeat, with Dirichlet(.3) shares. The reward is
    exp(right + taste + noise): `right` is 1 or 0, `taste` is a standard normal of each answer of each problem, which no
    number of samples averages away, and `noise` a normal of deviation .5 of each sample.
    """
    answers, rewards = np.empty((problems, n), dtype=np.int64), np.empty((problems, n))
    for i, p in enumerate(rng.beta(alpha, beta, size=problems)):
        mistakes = 1 + rng.choice(wrong, size=n, p=rng.dirichlet(np.full(wrong, 0.3)))
        answers[i] = np.where(rng.random(n) < p, 0, mistakes)
        taste = rng.normal(size=wrong + 1)
        rewards[i] = np.exp((answers[i] == 0) + taste[answers[i]] + rng.normal(0, 0.5, size=n))
    return Samples(answers, rewards)
