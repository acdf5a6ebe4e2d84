"""A learner of halfspaces that tests its own assumption, and refuses where it fails (Gollakota et al. 2023, arXiv 2302.14853)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, PonderError
from ponder.trust.halfspaces.local_tests import Outcome, band_tests, mass_test, second_moment_test, strips_test
from ponder.trust.halfspaces.surrogate import descend, row_gradients
from ponder.trust.halfspaces.targets import Gaussian, Target, check_degree
from ponder.trust.shares import share_bounds

Floats = NDArray[np.float64]


class Refused(PonderError):
    """A learner that rejected its sample was asked to predict."""


@dataclass(frozen=True)
class Accepted:
    """A halfspace whose error is certified to be near the best possible on this distribution, as far as the tests' degree goes.

    Attributes:
        w: the unit vector of the halfspace, in whitened coordinates if the learner whitens, shape (d,).
        error: share of the testing half that it gets wrong.
        error_ci: the exact interval of the error (Clopper-Pearson), at the learner's delta, candidates counted.
        tests: all tests that it passed.
        degree: of the moments that were matched.
        centre, transform: the whitening, z = (x - centre) @ transform; None where there is none.
    """

    w: Floats
    error: float
    error_ci: tuple[float, float]
    tests: tuple[Outcome, ...]
    degree: int
    centre: Floats | None = None
    transform: Floats | None = None

    accepted = True

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """Labels of -1 and 1 for rows x, shape (n, d); a row exactly on the hyperplane gets 1."""
        rows = _rows(x)
        if rows.shape[1] != len(self.w):
            raise InputError(f"the halfspace was learned on {len(self.w)} features, and rows of {rows.shape[1]} were given")
        if self.centre is not None and self.transform is not None:
            rows = (rows - self.centre) @ self.transform
        return np.where(rows @ self.w >= 0, 1, -1)


@dataclass(frozen=True)
class Rejected:
    """The sample is not what the guarantee is for, or no stationary point was found.

    Attributes:
        failed: the tests that failed for the candidate that failed the fewest, the worst first.
        w: that candidate, which carries no guarantee, shape (d,).
        error: its share of mistakes on the testing half.
        tests: all tests of that candidate.
    """

    failed: tuple[Outcome, ...]
    w: Floats
    error: float
    tests: tuple[Outcome, ...]

    accepted = False

    @property
    def witness(self) -> Outcome:
        """The test that failed most clearly, with its direction."""
        return self.failed[0]

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """Never predicts.

        Raises:
            Refused: always, with the witness.
        """
        raise Refused(f"the sample was rejected ({self.witness}); use another model for this traffic, or look at `.witness`")


@dataclass(frozen=True)
class TesterLearner:
    """Learns sign(<w, x>) under noise, and tests on the other half of the sample that the marginal allows a guarantee.

    Attributes:
        target: the law of the rows that the guarantee is for, `Gaussian()` or `Sampled(...)`.
        noise: "massart" (each label flipped with a chance below 1/2, error opt + eps) or "adversarial" (any labels, error O(opt) + eps),
            which adds the test of strips.
        sigma: widths of the ramp, one or several, above 0; the bands are sigma/6 and sigma/2 wide on either side.
        delta: bound on the chance of refusing a sample from the target, by the normal approximation, shared by all tests.
        degree: of the moments that are matched in the bands. The certificate is as strong as this.
        n_starts: random starts of the descent, for each width.
        steps, batch: of the descent.
        whiten: centre and whiten with the learning half's mean and covariance; otherwise the rows must come so.
    """

    target: Target = field(default_factory=Gaussian)
    noise: Literal["massart", "adversarial"] = "massart"
    sigma: float | tuple[float, ...] = 0.3
    delta: float = 0.01
    degree: int = 4
    n_starts: int = 1
    steps: int = 2000
    batch: int = 200
    whiten: bool = False

    __test__ = False  # pytest would take the name for a class of tests

    def __post_init__(self) -> None:
        check_degree(self.degree)
        wrong = [s for s in self.widths if not (math.isfinite(s) and s > 0)]
        for ok, text in (
            (self.noise in ("massart", "adversarial"), f"noise must be 'massart' or 'adversarial', not {self.noise!r}"),
            (bool(self.widths) and not wrong, f"sigma must be one or more numbers above 0, not {self.sigma!r}"),
            (0 < self.delta < 1, f"delta must be between 0 and 1, not {self.delta!r}"),
            (self.n_starts >= 1 and self.steps >= 20 and self.batch >= 1, "at least 1 start, 20 steps and batches of 1 are needed"),
        ):
            if not ok:
                raise InputError(text)

    @property
    def widths(self) -> tuple[float, ...]:
        return tuple(self.sigma) if isinstance(self.sigma, tuple | list) else (float(self.sigma),)

    def fit(self, x: ArrayLike, y: ArrayLike, rng: np.random.Generator) -> Accepted | Rejected:
        """Learn on one half of the rows, test on the other.

        Args:
            x: rows, shape (n, d), in no order that matters.
            y: labels of -1 and 1, shape (n,).
            rng: of the halves, the starts and the batches.

        Raises:
            InputError: for labels that are not -1 and 1, numbers that are not finite, constant or tied features (one a linear combination
                of others), fewer than 50 d rows a half.
        """
        rows, labels = checked(x, y)
        order = rng.permutation(len(rows))
        first, second = np.array_split(order, 2)
        centre = transform = None
        if self.whiten:
            centre, transform = _whitening(rows[first])
            rows = (rows - centre) @ transform
        share = float(np.mean(labels == 1))
        if not 0.3 <= share <= 0.7:
            warnings.warn(f"{share:.0%} of the labels are 1: the class has no offset, so centre the rows", stacklevel=2)
        x2, y2 = rows[second], labels[second]
        tried = []
        for sigma in self.widths:
            for _ in range(self.n_starts):
                iterates = descend(rows[first], labels[first], sigma, rng, self.steps, self.batch)
                tried.append(self._tried(_most_stationary(iterates, x2, y2, sigma), sigma, x2, y2))
        passed = [t for t in tried if not t[2]]
        if passed:
            w, error, _, tests = min(passed, key=lambda t: t[1])
            low, high = share_bounds(round(error * len(y2)), len(y2), self.delta / (2 * len(tried)))
            return Accepted(w, error, (float(low), float(high)), tests, self.degree, centre, transform)
        w, error, failed, tests = min(tried, key=lambda t: (len(t[2]), t[1]))
        return Rejected(tuple(sorted(failed, key=_excess, reverse=True)), w, error, tests)

    def _tried(self, w: Floats, sigma: float, x: Floats, y: Floats) -> tuple[Floats, float, list[Outcome], tuple[Outcome, ...]]:
        """A candidate or its negative, whichever errs less; its error, the tests that it failed, and all tests.

        The tests look at both signs alike, and the gradient of one is the other's negative wherever the loss is symmetric.
        """
        wrong = float(np.mean(np.where(x @ w >= 0, 1, -1) != y))
        if wrong > 0.5:
            w, wrong = -w, float(np.mean(np.where(x @ -w >= 0, 1, -1) != y))
        kinds = 2 * (self.degree + (self.degree >= 4))
        level = self.delta / (kinds * self.n_starts * len(self.widths))
        tests = [_stationarity(w, x, y, sigma), second_moment_test(x, self.target), mass_test(x, w, sigma, self.target)]
        for width in (sigma / 6, sigma / 2):
            tests += band_tests(x, w, width, self.target, self.degree, level)
        if self.noise == "adversarial":
            tests.append(strips_test(x, w, sigma, self.target))
        return w, wrong, [t for t in tests if not t.passed], tuple(tests)


def checked(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Rows and labels as numbers, or an InputError that says what is wrong with them."""
    rows = _rows(x)
    n, d = rows.shape
    try:
        labels = np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        raise InputError("labels must be -1 or 1") from None
    if labels.shape != (n,):
        raise InputError(f"{n} rows need labels of shape ({n},), not {labels.shape}")
    if not np.all(np.abs(labels) == 1):
        others = sorted({float(v) for v in labels if abs(v) != 1})[:3]
        raise InputError(f"labels must be -1 or 1; there are others, such as {others}")
    if d < 2 or n // 2 < 50 * d:
        raise InputError(f"{d} features need at least 2 and 50 rows each in either half: {n} rows were given, {100 * max(d, 2)} are needed")
    constant = np.flatnonzero(np.ptp(rows, axis=0) == 0)
    if len(constant):
        raise InputError(f"features {constant.tolist()} are constant; leave them out")
    spread = rows.std(axis=0)
    values, vectors = np.linalg.eigh(np.corrcoef((rows - rows.mean(axis=0)) / spread, rowvar=False))
    if values[0] < 1e-10:
        tied = np.flatnonzero(np.abs(vectors[:, 0]) > 0.01).tolist()
        raise InputError(f"features {tied} are tied: one is a linear combination of the others, so the moments are singular; leave one out")
    return rows, labels


def _rows(x: ArrayLike) -> Floats:
    try:
        rows = np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise InputError("rows must be numbers, shape (n, d)") from None
    if rows.ndim != 2 or rows.size == 0:
        raise InputError(f"rows must have shape (n, d), not {rows.shape}")
    if not np.all(np.isfinite(rows)):
        raise InputError(f"rows must be finite; {int(np.sum(~np.isfinite(rows)))} numbers are not")
    return rows


def _whitening(rows: Floats) -> tuple[Floats, Floats]:
    """Mean, and the symmetric inverse root of the covariance."""
    centre = rows.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
    return centre, vectors / np.sqrt(values) @ vectors.T


def _most_stationary(iterates: Floats, x: Floats, y: Floats, sigma: float) -> Floats:
    """The iterate with the smallest gradient on the testing half."""
    return min(iterates, key=lambda w: float(np.linalg.norm(row_gradients(w, x, y, sigma).mean(axis=0))))


def _stationarity(w: Floats, x: Floats, y: Floats, sigma: float) -> Outcome:
    """Whether the gradient is no longer than twice its own standard error."""
    rows = row_gradients(w, x, y, sigma)
    gradient = rows.mean(axis=0)
    norm = float(np.linalg.norm(gradient))
    noise = math.sqrt(float(rows.var(axis=0).sum()) / len(rows))
    return Outcome(f"gradient at sigma {sigma:.3g}", norm, 0.0, 2 * noise, gradient / norm if norm > 0 else None)


def _excess(outcome: Outcome) -> float:
    """How far a statistic is outside what passes, in units of the bound it crossed."""
    if outcome.statistic > outcome.high:
        return (outcome.statistic - outcome.high) / max(abs(outcome.high), 1e-12)
    return (outcome.low - outcome.statistic) / max(abs(outcome.low), 1e-12)
