"""Small Bayesian networks for classification: log-likelihood and predictions as functions of one vector of weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need


@dataclass(frozen=True)
class Network:
    """A fully connected ReLU network whose last layer gives the logits of classes 0, 1, ...

    Attributes:
        sizes: of the layers, inputs first, classes last; at least 2 of each.
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or min(self.sizes) < 1 or self.sizes[-1] < 2:
            raise InputError(f"a network has an input size, hidden sizes and at least 2 classes, not {self.sizes}")

    @property
    def dimension(self) -> int:
        """How many weights and biases there are."""
        return sum((a + 1) * b for a, b in pairwise(self.sizes))

    def logits(self, theta: Any, x: Any) -> Any:
        """Logits of inputs (n, sizes[0]) under the weights theta (D,), shape (n, classes). Traceable by JAX."""
        jnp, at = need("jax.numpy", "prob"), 0
        for layer, (a, b) in enumerate(pairwise(self.sizes)):
            if layer:
                x = jnp.maximum(x, 0)
            x = x @ theta[at : at + a * b].reshape(a, b) + theta[at + a * b : at + (a + 1) * b]
            at += (a + 1) * b
        return x

    def log_likelihood(self, theta: Any, x: Any, y: Any) -> Any:
        """Sum over examples of log softmax(logits)[y], a scalar. Traceable by JAX."""
        jax = need("jax", "prob")
        return jax.nn.log_softmax(self.logits(theta, x))[np.arange(len(y)), y].sum()

    def checked(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """A task as arrays.

        Raises:
            InputError: wrong shapes, a label that is no class, or only one class.
        """
        x, y = np.asarray(x, dtype=float), np.asarray(y)
        if x.ndim != 2 or x.shape[1] != self.sizes[0] or y.shape != (len(x),):
            raise InputError(f"a task is x of shape (n, {self.sizes[0]}) and y of shape (n,), not {x.shape} and {y.shape}")
        if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= self.sizes[-1]:
            raise InputError(f"labels are whole numbers from 0 to {self.sizes[-1] - 1}, not {sorted(set(y.tolist()))[:8]}")
        if len(np.unique(y)) < 2:
            raise InputError(f"the task has only the class {y[0]}, so there is nothing to tell apart")
        return x, y.astype(np.int64)

    def probabilities(self, samples: NDArray[Any], x: ArrayLike, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Posterior predictive p(class | x): the mean of softmax over samples (S, D), with weights (S,) if given; shape (n, classes)."""
        w = np.full(len(samples), 1 / len(samples)) if weights is None else weights
        return np.asarray(_predictive(self)(samples, w, np.asarray(x, dtype=float)), dtype=float)


@cache
def _predictive(net: Network) -> Any:
    """The weighted mean of softmax over samples, compiled once for a network; one sample at a time, so that memory does not grow."""
    jax = need("jax", "prob")

    def mean(samples: Any, weights: Any, x: Any) -> Any:
        def add(total: Any, one: Any) -> tuple[Any, None]:
            return total + one[1] * jax.nn.softmax(net.logits(one[0], x)), None

        return jax.lax.scan(add, jax.numpy.zeros((len(x), net.sizes[-1])), (samples, weights))[0]

    return jax.jit(mean)
