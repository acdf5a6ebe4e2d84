"""The organisms' net, forward only, in numpy: a decoder transformer that every install can run.

Learnt absolute positions, root mean square norms before attention and before the perceptron (eps 1e-6), squared ReLU, no biases:

    x = embed[token] + position[place]
    x += out(attention(q, k, v))        of norm1(x), scores divided by sqrt(d/heads), causal
    x += down(relu(up(norm2(x)))^2)
    logits = head(norm(x)),  value = value(norm(x))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import EngineError, InputError
from ponder.organisms.cache import Cache, Index
from ponder.organisms.card import Card, Floats, read_card, read_tensors
from ponder.organisms.threads import one_thread

EPSILON = 1e-6


@dataclass(frozen=True)
class _Layer:
    """Weights as they are multiplied from the right; the norms' gains and the scale of the scores are folded in."""

    qkv: Floats
    out: Floats
    up: Floats
    down: Floats


class Net:
    """An organism's net. Making one sets numpy's matrix products to one thread, in the whole process (`ponder.organisms.threads`).

    Args:
        card: what its file says of it.
        tensors: its weights, as `ponder.organisms.card.read_tensors` gives them.
    """

    def __init__(self, card: Card, tensors: dict[str, Floats]) -> None:
        one_thread()
        self.card, self.config = card, card.config
        self._embed, self._position = tensors["embed"], tensors["position"]
        self._layers = [_layer(tensors, f"layers.{i}.", (self.config.d // self.config.heads) ** -0.5) for i in range(self.config.layers)]
        self._head = _folded(tensors["norm"], tensors["head"]) if card.writes else None
        self._value = _folded(tensors["norm"], tensors["value"]) if card.values else None

    @classmethod
    def load(cls, path: Path | str) -> Net:
        """The net of a weights file.

        Raises:
            InputError: there is no such file.
            EngineError: the file is damaged or no organism, saying what is wrong.
        """
        card = read_card(Path(path))
        return cls(card, read_tensors(card))

    def cache(self, rows: int) -> Cache:
        """An empty cache for so many rows."""
        c = self.config
        return Cache.empty(rows, c.layers, c.heads, c.d // c.heads)

    def feed(self, cache: Cache, tokens: Index, *, every: bool = False, places: Index | None = None) -> Floats:
        """Read tokens behind what the cache holds, and keep their keys and values in it.

        Args:
            cache: changed in place.
            tokens: ids, shape (rows, new) with at least one new.
            every: return the states of all new positions, not only of the last.
            places: where the tokens stand, shape (rows, new), below the context; counted on from what the cache holds if None.

        Returns:
            Normed states, shape (rows, new or 1, d), for `logits` and `values`.

        Raises:
            InputError: if the context would be exceeded.
        """
        rows, new = tokens.shape
        start, c = cache.length, self.config
        if start + new > c.context:
            raise InputError(f"{start + new} tokens do not fit the context of {c.context}")
        cache.reserve(new)
        position = self._position[start : start + new] if places is None else self._position[places]
        x = (self._embed[tokens] + position).reshape(rows * new, c.d)
        for i, layer in enumerate(self._layers):
            qkv = (_normed(x) @ layer.qkv).reshape(rows, new, 3, c.heads, c.d // c.heads)
            cache.own[:, i, :, :, cache.used : cache.used + new] = qkv[:, :, 1:].transpose(0, 2, 3, 1, 4)
            x += _attention(qkv[:, :, 0], cache, i) @ layer.out
            hidden = _normed(x) @ layer.up
            np.maximum(hidden, 0, out=hidden)
            hidden *= hidden
            x += hidden @ layer.down
        cache.used += new
        states = x.reshape(rows, new, c.d)
        return _normed(states if every else states[:, -1:])

    def logits(self, states: Floats) -> Floats:
        """Next-token logits of states that `feed` returned, shape (..., vocab).

        Raises:
            EngineError: if the organism has no output head.
        """
        if self._head is None:
            raise EngineError(f"the organism {self.card.name!r} only judges: it has no output head and cannot write")
        return (states.reshape(-1, self.config.d) @ self._head).reshape(*states.shape[:-1], self._head.shape[1])

    def values(self, states: Floats) -> Floats:
        """The value head's outputs for states that `feed` returned, shape (...).

        Raises:
            EngineError: if the organism has no value head.
        """
        if self._value is None:
            raise EngineError(f"the organism {self.card.name!r} has no value head")
        return (states @ self._value)[..., 0]


def _layer(tensors: dict[str, Floats], prefix: str, scale: float) -> _Layer:
    q, k, v, out, up, down, norm1, norm2 = (tensors[prefix + name] for name in ("q", "k", "v", "out", "up", "down", "norm1", "norm2"))
    return _Layer(
        _folded(norm1, np.concatenate([q * np.float32(scale), k, v])),
        np.ascontiguousarray(out.T),
        _folded(norm2, up),
        np.ascontiguousarray(down.T),
    )


def _folded(gain: Floats, weight: Floats) -> Floats:
    """A weight behind a norm, transposed, with the norm's gain in it."""
    return np.ascontiguousarray((weight * gain).T)


def _normed(x: Floats) -> Floats:
    squares = np.einsum("...d,...d->...", x, x)[..., None]
    return x * (1 / np.sqrt(squares / np.float32(x.shape[-1]) + np.float32(EPSILON)))


def _attention(q: Floats, cache: Cache, layer: int) -> Floats:
    """Causal attention of new positions over all that is cached, theirs included; (rows, new, heads, size) -> (rows * new, d)."""
    rows, new, heads, size = q.shape
    upto = cache.used + new
    keys, values = cache.own[:, layer, 0, :, :upto], cache.own[:, layer, 1, :, :upto]
    scores = q.transpose(0, 2, 1, 3) @ keys.swapaxes(2, 3)
    if new > 1:
        scores[..., ~np.tri(new, upto, cache.used, dtype=bool)] = -np.inf
    largest = scores.max(-1, keepdims=True)
    if cache.trunk is None:
        scores -= largest
        np.exp(scores, out=scores)
        mixed = scores @ values
        mixed /= scores.sum(-1, keepdims=True)
        return mixed.transpose(0, 2, 1, 3).reshape(rows * new, heads * size)
    groups = len(cache.trunk)
    each = rows // groups

    def by_group(x: Floats) -> Floats:
        return x.reshape(groups, each, heads, new, -1).swapaxes(1, 2).reshape(groups, heads, each * new, -1)

    def by_row(x: np.ndarray[Any, Any]) -> Floats:
        return x.reshape(groups, heads, each, new, -1).swapaxes(1, 2).reshape(rows, heads, new, -1)

    shared_keys, shared_values = cache.trunk[:, layer, 0], cache.trunk[:, layer, 1]
    shared = by_group(np.ascontiguousarray(q.transpose(0, 2, 1, 3))) @ shared_keys.swapaxes(2, 3)
    np.maximum(largest, by_row(shared.max(-1, keepdims=True)), out=largest)
    scores -= largest
    np.exp(scores, out=scores)
    shared -= by_group(largest)
    np.exp(shared, out=shared)
    mixed = scores @ values
    mixed += by_row(shared @ shared_values)
    total = scores.sum(-1, keepdims=True)
    total += by_row(shared.sum(-1, keepdims=True))
    mixed /= total
    return mixed.transpose(0, 2, 1, 3).reshape(rows * new, heads * size)
