"""A small memory of past tasks, and training on it beside the new task. Needs the extra `torch`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need


@dataclass(frozen=True, eq=False)
class Memory:
    """At most `size` examples, equally many of each past task, chosen at random.

    Attributes:
        size: of all tasks together; 0 keeps nothing.
        tasks: inputs and labels kept of each task, oldest first.
    """

    size: int
    tasks: tuple[tuple[NDArray[Any], NDArray[Any]], ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0:
            raise InputError(f"a memory holds 0 examples or more, not {self.size}")

    def keep(self, x: NDArray[Any], y: NDArray[Any], rng: np.random.Generator) -> Memory:
        """The memory after a further task: every task's share shrinks to size / tasks."""
        tasks = (*self.tasks, (x, y))
        share = self.size // len(tasks)
        chosen = [rng.permutation(len(b))[:share] for _, b in tasks]
        return replace(self, tasks=tuple((a[i], b[i]) for (a, b), i in zip(tasks, chosen, strict=True)))

    def beside(self, x: NDArray[Any], y: NDArray[Any], repeats: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
        """The new examples, then what is remembered, `repeats` times."""
        xs, ys = zip((x, y), *self.tasks * repeats, strict=True)
        return np.concatenate(xs), np.concatenate(ys)

    def mixed(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The same with old and new about one to one."""
        held = sum(len(b) for _, b in self.tasks)
        return self.beside(x, y, max(1, round(len(y) / held)) if held else 1)


def train(
    parameters: Iterable[Any],
    loss: Callable[[Any, Any], Any],
    x: NDArray[Any],
    y: NDArray[Any],
    rng: np.random.Generator,
    epochs: int = 30,
    batch: int = 64,
    rate: float = 1e-3,
    decay: float = 0.0,
) -> None:
    """Change torch parameters by Adam on minibatches of (x, y).

    Args:
        parameters: what is trained, in place; if there are none, nothing is done.
        loss: loss(x, y) of a minibatch of tensors, a scalar.
        x: inputs, shape (n, ...), taken as float32.
        y: class indices, shape (n,).
        rng: of the order of examples.
        epochs, batch, rate, decay: passes, minibatch size, learning rate, weight decay.
    """
    torch, parameters = need("torch", "torch"), list(parameters)
    if not parameters:
        return
    inputs, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    optimiser = torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
    for _ in range(epochs):
        for rows in torch.as_tensor(rng.permutation(len(y))).split(batch):
            optimiser.zero_grad()
            loss(inputs[rows], labels[rows]).backward()
            optimiser.step()
