"""Private multiplicative weights: exponentially many questions about rows from a finite universe (Hardt & Rothblum 2010)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.seeds import generator

Floats = NDArray[np.float64]


class MultiplicativeWeights:
    """Answers from a synthetic distribution that learns only from the questions it gets wrong by more than a threshold.

    Args:
        counts: how many rows of the sample are each element of the universe, shape (X,).
        threshold: the error that the synthetic distribution may make, T.
        sigma: standard deviation of the Gaussian noise on the sample's answer and on the comparison.
        rate: learning rate eta.
        updates: how many corrections are made before questions are refused; by default 4 ln(X) / T^2, which the analysis never exceeds.
        seed: of the noise.

    Attributes:
        synthetic: the current distribution, shape (X,). It depends on the rows only through noisy answers and may be published.
        updated: corrections so far.
    """

    def __init__(
        self, counts: ArrayLike, threshold: float = 0.05, sigma: float = 0.01, rate: float = 0.1, updates: int | None = None, seed: int = 0
    ) -> None:
        table = np.asarray(counts, dtype=np.float64)
        if table.ndim != 1 or len(table) < 2 or not np.all(table >= 0) or not 0 < table.sum() < math.inf:
            raise InputError(f"counts must be numbers of at least 0 for 2 or more elements, not of shape {table.shape}")
        if not (0 < threshold < 1 and sigma >= 0 and rate > 0) or (updates is not None and updates < 1):
            raise InputError(
                f"0 < threshold < 1, sigma >= 0, rate > 0 and updates >= 1 are needed, not {threshold}, {sigma}, {rate}, {updates}"
            )
        self._histogram = table / table.sum()
        self.threshold, self.sigma, self.rate, self._rng = threshold, sigma, rate, generator(seed, ["multiplicative weights"])
        self.updates = math.ceil(4 * math.log(len(table)) / threshold**2) if updates is None else updates
        self.updated, self.synthetic = 0, np.full(len(table), 1 / len(table))

    def ask(self, query: ArrayLike) -> float:
        """The answer to a question given as its value in [0, 1] on every element of the universe, shape (X,).

        Raises:
            InputError: for a wrong shape or values out of range.
            BudgetExhausted: all corrections were made.
        """
        q = np.asarray(query, dtype=np.float64)
        if q.shape != self.synthetic.shape or not (np.all(q >= 0) and np.all(q <= 1)):
            raise InputError(f"a query must be one number in [0, 1] for each of the {len(self.synthetic)} elements, not shape {q.shape}")
        if self.updated >= self.updates:
            raise BudgetExhausted(f"all {self.updates} corrections were made: collect fresh rows")
        told = float(q @ self._histogram + self.sigma * self._rng.standard_normal())
        guess = float(q @ self.synthetic)
        if abs(told - guess) <= self.threshold + self.sigma * self._rng.standard_normal():
            return guess
        moved = self.synthetic * np.exp(self.rate * np.sign(told - guess) * q)
        self.synthetic = moved / moved.sum()
        self.updated += 1
        return told
