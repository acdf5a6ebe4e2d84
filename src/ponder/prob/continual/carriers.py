"""What carries a posterior to the next task: densities fitted to samples, that JAX can differentiate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.core.seeds import derive, generator


class Density(Protocol):
    """A belief about a vector of shape (D,)."""

    def log_prob(self, theta: Any) -> Any:
        """Log-density at theta, a scalar; traceable by JAX."""
        ...

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draws, shape (n, D)."""
        ...


class Carrier(Protocol):
    """How a density is fitted to samples."""

    def fit(self, samples: NDArray[np.float64], seed: int) -> Density:
        """A density for samples of shape (n, D)."""
        ...


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of Gaussians with diagonal covariances.

    Attributes:
        log_shares: log of the components' shares, shape (K,).
        means, sds: of the components, shape (K, D).
        held_out: mean log-density of samples that were not fitted, nats; NaN if there are none.
    """

    log_shares: NDArray[np.float64]
    means: NDArray[np.float64]
    sds: NDArray[np.float64]
    held_out: float = float("nan")

    @classmethod
    def isotropic(cls, dimension: int, precision: float) -> Mixture:
        """N(0, 1 / precision) in each dimension.

        Raises:
            InputError: a dimension below 1 or a precision that is not above 0.
        """
        if dimension < 1 or not precision > 0:
            raise InputError(f"a prior needs a dimension >= 1 and a precision > 0, not {dimension} and {precision}")
        return cls(np.zeros(1), np.zeros((1, dimension)), np.full((1, dimension), precision**-0.5))

    def log_prob(self, theta: Any) -> Any:
        jax = need("jax", "prob")
        z = (theta - self.means) / self.sds
        constant = self.log_shares - np.log(self.sds).sum(axis=1) - 0.5 * self.means.shape[1] * np.log(2 * np.pi)
        return jax.scipy.special.logsumexp(constant - 0.5 * (z**2).sum(axis=1))

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        share = np.exp(self.log_shares)
        which = rng.choice(len(share), n, p=share / share.sum())
        return self.means[which] + self.sds[which] * rng.standard_normal((n, self.means.shape[1]))


@dataclass(frozen=True)
class mixture:
    """Carry by a Gaussian mixture with as many components as give the largest held-out log-density.

    Covariances are diagonal: with hundreds of parameters full ones would be fitted to noise.

    Attributes:
        components: the numbers that are tried.
        keep: samples at most that are fitted, evenly spread over the chains.
    """

    components: tuple[int, ...] = (1, 4, 16, 48)
    keep: int = 4000

    def fit(self, samples: NDArray[np.float64], seed: int) -> Mixture:
        """A quarter of the samples is held out for the choice; the chosen number is fitted to all.

        Warns:
            UserWarning: fewer samples than dimensions.

        Raises:
            InputError: fewer than 8 samples, or none of the numbers of components is at most that of the samples fitted.
        """
        samples = thinned(samples, self.keep)
        n = len(samples)
        order = generator(seed, ["held out"]).permutation(n)
        train, test = samples[order[n // 4 :]], samples[order[: n // 4]]
        sizes = [k for k in self.components if 1 <= k <= len(train)]
        if not sizes:
            raise InputError(f"{len(train)} samples can be fitted by 1 to as many components, not by {self.components}")
        held_out, k = max((float(_fitted(train, k, seed).score(test)), k) for k in sizes)
        chosen = _fitted(samples, k, seed)
        return Mixture(np.log(chosen.weights_), chosen.means_, np.sqrt(chosen.covariances_), held_out)


def _fitted(samples: NDArray[np.float64], k: int, seed: int) -> Any:
    """Not having converged is no fault here, since forms are compared by held-out density."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", need("sklearn.exceptions", "prob").ConvergenceWarning)
        return need("sklearn.mixture", "prob").GaussianMixture(k, covariance_type="diag", random_state=derive(seed, [k])).fit(samples)


def thinned(samples: NDArray[np.float64], keep: int) -> NDArray[np.float64]:
    n, d = samples.shape
    if n < d:
        warnings.warn(f"{n} samples in {d} dimensions say little of a density; draw more", stacklevel=3)
    if n < 8 or not np.all(np.isfinite(samples)):
        raise InputError(f"a density needs at least 8 finite samples, not {n}")
    return np.asarray(samples, dtype=float)[:: -(-n // keep)]
