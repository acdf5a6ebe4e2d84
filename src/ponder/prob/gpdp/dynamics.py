"""Stock-recruitment models, and the fishery with a tipping point (Boettiger, Mangel & Munch 2015, model as in the authors' code)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError

# fmt: off
TRAINING = np.array([
    5.5, 5.384, 5.633, 6.233, 5.933, 6.439, 7.084, 7.306, 7.474, 7.568, 7.494, 7.611, 7.474, 7.487, 7.817, 8.334, 8.005, 7.799, 7.584,
    7.522, 8.813, 8.053, 7.818, 7.771, 8.111, 7.750, 7.365, 7.944, 7.587, 7.838, 7.588, 8.290, 7.857, 7.681, 7.694, 7.277, 7.227, 6.839,
    6.836, 7.202,
])  # fmt: skip
# fmt: on
"""The 40 unharvested years of the published training series."""


def allen(s: np.ndarray, r: np.ndarray, k: np.ndarray, c: np.ndarray) -> np.ndarray:
    """s exp(r (1 - s/k) (s - c) / k): below the threshold c the stock declines."""
    return s * np.exp(r * (1 - s / k) * (s - c) / k)


def ricker(s: np.ndarray, r: np.ndarray, k: np.ndarray) -> np.ndarray:
    """s exp(r (1 - s/k))."""
    return s * np.exp(r * (1 - s / k))


def myers(s: np.ndarray, r: np.ndarray, theta: np.ndarray, k: np.ndarray) -> np.ndarray:
    """r s^theta / (1 + s^theta / k)."""
    power = s**theta
    return r * power / (1 + power / k)


@dataclass(frozen=True)
class Model:
    """A parametric model of the next stock: a function of escapement and parameters, with the bounds of its flat priors."""

    name: str
    function: Callable[..., np.ndarray]
    low: tuple[float, ...]
    high: tuple[float, ...]


MODELS = (
    Model("ricker", ricker, (0.01, 0.01), (20.0, 40.0)),
    Model("allen", allen, (0.01, 0.01, 0.01), (6.0, 20.0, 20.0)),
    Model("myers", myers, (1e-4, 1e-4, 1e-4), (10.0, 10.0, 40.0)),
)
"""Ricker (r, K), Allen (r, K, C) and Myers (r, theta, K), with the priors of the paper."""


@dataclass(frozen=True)
class Fishery:
    """The true stock: X' = Z f(s), Z log-normal(0, sigma^2), f Allen's with an unstable threshold c."""

    r: float = 2.0
    k: float = 8.0
    c: float = 5.0
    sigma: float = 0.05

    def __post_init__(self) -> None:
        if not (self.r > 0 and self.k > 0 and self.c >= 0 and self.sigma >= 0):
            raise InputError(f"a fishery needs r, k > 0 and c, sigma >= 0, not {self}")

    def mean(self, s: np.ndarray) -> np.ndarray:
        """f(s): the median of the next stock."""
        return allen(s, np.array(self.r), np.array(self.k), np.array(self.c))

    def unharvested(self, years: int, start: float, rng: np.random.Generator) -> np.ndarray:
        """A series of `years` stocks, shape (years,)."""
        series = [start]
        for z in np.exp(self.sigma * rng.standard_normal(years - 1)):
            series.append(float(z * self.mean(np.array(series[-1]))))
        return np.array(series)
