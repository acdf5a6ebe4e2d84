"""Bayesian linear regression one task at a time: exact, in any order, and still wrong for tasks that disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError


@dataclass(frozen=True, eq=False)
class LinearBelief:
    """A Gaussian over the weights of a linear model with known noise, kept as precision P and information P m.

    Attributes:
        precision: P, shape (D, D).
        information: P m, shape (D,).
        noise: variance of an observation around x w, above 0.
    """

    precision: NDArray[np.float64]
    information: NDArray[np.float64]
    noise: float

    @classmethod
    def prior(cls, dimension: int, noise: float, precision: float = 1.0) -> LinearBelief:
        """N(0, 1 / precision) for each of the weights.

        Raises:
            InputError: no dimension, or a noise or precision that is not above 0.
        """
        if dimension < 1 or not noise > 0 or not precision > 0:
            raise InputError(f"a prior needs a dimension >= 1, noise > 0 and precision > 0, not {dimension}, {noise}, {precision}")
        return cls(precision * np.eye(dimension), np.zeros(dimension), noise)

    def update(self, x: ArrayLike, y: ArrayLike) -> LinearBelief:
        """The posterior after a task: P + x'x / noise and P m + x'y / noise (Kessler et al. 2023, section 5).

        Args:
            x: shape (n, D).
            y: shape (n,).

        Raises:
            InputError: other shapes, or numbers that are not finite.
        """
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if x.ndim != 2 or x.shape[1] != len(self.information) or y.shape != (len(x),):
            raise InputError(f"a task is x of shape (n, {len(self.information)}) and y of shape (n,), not {x.shape} and {y.shape}")
        if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
            raise InputError("x and y must be finite")
        return LinearBelief(self.precision + x.T @ x / self.noise, self.information + x.T @ y / self.noise, self.noise)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Posterior mean m of the weights, shape (D,)."""
        return np.asarray(np.linalg.solve(self.precision, self.information), dtype=np.float64)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Posterior covariance of the weights, shape (D, D)."""
        return np.asarray(np.linalg.inv(self.precision), dtype=np.float64)
