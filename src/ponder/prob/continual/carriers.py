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
    """A mixture of Gaussians.

    Attributes:
        log_shares: log of the components' shares, shape (K,).
        means: shape (K, D).
        factors: matrices U with U U' the precision of a component, shape (K, D, D).
        held_out: mean log-density of samples that were not fitted, nats; NaN if there are none.
    """

    log_shares: NDArray[np.float64]
    means: NDArray[np.float64]
    factors: NDArray[np.float64]
    held_out: float = float("nan")

    @classmethod
    def isotropic(cls, dimension: int, precision: float) -> Mixture:
        """N(0, 1 / precision) in each dimension.

        Raises:
            InputError: a dimension below 1 or a precision that is not above 0.
        """
        if dimension < 1 or not precision > 0:
            raise InputError(f"a prior needs a dimension >= 1 and a precision > 0, not {dimension} and {precision}")
        return cls(np.zeros(1), np.zeros((1, dimension)), np.sqrt(precision) * np.eye(dimension)[None])

    def log_prob(self, theta: Any) -> Any:
        jax = need("jax", "prob")
        white = jax.numpy.einsum("kd,kde->ke", theta - self.means, self.factors)
        logdet = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        constant = self.log_shares + logdet - 0.5 * self.means.shape[1] * np.log(2 * np.pi)
        return jax.scipy.special.logsumexp(constant - 0.5 * (white**2).sum(axis=1))

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        share = np.exp(self.log_shares)
        which = rng.choice(len(share), n, p=share / share.sum())
        z = rng.standard_normal((n, self.means.shape[1]))
        found = np.empty_like(z)
        for k in np.unique(which):
            # theta = mean + U^-T z has covariance (U U')^-1.
            found[which == k] = self.means[k] + np.linalg.solve(self.factors[k].T, z[which == k].T).T
        return found


@dataclass(frozen=True)
class mixture:
    """Carry by a Gaussian mixture: components and shape of covariances are those of the largest held-out log-density.

    Attributes:
        most: components at most; powers of two up to it are tried.
        shapes: of covariances, as scikit-learn names them; full ones are tried where each component has as many samples as dimensions.
        keep: samples at most that are fitted, evenly spread over the chains.
    """

    most: int = 32
    shapes: tuple[str, ...] = ("diag", "full")
    keep: int = 4000

    def fit(self, samples: NDArray[np.float64], seed: int) -> Mixture:
        """A quarter of the samples is held out for the choice; the chosen form is fitted to all.

        Warns:
            UserWarning: fewer samples than dimensions.
        """
        sklearn = need("sklearn.mixture", "prob")
        samples = thinned(samples, self.keep)
        n, d = samples.shape
        order = generator(seed, ["held out"]).permutation(n)
        train, test = samples[order[n // 4 :]], samples[order[: n // 4]]
        sizes = [2**i for i in range(self.most.bit_length()) if 2**i <= self.most]
        best: tuple[float, Any] = (-np.inf, None)
        for shape in self.shapes:
            for k in sizes:
                if len(train) < k * (d if shape == "full" and k > 1 else 1):
                    continue
                form = sklearn.GaussianMixture(k, covariance_type=shape, reg_covar=1e-6, random_state=derive(seed, [shape, k]))
                score = float(_quietly(form, train).score(test))
                best = max(best, (score, form), key=lambda pair: pair[0])
        held_out, form = best
        if form is None:
            raise InputError(f"no mixture can be fitted to {n} samples of dimension {d}")
        chosen = _quietly(form, samples)
        factors = chosen.precisions_cholesky_
        if chosen.covariance_type == "diag":
            factors = factors[:, :, None] * np.eye(d)
        return Mixture(np.log(chosen.weights_), chosen.means_, factors, held_out)


def _quietly(form: Any, samples: NDArray[np.float64]) -> Any:
    """Fit; not having converged is no fault here, since forms are compared by held-out density."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", need("sklearn.exceptions", "prob").ConvergenceWarning)
        return form.fit(samples)


def thinned(samples: NDArray[np.float64], keep: int) -> NDArray[np.float64]:
    n, d = samples.shape
    if n < d:
        warnings.warn(f"{n} samples in {d} dimensions say little of a density; draw more", stacklevel=3)
    if n < 8 or not np.all(np.isfinite(samples)):
        raise InputError(f"a density needs at least 8 finite samples, not {n}")
    return samples[:: -(-n // keep)]
