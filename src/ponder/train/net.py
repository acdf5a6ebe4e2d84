"""The decoder that organisms are made of, in torch, where it is trained. `ponder.organisms.net` runs the same files without torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import EngineError, InputError, need

torch: Any = need("torch", "torch")
_EPS = 1e-6
COMMON = -2
"""The segment of a beginning that all examples of a row share: every later token attends to it."""


@dataclass(frozen=True)
class Shape:
    """What a file's `config` says of a net.

    Attributes:
        d: width of the residual stream.
        layers: blocks.
        heads: attention heads; they divide `d`.
        context: positions.
        alphabet: the tokens, one character each; a token's id is its index.
        grammar: which problems it reads, "chain" or "countdown".
        head: whether it predicts the next token.
        value: whether it gives every position a number.
    """

    d: int
    layers: int
    heads: int
    context: int
    alphabet: str
    grammar: str
    head: bool = True
    value: bool = False

    def __post_init__(self) -> None:
        if min(self.d, self.layers, self.heads, self.context, len(self.alphabet)) < 1 or self.d % self.heads:
            raise InputError(
                f"a net needs positive sizes and heads that divide d, not d={self.d}, heads={self.heads}, layers={self.layers}"
            )


class _Block(torch.nn.Module):
    """Pre-norm attention and a squared-ReLU feed-forward layer, without biases. Both write 0 at first."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = torch.nn.RMSNorm(d, eps=_EPS), torch.nn.RMSNorm(d, eps=_EPS)
        for name, shape in (("q", (d, d)), ("k", (d, d)), ("v", (d, d)), ("out", (d, d)), ("up", (4 * d, d)), ("down", (d, 4 * d))):
            setattr(self, name, torch.nn.Parameter(torch.zeros(shape)))
            if name not in ("out", "down"):
                torch.nn.init.uniform_(getattr(self, name), -(d**-0.5), d**-0.5)

    def forward(self, x: Any, mask: Any, first: int, past: list[Any] | None) -> Any:
        """Hidden states (batch, length - first, d) from (batch, length, d). `past` holds earlier keys and values and is extended."""
        linear = torch.nn.functional.linear
        normed = self.norm1(x)
        q, k, v = (self._split(linear(y, w)) for y, w in ((normed[:, first:], self.q), (normed, self.k), (normed, self.v)))
        if past is not None:
            k, v = (torch.cat([old, new], 2) for old, new in zip(past, (k, v), strict=True)) if past else (k, v)
            past[:] = [k, v]
        scores = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5 + mask.to(q.dtype)
        mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2)
        x = x[:, first:] + linear(mixed, self.out)
        return x + linear(torch.relu(linear(self.norm2(x), self.up)).square(), self.down)

    def _split(self, x: Any) -> Any:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class TorchNet(torch.nn.Module):
    """A decoder with learnt absolute positions, an optional next-token head and an optional value of every position.

    Args:
        shape: its sizes and alphabet.
        seed: of the initial weights.
    """

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.shape = shape
            self.embed = torch.nn.Parameter(torch.randn(len(shape.alphabet), shape.d) * 0.5)
            self.position = torch.nn.Parameter(torch.randn(shape.context, shape.d) * 0.5)
            self.layers = torch.nn.ModuleList(_Block(shape.d, shape.heads) for _ in range(shape.layers))
            self.norm = torch.nn.RMSNorm(shape.d, eps=_EPS)
            self.head = torch.nn.Parameter(torch.zeros(len(shape.alphabet), shape.d)) if shape.head else None
            self.value = torch.nn.Parameter(torch.zeros(1, shape.d)) if shape.value else None

    def sines(self, slowest: float = 100.0) -> TorchNet:
        """Start from positions that are sines and cosines, of d/2 rates from 1 down to 1/slowest, so that what stands before a place can be
        found alike everywhere; they are learnt like all weights."""
        half = self.shape.d // 2
        angles = torch.arange(self.shape.context)[:, None] * slowest ** (-torch.arange(half) / half)
        with torch.no_grad():
            self.position.copy_(0.7 * torch.cat([angles.sin(), angles.cos()], 1))
        return self

    def forward(self, tokens: Any, first: int = 0, positions: Any = None, segments: Any = None, past: list[list[Any]] | None = None) -> Any:
        """Normed hidden states of the positions from `first` on, shape (batch, length - first, d).

        Args:
            tokens: ids, shape (batch, length).
            first: earlier positions are only attended to; saves the last block's work on them.
            positions: of every token, shape (batch, length); counted on from the cache if None.
            segments: which example every token belongs to, shape (batch, length); a token attends within its own, and to `COMMON`.
            past: keys and values of earlier tokens for every layer, `[[] for _ in layers]` at the start; extended in place.
        """
        length, start = tokens.shape[1], past[0][0].shape[2] if past and past[0] else 0
        if positions is None:
            positions = torch.arange(start, start + length)
        mask = torch.full((length, start + length), -math.inf).triu(start + 1)
        if segments is not None:
            others, common = segments[:, :, None] != segments[:, None, :], segments[:, None, :] == COMMON
            mask = mask.masked_fill((others & ~common)[:, None], -math.inf)
        x = self.embed[tokens] + self.position[positions]
        for i, block in enumerate(self.layers):
            skip = first if i == len(self.layers) - 1 else 0
            x = block(x, mask[..., skip:, :], skip, None if past is None else past[i])
        return self.norm(x)

    def logits(self, hidden: Any) -> Any:
        """Scores of the next token, shape (..., alphabet)."""
        return torch.nn.functional.linear(hidden, self.head)

    def values(self, hidden: Any) -> Any:
        """The value head's output, shape (...)."""
        return torch.nn.functional.linear(hidden, self.value)[..., 0]

    def count(self) -> int:
        """Number of weights."""
        return sum(p.numel() for p in self.parameters())

    def tensors(self) -> dict[str, np.ndarray]:
        """A copy of the weights under the names of the file format, float32."""
        return {_in_file(name): p.detach().numpy().copy() for name, p in self.named_parameters()}

    def take(self, tensors: Mapping[str, np.ndarray]) -> TorchNet:
        """Take over the weights that `tensors` has; others stay. A shorter table of positions fills the first rows.

        Raises:
            EngineError: a tensor of another shape.
        """
        with torch.no_grad():
            for name, p in self.named_parameters():
                given = tensors.get(_in_file(name))
                if given is None:
                    continue
                place = p[: len(given)] if name == "position" else p
                if place.shape != given.shape:
                    raise EngineError(f"tensor {_in_file(name)!r} has shape {given.shape}, this net needs {tuple(p.shape)}")
                place.copy_(torch.from_numpy(np.asarray(given, np.float32)))
        return self


def _in_file(name: str) -> str:
    return name.removesuffix(".weight")


def save(
    net: TorchNet, path: str | Path, *, facts: Mapping[str, Any], command: str, about: str, reward: Mapping[str, Any] | None = None
) -> Path:
    """Write a net as float16 safetensors with its metadata; the file appears whole or not at all.

    Args:
        net: what is saved.
        path: the file.
        facts: figures that the file states of itself.
        command: what trained it.
        about: one sentence on what it is.
        reward: how it is read as a reward model, if it is one.
    """
    config = {k: v for k, v in asdict(net.shape).items() if k not in ("head", "value")}
    metadata = {"config": json.dumps(config), "facts": json.dumps(facts), "command": command, "about": about}
    if reward is not None:
        metadata["reward"] = json.dumps(reward)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    need("safetensors.numpy", "torch").save_file({k: v.astype(np.float16) for k, v in net.tensors().items()}, part, metadata)
    return part.replace(path)


def load(path: str | Path, *, context: int | None = None, value: bool | None = None, head: bool | None = None) -> TorchNet:
    """A net from a file, to be trained on.

    Args:
        path: a file that `save` wrote.
        context: positions, if more than the file has; new ones start at random.
        value: with or without a value head; as the file if None. A new one starts at 0.
        head: with or without a next-token head; as the file if None.

    Raises:
        EngineError: the file cannot be read.
    """
    tensors, metadata = read(path)
    config = json.loads(metadata["config"])
    config["context"] = max(config["context"], context or 0)
    shape = Shape(**config, head="head" in tensors if head is None else head, value="value" in tensors if value is None else value)
    return TorchNet(shape).take(tensors)


def read(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a file.

    Raises:
        EngineError: it cannot be read.
    """
    safetensors = need("safetensors", "torch")
    try:
        with safetensors.safe_open(str(path), "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise EngineError(f"{path} cannot be read as safetensors: {error}") from error
