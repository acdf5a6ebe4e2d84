"""Small random nets for tests: their files, and what they compute, by loops that share nothing with the code under test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from ponder.organisms.characters import ALPHABET
from ponder.organisms.net import Net

Tensors = dict[str, np.ndarray[Any, Any]]
CONFIG = {"d": 16, "layers": 2, "heads": 4, "context": 60, "alphabet": ALPHABET, "grammar": "chain"}


def tensors(seed: int = 0, *, head: bool = True, value: bool = True, config: dict[str, Any] | None = None) -> Tensors:
    """Random tensors in float16, large enough that nets differ clearly from uniform and attention is not flat."""
    c = CONFIG | (config or {})
    d, vocab, rng = c["d"], len(c["alphabet"]), np.random.default_rng(seed)
    made: Tensors = {"embed": rng.normal(size=(vocab, d)), "position": rng.normal(size=(c["context"], d)), "norm": rng.normal(1, 0.3, d)}
    for i in range(c["layers"]):
        for name, shape in (("q", (d, d)), ("k", (d, d)), ("v", (d, d)), ("out", (d, d)), ("up", (4 * d, d)), ("down", (d, 4 * d))):
            made[f"layers.{i}.{name}"] = rng.normal(size=shape) * (1.5 if name in "qk" else 0.5) / shape[1] ** 0.5
        made[f"layers.{i}.norm1"], made[f"layers.{i}.norm2"] = rng.normal(1, 0.3, d), rng.normal(1, 0.3, d)
    if head:
        made["head"] = rng.normal(size=(vocab, d)) * 0.4
    if value:
        made["value"] = rng.normal(size=(1, d)) * 0.4
    return {name: tensor.astype(np.float16) for name, tensor in made.items()}


def write(
    path: Path,
    seed: int = 0,
    *,
    head: bool = True,
    value: bool = True,
    config: dict[str, Any] | None = None,
    reward: dict[str, Any] | None = None,
    **metadata: str,
) -> Path:
    """A file of a random net."""
    told = {"config": json.dumps(CONFIG | (config or {}))} | ({"reward": json.dumps(reward)} if reward else {}) | metadata
    save_file(tensors(seed, head=head, value=value, config=config), str(path), metadata=told)
    return path


def net(path: Path, seed: int = 0, **options: Any) -> Net:
    """A random net, by way of a file in a folder."""
    return Net.load(write(path / f"net-{seed}.safetensors", seed, **options))


def by_loops(made: Tensors, heads: int, tokens: list[int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Logits and values at every position, position by position and head by head, in float64."""
    t = {name: tensor.astype(np.float64) for name, tensor in made.items()}

    def norm(x: np.ndarray[Any, Any], gain: str) -> np.ndarray[Any, Any]:
        return x / np.sqrt(np.mean(x**2) + 1e-6) * t[gain]

    xs = [t["embed"][token] + t["position"][i] for i, token in enumerate(tokens)]
    layer = 0
    while f"layers.{layer}.q" in t:
        p = f"layers.{layer}."
        normed = [norm(x, p + "norm1") for x in xs]
        size = len(xs[0]) // heads
        for i in range(len(xs)):
            mixed = []
            for h in range(heads):
                part = slice(h * size, (h + 1) * size)
                query = (t[p + "q"] @ normed[i])[part]
                weights = np.array([np.exp(query @ (t[p + "k"] @ normed[j])[part] / size**0.5) for j in range(i + 1)])
                values = np.array([(t[p + "v"] @ normed[j])[part] for j in range(i + 1)])
                mixed.append(weights @ values / weights.sum())
            xs[i] = xs[i] + t[p + "out"] @ np.concatenate(mixed)
        xs = [x + t[p + "down"] @ np.maximum(t[p + "up"] @ norm(x, p + "norm2"), 0) ** 2 for x in xs]
        layer += 1
    states = [norm(x, "norm") for x in xs]
    logits = np.array([t["head"] @ s for s in states]) if "head" in t else np.empty((len(xs), 0))
    return logits, np.array([(t["value"] @ s)[0] for s in states]) if "value" in t else np.empty(0)
