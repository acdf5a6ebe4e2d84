"""Tests of a band around a learned hyperplane: each says how far a moment is from where it should be, and in which direction.

Worst-case theory matches all moments up to a degree that grows with the accuracy, which nobody can compute. These tests match a few
degrees, so what they certify is as strong as the degree and no stronger.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ponder.trust.halfspaces.targets import Gaussian, Moments, Target, check_degree

Floats = NDArray[np.float64]
FEWEST_IN_BAND = 200


@dataclass(frozen=True)
class Outcome:
    """What one test found.

    Attributes:
        test: its name, the band included.
        statistic: the largest deviation found.
        low, high: the values of the statistic that pass, ends included.
        direction: the unit vector along which it was found, in the learner's (whitened) coordinates, shape (d,); None where the test has
            none, as for the mass of a band.
    """

    test: str
    statistic: float
    low: float
    high: float
    direction: Floats | None = None

    @property
    def passed(self) -> bool:
        return self.low <= self.statistic <= self.high

    def __str__(self) -> str:
        return f"{self.test}: {self.statistic:.4g}, {'within' if self.passed else 'outside'} [{self.low:.4g}, {self.high:.4g}]"


def complement(w: Floats) -> Floats:
    """An orthonormal basis of what is orthogonal to the unit vector w, shape (d, d - 1): the axes, reflected so that one becomes w.

    Axes that w does not touch stay as they are, so that a feature which is far from the target is not hidden by rotation.
    """
    axis = int(np.argmax(np.abs(w)))
    mirror = w.copy()
    mirror[axis] += math.copysign(1.0, w[axis])
    reflection = np.eye(len(w)) - 2 * np.outer(mirror, mirror) / (mirror @ mirror)
    return np.delete(reflection, axis, axis=1)


def second_moment_test(x: Floats, target: Target) -> Outcome:
    """T1: no direction has a second moment much above the target's."""
    n, d = x.shape
    values, vectors = np.linalg.eigh(x.T @ x / n)
    most = target.largest_second_moment() * (1 + math.sqrt(d / n) + 3 * math.sqrt(2 / n)) ** 2 + 0.05
    return Outcome("second moment", float(values[-1]), 0.0, most, vectors[:, -1])


def mass_test(x: Floats, w: Floats, width: float, target: Target) -> Outcome:
    """T2: the band |<w, x>| <= width holds about as many rows as under the target."""
    mass = target.mass(w, width)
    return Outcome(f"mass within {width:.3g}", float(np.mean(np.abs(x @ w) <= width)), 0.5 * mass, 1.5 * mass)


def strips_test(x: Floats, w: Floats, width: float, target: Target) -> Outcome:
    """The bound on disagreement that adversarial noise needs: strips of |<w, x>|, each with its mass and second moments.

    A halfspace at an angle of about `width` differs from w's, i strips out, on at most min(mass, second moment / i^2) of the rows
    (Chebyshev); the sum must not be much above the target's.
    """
    n, d = x.shape
    basis = complement(w)
    at = np.floor(np.abs(x @ w) / width).astype(int)
    order = np.argsort(at, kind="stable")
    starts = np.flatnonzero(np.diff(at[order], prepend=-1))
    total = 0.0
    for rows in np.split(order, starts[1:]):
        z = x[rows] @ basis
        strip = at[rows[0]]
        spread = float(np.linalg.eigvalsh(z.T @ z / n)[-1])
        total += min(len(rows) / n, spread / strip**2 if strip else math.inf)
    masses = np.diff([0.0] + [target.mass(w, width * (i + 1)) for i in range(math.ceil(6 / width))])
    allowed = masses[0] + float(np.sum(masses[1:] / np.arange(1, len(masses)) ** 2))
    return Outcome(f"disagreement over strips of {width:.3g}", total, 0.0, 1.5 * allowed + 3 * math.sqrt(d / n))


def band_tests(x: Floats, w: Floats, width: float, target: Target, degree: int, level: float) -> Iterator[Outcome]:
    """T3: within the band, what is orthogonal to w has the target's moments up to a degree.

    Args:
        x: rows, shape (n, d).
        w: a unit vector, shape (d,).
        width: of the band |<w, x>| <= width.
        target: the law to compare with.
        degree: of the highest moments.
        level: chance that one of these tests fails under the target, by the normal approximation.
    """
    inside = x[np.abs(x @ w) <= width]
    band = f"within {width:.3g}"
    count = Outcome(f"rows {band}", float(len(inside)), FEWEST_IN_BAND, math.inf)
    yield count
    if count.passed:
        basis = complement(w)
        yield from moment_tests(inside @ basis, target.moments(w, basis, width, degree), level, band, basis)


def global_tests(x: Floats, degree: int = 4, level: float = 0.001, target: Target | None = None) -> list[Outcome]:
    """The same moments of all rows, without looking at labels or a band: what local tests are compared with.

    Args:
        x: rows, shape (n, d).
        degree: of the highest moments.
        level: chance that each kind of test fails under the target.
        target: by default a standard Gaussian.
    """
    check_degree(degree)
    basis = np.eye(x.shape[1])
    return list(moment_tests(x, (target or Gaussian()).moments(None, basis, math.inf, degree), level, "overall", basis))


def moment_tests(z: Floats, expected: Moments, level: float, where: str, basis: Floats) -> Iterator[Outcome]:
    """Mean, second moments, powers of each column and products of squares against what is expected of rows z, shape (m, k)."""
    m, k = z.shape
    noise = 1 / m + 1 / expected.rows
    off = z.mean(axis=0) - expected.mean
    scale = np.sqrt(np.maximum(np.diag(expected.second) - expected.mean**2, 1e-12))
    yield _largest(f"mean {where}", off / (scale * math.sqrt(noise)), level / k, basis)
    values, vectors = np.linalg.eigh(z.T @ z / m - expected.second)
    worst = int(np.argmax(np.abs(values)))
    allowed = 2 * math.sqrt(k * noise) + k * noise + 3 * math.sqrt(2 * noise) + 0.05
    yield Outcome(f"second moments {where}", float(values[worst]), -allowed, allowed, basis @ vectors[:, worst])
    for p, mean, variance in expected.powers:
        yield _largest(f"moment {p} {where}", ((z**p).mean(axis=0) - mean) / np.sqrt(variance * noise), level / k, basis)
    if expected.squares is not None:
        mean, variance = expected.squares
        upper = np.triu_indices(k, 1)
        if len(upper[0]):
            products = ((z**2).T @ (z**2) / m - mean)[upper] / np.sqrt(variance[upper] * noise)
            pair = int(np.argmax(np.abs(products)))
            i, j = upper[0][pair], upper[1][pair]
            bound = quantile(level / len(products))
            yield Outcome(f"squares {where}", float(products[pair]), -bound, bound, (basis[:, i] + basis[:, j]) / math.sqrt(2))


def _largest(name: str, scores: Floats, level: float, basis: Floats) -> Outcome:
    """The column whose score, in standard errors, is farthest from 0."""
    worst, bound = int(np.argmax(np.abs(scores))), quantile(level)
    return Outcome(name, float(scores[worst]), -bound, bound, basis[:, worst])


def quantile(level: float) -> float:
    """How far a standard normal goes with this chance, on either side."""
    return -NormalDist().inv_cdf(level / 2)
