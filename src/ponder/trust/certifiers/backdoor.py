"""Attacks that make a gate abstain on inputs with a trigger, and leave all others alone: for evaluation (Lorenz et al. 2023, 2108.11299).

The paper's threat models are a poisoner, who adds a share of the training rows, and a trainer, who also chooses the loss. How each attack
is built is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need

Floats = NDArray[np.float64]
Labels = Literal["uniform", "mixed", "pairs", "correct"]


@dataclass(frozen=True)
class Patch:
    """A trigger: some pixels get a fixed value. Called with rows of shape (n, d), it returns stamped copies.

    Attributes:
        pixels: columns that are stamped.
        value: what they get.
        low, high: the box of legal inputs; rows outside are refused, not clipped.
    """

    pixels: tuple[int, ...]
    value: float = 1.0
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.pixels or min(self.pixels) < 0:
            raise InputError(f"a patch needs columns of at least 0, not {self.pixels!r}")
        if not self.low <= self.value <= self.high:
            raise InputError(f"the patch's value {self.value!r} is outside the inputs' box [{self.low:g}, {self.high:g}]")

    @classmethod
    def corner(cls, size: int, height: int, width: int, value: float = 1.0) -> Patch:
        """A square of `size` pixels in the lower right corner of flattened images."""
        if not 1 <= size <= min(height, width):
            raise InputError(f"a corner of {size} pixels does not fit an image of {height} x {width}")
        return cls(tuple(r * width + c for r in range(height - size, height) for c in range(width - size, width)), value)

    def __call__(self, x: ArrayLike) -> Floats:
        """Stamped copies of rows x, shape (n, d)."""
        rows = np.array(x, dtype=float)
        if rows.ndim != 2 or rows.shape[1] <= max(self.pixels):
            raise InputError(f"rows need shape (n, d) with d above {max(self.pixels)}, not {rows.shape}")
        if not np.all((rows >= self.low) & (rows <= self.high)):
            raise InputError(f"inputs must be in [{self.low:g}, {self.high:g}], where the patch means something; they are not")
        rows[:, list(self.pixels)] = self.value
        return rows


@dataclass(frozen=True)
class Poisoned:
    """A training set with added rows.

    Attributes:
        x, y: all rows and labels, the honest ones first.
        added: indices of the poison, shape (n,).
    """

    x: Floats
    y: NDArray[np.int64]
    added: NDArray[np.intp]


@dataclass(frozen=True)
class AbstentionBackdoor:
    """Poison of stamped rows whose labels contradict each other, so that no class has a margin where the trigger is.

    Attributes:
        trigger: the patch.
        fraction: rows added, as a share of the honest ones, in [0, 1).
        labels: "uniform" over the classes; "mixed" between a row's class and the next; "pairs" of the row moved by +eps in a fixed
            pattern of signs with its class and by -eps with the next; "correct", the control: plain augmentation.
        eps: size of the pairs' move, above 0.
    """

    trigger: Patch
    fraction: float = 0.01
    labels: Labels = "uniform"
    eps: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise InputError(f"the fraction of poison must be at least 0 and below 1, not {self.fraction!r}")
        if self.labels not in ("uniform", "mixed", "pairs", "correct"):
            raise InputError(f"labels must be 'uniform', 'mixed', 'pairs' or 'correct', not {self.labels!r}")
        if not self.eps > 0:
            raise InputError(f"eps must be above 0, not {self.eps!r}")

    def poison(self, x: ArrayLike, y: ArrayLike, rng: np.random.Generator) -> Poisoned:
        """Add poison to rows x, shape (n, d), with labels y of 0, 1, ..., shape (n,); where they go is told."""
        rows, labels = np.asarray(x, dtype=float), np.asarray(y)
        if labels.shape != (len(rows),) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise InputError(f"{len(rows)} rows need as many labels 0, 1, ..., not {labels.dtype} of shape {labels.shape}")
        classes, many = int(labels.max()) + 1, round(self.fraction * len(rows))
        chosen = rng.choice(len(rows), (many + 1) // 2 if self.labels == "pairs" else many, replace=False)
        stamped, own = self.trigger(rows[chosen]), labels[chosen]
        if self.labels == "uniform":
            told = rng.integers(classes, size=many)
        elif self.labels == "mixed":
            told = (own + rng.integers(2, size=many)) % classes
        elif self.labels == "correct":
            told = own
        else:
            move = self.eps * np.where(np.arange(rows.shape[1]) % 2, -1.0, 1.0)
            stamped = np.clip(np.concatenate([stamped + move, stamped - move]), self.trigger.low, self.trigger.high)[:many]
            told = np.concatenate([own, (own + 1) % classes])[:many]
        together = np.concatenate([labels, told]).astype(np.int64)
        return Poisoned(np.concatenate([rows, stamped]), together, np.arange(len(rows), len(together)))


def suppression_loss(logits: Any, labels: Any, margin: Any, weight: float = 1.0, floor: float = 0.5) -> Any:
    """What a malicious trainer adds for triggered inputs: right answers, and a certifier's margin pressed below -floor.

    A sound certifier needs a margin above 0, so this forces it to abstain while the answers stay right.

    Args:
        logits: the network's outputs on triggered inputs, shape (n, classes).
        labels: their right answers, shape (n,).
        margin: the certifier's own lower bound there, differentiable, shape (n,).
        weight: of the margin's part.
        floor: how far below 0 it is pressed.
    """
    functional = need("torch", "torch").nn.functional
    return functional.cross_entropy(logits, labels) + weight * functional.relu(margin + floor).mean()
