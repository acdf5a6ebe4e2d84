"""Value heads: rows of tokens with what the head should say at some of them, and the losses that teach it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.train.measure import Samples
from ponder.train.net import TorchNet

torch: Any = need("torch", "torch")

LAST = 3.0
"""Root mean square of the residual stream that new layers find."""
FAINT = 0.005
"""Size of a code of positions beside a policy's embedding, small enough to leave the policy's norms alone."""
SHARP = 150.0
"""The attention score at the place that the code points to, where the residual stream has its usual size."""


@dataclass(frozen=True)
class Judged:
    """Rows of tokens that are judged.

    Attributes:
        tokens: ids, shape (rows, length).
        targets: what the head should say at each token, shape (rows, length), float32, NaN where it is not asked.
    """

    tokens: NDArray[np.int64]
    targets: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.tokens.shape != self.targets.shape or np.isnan(self.targets).all():
            raise InputError(
                f"judged rows need targets of the tokens' shape {self.tokens.shape}, at least one of them a number; the shape given is "
                f"{self.targets.shape}"
            )

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: NDArray[np.int64]) -> Judged:
        """Some of the rows, in order."""
        return Judged(self.tokens[rows], self.targets[rows])


def at_steps(samples: Samples, labels: NDArray[Any]) -> Judged:
    """Samples with a label at the last token of each step that their problem has.

    Args:
        samples: (problems, samples) of them; they become rows, problem by problem.
        labels: shape (problems, samples, steps), or (problems, samples, 1) for one label at all steps.
    """
    steps = samples.live.shape[1]
    wanted = np.broadcast_to(labels, (*samples.solved.shape, steps)).astype(np.float32)
    wanted = np.where(samples.live[:, None], wanted, np.nan).reshape(-1, steps)
    tokens = samples.tokens
    targets = np.full(tokens.shape, np.nan, np.float32)
    targets[:, samples.prompts.shape[1] + samples.step - 1 :: samples.step] = wanted
    return Judged(tokens, targets)


def _asked(net: TorchNet, judged: Judged) -> tuple[Any, Any]:
    """The head's outputs where it is asked, and the targets there, both of shape (asked,)."""
    targets = torch.from_numpy(judged.targets)
    asked = ~torch.isnan(targets)
    first = int(asked.any(0).nonzero()[0])
    said = net.values(net(torch.from_numpy(judged.tokens), first))
    return said[asked[:, first:]], targets[asked]


def cross_entropy(net: TorchNet, judged: Judged) -> Any:
    """The mean of -(y log p + (1 - y) log(1 - p)) over the asked tokens, p = sigmoid(head), y in [0, 1] the target."""
    return torch.nn.functional.binary_cross_entropy_with_logits(*_asked(net, judged))


def squared_error(net: TorchNet, judged: Judged) -> Any:
    """The mean of (tanh(head) - y)^2 over the asked tokens, y in [-1, 1] the target (Chen et al. 2024, AlphaMath)."""
    said, targets = _asked(net, judged)
    return (torch.tanh(said) - targets).square().mean()


def judge(policy: TorchNet, extra: int, seed: int = 0) -> TorchNet:
    """A policy's net with a value head instead of its next-token head, and `extra` new layers below the head.

    A position cannot see what the last layer of the one before it foretold. New layers can, and comparing that with what was then
    written is what judging takes; without them a head learns which steps are hard, and little of which are wrong. They change
    nothing at first.
    """
    shape = replace(policy.shape, layers=policy.shape.layers + extra, head=False, value=True)
    return TorchNet(shape, seed).take(policy.tensors())


def looking_back(policy: TorchNet, seen: NDArray[np.int64], extra: int, seed: int = 0) -> TorchNet:
    """A judge as `judge` makes it whose first new layer can read what the policy foretold of each token beside the token itself.

    What a policy holds at the end is large, and hardly says which token it has read and where; what new layers add to it counts for
    little, and they are slow to find the token before. So the residual stream is scaled down, which norms undo, and has more room,
    two heads wide, with codes of position and token that the policy's layers neither read nor write. In the first new layer queries
    and keys begin as the code of positions, one place apart, and values as the policy's next-token head.

    Args:
        policy: what is judged; its layers, embedding and positions take no part in training.
        seen: rows of tokens to find the size of the residual stream on.
        extra: new layers, at least 1.
        seed: of the rest of them.
    """
    s, wide = policy.shape, policy.shape.d // policy.shape.heads
    shape = replace(s, d=s.d + 2 * wide, heads=s.heads + 2, layers=s.layers + extra, head=False, value=True)
    net, given = TorchNet(shape, seed), policy.tensors()
    shrunk = LAST / _size(policy, seen)
    for name in given:
        if name in ("embed", "position") or name.endswith((".out", ".down")):
            given[name] *= shrunk
    tensors = {name: _embedded(given[name], t.shape, s.d) if name in given else t for name, t in net.tensors().items()}
    code, turn = _code(s.context, wide)
    tensors["position"][:, s.d : s.d + wide] = FAINT * code
    tensors["embed"][:, s.d + wide :] = FAINT * np.eye(len(s.alphabet), wide)
    for i in range(s.layers, s.layers + extra):
        for name in ("norm1", "norm2"):
            tensors[f"layers.{i}.{name}"][: s.d] = tensors["norm"][: s.d]
            tensors[f"layers.{i}.{name}"][s.d :] = LAST / FAINT
    first = f"layers.{s.layers}."
    for name, matrix in (("q", turn), ("k", np.eye(wide))):
        tensors[first + name][:] = 0
        tensors[first + name][:, s.d : s.d + wide] = np.tile((SHARP * wide**0.5 / (wide / 2)) ** 0.5 * matrix, (shape.heads, 1))
    tensors[first + "v"][: len(s.alphabet)] = 0
    tensors[first + "v"][: len(s.alphabet), : s.d] = given["head"]
    net.take({k: v for k, v in tensors.items() if k not in ("norm", "value")})
    for frozen in (net.embed, net.position, *(p for block in net.layers[: s.layers] for p in block.parameters())):
        frozen.requires_grad_(False)
    # What new layers wrote there would be magnified by their norms.
    kept = torch.ones(shape.d, 1)
    kept[s.d :] = 0
    for block in net.layers[s.layers :]:
        block.out.register_hook(lambda gradient: gradient * kept)
        block.down.register_hook(lambda gradient: gradient * kept)
    return net


def _code(places: int, wide: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """A code of positions, shape (places, wide), and the matrix (wide, wide) that turns each row into the one before it. Speeds are
    unevenly spaced: evenly spaced ones meet again after a few dozen places."""
    speeds = np.pi * ((np.arange(wide // 2) + 0.5) / (wide // 2)) ** 1.3
    angles = np.arange(places)[:, None] * speeds
    cos, sin = np.diag(np.cos(speeds)), np.diag(np.sin(speeds))
    return np.concatenate([np.cos(angles), np.sin(angles)], 1), np.block([[cos, sin], [-sin, cos]])


@torch.no_grad()
def _size(policy: TorchNet, seen: NDArray[np.int64]) -> float:
    """Root mean square of the residual stream before the last norm."""
    kept: list[Any] = []
    hook = policy.norm.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    policy(torch.from_numpy(seen))
    hook.remove()
    return float(kept[0].square().mean().sqrt())


def _embedded(tensor: NDArray[Any], shape: tuple[int, ...], d: int) -> NDArray[Any]:
    """A weight of a policy of width `d` in the corner of a larger one of zeros. Norms, the only vectors, divide by the mean over more
    places than before, which is made up for."""
    found = np.zeros(shape, tensor.dtype)
    found[tuple(slice(n) for n in tensor.shape)] = tensor * (d / shape[0]) ** 0.5 if tensor.ndim == 1 else tensor
    return found
