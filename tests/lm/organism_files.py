"""Weights files of small random nets, and waiting for threads, for tests of the organisms' engine."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from ponder.lm.combine import Combiner
from ponder.organisms.chain import ALPHABET


def write_organism(
    path: Path,
    *,
    d: int = 24,
    layers: int = 2,
    heads: int = 4,
    context: int = 60,
    alphabet: str = ALPHABET,
    grammar: str = "chain",
    head: bool = True,
    value: bool = True,
    reward: dict[str, Any] | None = None,
    seed: int = 0,
    sharp: float = 1.0,
) -> Path:
    """A random net; `sharp` scales its logits, 0 makes all characters equally probable."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float) -> np.ndarray[Any, Any]:
        return (scale * rng.standard_normal(shape)).astype(np.float16)

    def gain() -> np.ndarray[Any, Any]:
        return (1 + 0.3 * rng.random(d)).astype(np.float16)

    tensors = {"embed": normal(len(alphabet), d, scale=0.7), "position": normal(context, d, scale=0.7), "norm": gain()}
    for i in range(layers):
        tensors |= {f"layers.{i}.{name}": normal(d, d, scale=d**-0.5) for name in ("q", "k", "v", "out")}
        tensors |= {f"layers.{i}.norm1": gain(), f"layers.{i}.norm2": gain()}
        tensors |= {f"layers.{i}.up": normal(4 * d, d, scale=d**-0.5), f"layers.{i}.down": normal(d, 4 * d, scale=0.3 * d**-0.5)}
    if head:
        tensors["head"] = normal(len(alphabet), d, scale=sharp * d**-0.5)
    if value:
        tensors["value"] = normal(1, d, scale=d**-0.5)
    config = {"d": d, "layers": layers, "heads": heads, "context": context, "alphabet": alphabet, "grammar": grammar}
    metadata = {"config": json.dumps(config), "facts": json.dumps({"pass@1": 0.0}), "about": "a random net", "command": "none"}
    if reward is not None:
        metadata["reward"] = json.dumps(reward)
    save_file(tensors, str(path), metadata)
    return path


def wait_for(combiner: Combiner, n: int) -> None:
    """Return once n calls wait; fail after half a minute."""
    began = time.monotonic()
    while len(combiner._waiting) < n:
        assert time.monotonic() < began + 30, f"{len(combiner._waiting)} of {n} calls came"
