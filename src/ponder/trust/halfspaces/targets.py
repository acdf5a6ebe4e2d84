"""What the rows should look like if the assumption holds: a standard Gaussian, or any isotropic law that can be sampled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError

Floats = NDArray[np.float64]
MAX_DEGREE = 8


def check_degree(degree: int) -> None:
    """Refuse a degree of moments that is not a whole number from 2 to 8."""
    if isinstance(degree, bool) or not isinstance(degree, int) or not 2 <= degree <= MAX_DEGREE:
        raise InputError(f"the degree of moments must be a whole number from 2 to {MAX_DEGREE}, not {degree!r}")


@dataclass(frozen=True)
class Moments:
    """Expected moments of rows z with k columns, and how uncertain they are.

    Attributes:
        mean: E z, shape (k,).
        second: E z z', shape (k, k).
        powers: (p, E z_j^p, Var z_j^p), the latter two of shape (k,), for p from 3 up to the degree.
        squares: E z_i^2 z_j^2 and its variance, shapes (k, k); None below degree 4.
        rows: how many rows they were estimated from; infinite where they are exact.
    """

    mean: Floats
    second: Floats
    powers: tuple[tuple[int, Floats, Floats], ...]
    squares: tuple[Floats, Floats] | None
    rows: float = math.inf


class Target(Protocol):
    """The law that the learner's guarantee is for."""

    def mass(self, w: Floats, width: float) -> float:
        """P(|<w, x>| <= width) for a unit vector w."""
        ...

    def largest_second_moment(self) -> float:
        """The largest E <u, x>^2 over unit vectors u."""
        ...

    def moments(self, w: Floats | None, basis: Floats, width: float, degree: int) -> Moments:
        """Moments of z = basis' x given |<w, x>| <= width; of all rows if w is None."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """N(0, I): given a band around w, what is orthogonal to w is exactly N(0, I) again."""

    def mass(self, w: Floats, width: float) -> float:
        return math.erf(width / math.sqrt(2))

    def largest_second_moment(self) -> float:
        return 1.0

    def moments(self, w: Floats | None, basis: Floats, width: float, degree: int) -> Moments:
        k = basis.shape[1]
        powers = tuple(
            (p, np.full(k, _normal_moment(p)), np.full(k, _normal_moment(2 * p) - _normal_moment(p) ** 2)) for p in range(3, degree + 1)
        )
        squares = (np.ones((k, k)) + 2 * np.eye(k), 8 * np.ones((k, k)) + 88 * np.eye(k)) if degree >= 4 else None
        return Moments(np.zeros(k), np.eye(k), powers, squares)


class Sampled:
    """An isotropic log-concave law (mean 0, covariance I), known by its sampler: its moments are those of `rows` draws.

    Args:
        sampler: gives n rows of d columns, called as sampler(n, d, rng).
        d: columns.
        rng: of the draws.
        rows: how many to draw; their own noise counts against what is tested, so more rows test more sharply.

    Raises:
        InputError: if what is drawn has another shape, or is not isotropic up to its own noise.
    """

    def __init__(self, sampler: Callable[[int, int, np.random.Generator], Floats], d: int, rng: np.random.Generator, rows: int = 200_000):
        self._x = np.asarray(sampler(rows, d, rng), dtype=float)
        if self._x.shape != (rows, d) or not np.all(np.isfinite(self._x)):
            raise InputError(f"the sampler must give finite numbers of shape {(rows, d)}, not {self._x.shape}")
        off = np.abs(self._x.T @ self._x / rows - np.eye(d)).max() + np.abs(self._x.mean(axis=0)).max()
        if off > 20 * math.sqrt(1 / rows) + 0.01:
            raise InputError(f"the target must have mean 0 and covariance I; its draws are off by {off:.3g}")

    def mass(self, w: Floats, width: float) -> float:
        return float(np.mean(np.abs(self._x @ w) <= width))

    def largest_second_moment(self) -> float:
        return 1.0

    def moments(self, w: Floats | None, basis: Floats, width: float, degree: int) -> Moments:
        rows = self._x if w is None else self._x[np.abs(self._x @ w) <= width]
        if len(rows) < 2:
            raise InputError(f"no draws of the target lie within {width:.3g} of the hyperplane; sample more rows of it")
        z = rows @ basis
        squared = z**2
        fourth = squared.T @ squared / len(z)
        squares = (fourth, (squared**2).T @ (squared**2) / len(z) - fourth**2) if degree >= 4 else None
        powers = tuple((p, (z**p).mean(axis=0), (z**p).var(axis=0)) for p in range(3, degree + 1))
        tied = [p for p, _, variance in powers if np.any(variance < 1e-12)]
        if tied:
            raise InputError(f"the target's moments of degree {tied} are tied: its draws all have the same power, so it is not log-concave")
        return Moments(z.mean(axis=0), z.T @ z / len(z), powers, squares, len(z))


def _normal_moment(p: int) -> float:
    """E z^p of a standard normal z."""
    return 0.0 if p % 2 else float(math.prod(range(p - 1, 0, -2)))
