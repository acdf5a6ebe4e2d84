"""Distributions that a program samples from and observes: an inverse distribution function and a log-density."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from statistics import NormalDist
from typing import Any

from ponder.core.errors import InputError, need
from ponder.prob.errors import InfiniteSupportError
from ponder.prob.exact import LogFraction, Uniform, rational


class Distribution:
    """What `ctx.sample` and `ctx.observe` take."""

    def quantile(self, u: Any) -> Any:
        """The value at a base draw u in [0, 1)."""
        raise NotImplementedError

    def log_prob(self, value: Any, exact: bool = False) -> Any:
        """Log-density (log-probability) of a value; a LogFraction if `exact`."""
        raise NotImplementedError

    def of_score(self, z: Any) -> Any:
        """The value at a standard normal draw z, a JAX number, for Hamiltonian Monte Carlo. `quantile` must compute with `jax.numpy`."""
        return self.quantile(need("jax.scipy.stats", "prob").norm.cdf(z))


class Categorical(Distribution):
    """One of finitely many values.

    Args:
        probabilities: numbers or Fractions in [0, 1] of total 1; a float is the decimal it is written as.
        values: by default 0, 1, ...

    Raises:
        InputError: for probabilities outside [0, 1] or another total.
    """

    def __init__(self, probabilities: Sequence[Any], values: Sequence[Any] | None = None) -> None:
        self.probabilities = tuple(rational(p) for p in probabilities)
        self.values = tuple(range(len(self.probabilities)) if values is None else values)
        if len(self.values) != len(self.probabilities) or not self.values:
            raise InputError(f"{len(self.values)} values need as many probabilities, not {len(self.probabilities)}")
        if min(self.probabilities) < 0 or abs(sum(self.probabilities) - 1) > Fraction(1, 10**9):
            raise InputError(f"probabilities lie in [0, 1] and add up to 1, not {[float(p) for p in self.probabilities]}")
        self._ends = [sum(self.probabilities[: i + 1], Fraction(0)) for i in range(len(self.values) - 1)]
        self._cuts = [float(end) for end in self._ends]

    def quantile(self, u: Any) -> Any:
        if isinstance(u, Uniform):
            return self.values[next((i for i, end in enumerate(self._ends) if u < end), len(self._ends))]
        return self.values[bisect.bisect_right(self._cuts, u)]

    def log_prob(self, value: Any, exact: bool = False) -> Any:
        mass = sum((p for p, v in zip(self.probabilities, self.values, strict=True) if v == value), Fraction(0))
        return LogFraction(mass) if exact else float(LogFraction(mass))

    def of_score(self, z: Any) -> Any:
        raise InputError(
            f"a draw from {len(self.values)} values has no gradient: hmc and nuts cannot move it; sum it out, or use trace_mh, smc or rmsmc"
        )


def Bernoulli(p: Any) -> Categorical:
    """True with probability p."""
    return Categorical([rational(p), 1 - rational(p)], (True, False))


@dataclass(frozen=True)
class Normal(Distribution):
    """The normal distribution of a mean and a standard deviation above 0."""

    mean: float = 0.0
    sd: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.sd, Real) and not 0 < self.sd < math.inf:  # JAX's numbers have no value yet
            raise InputError(f"a standard deviation is above 0, not {self.sd}")

    def quantile(self, u: Any) -> float:
        if isinstance(u, Uniform):
            raise InfiniteSupportError("Normal is continuous and cannot be enumerated; draw from a Categorical")
        return self.mean + self.sd * NormalDist().inv_cdf(min(max(u, 1e-300), 1 - 1e-16))

    def log_prob(self, value: Any, exact: bool = False) -> float:
        log = math.log if isinstance(self.sd, Real) else need("jax.numpy", "prob").log
        return -0.5 * ((value - self.mean) / self.sd) ** 2 - log(self.sd * math.sqrt(2 * math.pi))

    def of_score(self, z: Any) -> Any:
        return self.mean + self.sd * z
