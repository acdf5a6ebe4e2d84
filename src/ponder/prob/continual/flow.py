"""A normalising flow that carries a posterior: RealNVP (Dinh, Sohl-Dickstein & Bengio 2017), in JAX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.core.seeds import derive, generator
from ponder.prob.continual.carriers import thinned


@dataclass(frozen=True, eq=False)
class Flow:
    """A density made by coupling layers from a standard normal, after standardising.

    Attributes:
        layers: for each coupling layer the weights of its network.
        centre, scale: mean and standard deviation of the samples, shape (D,).
        held_out: mean log-density of the samples that stopped the training, nats.
    """

    layers: Any
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    held_out: float

    def log_prob(self, theta: Any) -> Any:
        jnp = need("jax.numpy", "prob")
        return _log_prob(self.layers, (theta - self.centre) / self.scale) - jnp.log(self.scale).sum()

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        x = rng.standard_normal((n, len(self.centre)))
        for weights in self.layers[::-1]:
            x = _backward(weights, x)
        return self.centre + self.scale * np.asarray(x)


@dataclass(frozen=True)
class flow:
    """Carry by a RealNVP flow, trained with early stopping on a quarter of the samples.

    Attributes:
        couplings: layers; the coordinates are reversed between them.
        hidden: units of each layer's network.
        rate: of Adamax.
        epochs, patience: passes at most, and without improvement.
        batch: samples a step.
        keep: samples at most that are used, evenly spread over the chains.
    """

    couplings: int = 4
    hidden: int = 100
    rate: float = 5e-3
    epochs: int = 200
    patience: int = 40
    batch: int = 256
    keep: int = 4000

    def fit(self, samples: NDArray[np.float64], seed: int) -> Flow:
        """The flow of the largest held-out log-density met in training."""
        jax, optax = need("jax", "prob"), need("optax", "prob")
        samples = thinned(samples, self.keep)
        d = samples.shape[1]
        if d < 2:
            raise InputError("a flow couples coordinates and needs at least 2 of them; use mixture()")
        centre, scale = samples.mean(axis=0), samples.std(axis=0) + 1e-6
        x = (samples - centre) / scale
        rng = generator(seed, ["flow"])
        order = rng.permutation(len(x))
        test, train = x[order[: len(x) // 4]], x[order[len(x) // 4 :]]
        layers = [_start(d, self.hidden, derive(seed, [i])) for i in range(self.couplings)]
        optimiser = optax.adamax(self.rate)
        state = optimiser.init(layers)
        mean = jax.jit(lambda layers, x: jax.vmap(_log_prob, (None, 0))(layers, x).mean())

        @jax.jit
        def epoch(layers: Any, state: Any, batches: Any) -> tuple[Any, Any]:
            def step(carry: Any, batch: Any) -> tuple[Any, None]:
                layers, state = carry
                slope = jax.grad(lambda w: -mean(w, batch))(layers)
                change, state = optimiser.update(slope, state)
                return (optax.apply_updates(layers, change), state), None

            return jax.lax.scan(step, (layers, state), batches)[0]

        best, kept, since = float(mean(layers, test)), layers, 0
        size = min(self.batch, len(train))
        for _ in range(self.epochs):
            rows = rng.permutation(len(train))[: len(train) // size * size].reshape(-1, size)
            layers, state = epoch(layers, state, train[rows])
            score, since = float(mean(layers, test)), since + 1
            if score > best:
                best, kept, since = score, layers, 0
            if since >= self.patience:
                break
        return Flow(jax.tree.map(np.asarray, kept), centre, scale, best - float(np.log(scale).sum()))


def _start(d: int, hidden: int, seed: int) -> Any:
    """Weights of a coupling network; its last layer is 0, so that the flow starts as the identity."""
    rng, a = np.random.default_rng(seed), d // 2
    sizes = ((a, hidden), (hidden, hidden))
    inner = [(rng.standard_normal(s) / np.sqrt(s[0]), np.zeros(hidden)) for s in sizes]
    return [*inner, (np.zeros((hidden, 2 * (d - a))), np.zeros(2 * (d - a)))]


def _shift_and_log_scale(weights: Any, x: Any) -> tuple[Any, Any]:
    jax = need("jax", "prob")
    for w, b in weights[:-1]:
        x = jax.nn.leaky_relu(x @ w + b)
    shift, raw = jax.numpy.split(x @ weights[-1][0] + weights[-1][1], 2, axis=-1)
    return shift, jax.numpy.tanh(raw)


def _log_prob(layers: Any, x: Any) -> Any:
    """Log-density of one standardised vector: the layers take it to a standard normal."""
    jnp, total = need("jax.numpy", "prob"), 0.0
    for weights in layers:
        x = x[::-1]
        a = len(x) // 2
        shift, log_scale = _shift_and_log_scale(weights, x[:a])
        x = jnp.concatenate([x[:a], (x[a:] - shift) * jnp.exp(-log_scale)])
        total = total - log_scale.sum()
    return total - 0.5 * (x @ x + len(x) * jnp.log(2 * jnp.pi))


def _backward(weights: Any, x: Any) -> Any:
    """One layer undone, for vectors (n, D)."""
    jnp, a = need("jax.numpy", "prob"), x.shape[1] // 2
    shift, log_scale = _shift_and_log_scale(weights, x[:, :a])
    return jnp.concatenate([x[:, :a], x[:, a:] * jnp.exp(log_scale) + shift], axis=1)[:, ::-1]
