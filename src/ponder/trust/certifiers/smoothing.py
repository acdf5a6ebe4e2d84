"""Randomised smoothing: the commonest answer under Gaussian noise, with a certified L2 radius (Cohen, Rosenfeld & Kolter 2019)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError
from ponder.trust.certifiers.gates import Gated
from ponder.trust.shares import share_bounds

Floats = NDArray[np.float64]
_ROWS = 65_536
"""Noisy rows that a model is handed at once."""


@dataclass(frozen=True)
class SmoothingCertifier:
    """Certifies at an L2 radius that the smoothed classifier's answer does not change; abstains otherwise.

    Attributes:
        sigma: standard deviation of the noise, above 0.
        radius: what is to be certified, at least 0.
        n0: draws that choose the answer. The bound has draws of its own: reusing these would break it.
        n: draws that bound the answer's share.
        alpha: chance that a certificate is wrong.
        seed: of the noise; clean and triggered requests of one seed see the same noise.
    """

    sigma: float
    radius: float = 0.0
    n0: int = 100
    n: int = 1000
    alpha: float = 0.001
    seed: int = 0

    def __post_init__(self) -> None:
        for ok, text in (
            (0 < self.sigma < math.inf, f"sigma must be above 0, not {self.sigma!r}"),
            (0 <= self.radius < math.inf, f"radius must be at least 0, not {self.radius!r}"),
            (0 < self.alpha < 0.5, f"alpha must be between 0 and 0.5, not {self.alpha!r}"),
            (self.n0 >= 1 and self.n >= 1, f"n0 and n must be at least 1, not {self.n0!r} and {self.n!r}"),
        ):
            if not ok:
                raise InputError(text)
        best = self.alpha ** (1 / self.n)
        if best <= 0.5 or self.radius_of(best) < self.radius:
            largest = max(0.0, self.radius_of(best))
            raise InputError(
                f"{self.n} draws at alpha {self.alpha:g} bound a share by at most {best:.4f}, a radius of {largest:.4g}; "
                f"{self.radius:g} can never be certified: draw more, or ask for less"
            )

    @property
    def share(self) -> float:
        """The share of noisy draws that must be bounded from below to certify the radius: Phi(radius / sigma)."""
        return NormalDist().cdf(self.radius / self.sigma)

    def radius_of(self, share: float) -> float:
        """sigma Phi^-1(share), the radius that a share certifies; minus infinity at 0, clipped below 1."""
        return self.sigma * NormalDist().inv_cdf(min(share, 1 - 1e-15)) if share > 0 else -math.inf

    def certify(self, classify: Callable[[Floats], NDArray[np.int64]], x: ArrayLike) -> Gated:
        """Answer and certify each row.

        Args:
            classify: labels 0, 1, ... of rows, shape (m, ...) -> (m,).
            x: rows, shape (n, ...).

        Returns:
            The answers; `margin` is the bound on the answer's share minus the one needed.
        """
        rows = np.asarray(x, dtype=float)
        rng = np.random.default_rng(self.seed)
        chosen = np.array([int(np.argmax(counts)) for counts in self._counts(classify, rows, self.n0, rng)])
        hits = [
            int(counts[c]) if c < len(counts) else 0 for c, counts in zip(chosen, self._counts(classify, rows, self.n, rng), strict=True)
        ]
        bound, _ = share_bounds(hits, self.n, self.alpha)
        return Gated(chosen, (bound > 0.5) & (bound >= self.share), bound - self.share)

    def _counts(
        self, classify: Callable[[Floats], NDArray[np.int64]], rows: Floats, n: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """How often each label came up for each row under n draws of noise."""
        counts, at_once = [], max(1, _ROWS // n)
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            noisy = part[:, None] + self.sigma * rng.standard_normal((len(part), n, *rows.shape[1:]))
            labels = np.asarray(classify(noisy.reshape(-1, *rows.shape[1:]))).reshape(len(part), n)
            counts += [np.bincount(line) for line in labels]
        return counts
