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
