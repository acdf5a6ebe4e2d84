"""Training examples: tokens, which of them are learnt, and packing of examples of different lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.train.net import COMMON, TorchNet

torch: Any = need("torch", "torch")


@dataclass(frozen=True)
class Batch:
    """Rows of tokens.

    Attributes:
        tokens: ids, shape (rows, length).
        learn: weight of each token as a thing to predict, shape (rows, length); 0 for prompts and filling. The first token of an
            example is never predicted, whatever its weight.
        positions: place of each token in its example, shape (rows, length); None if every row is one example.
        segments: which example of its row each token belongs to, shape (rows, length), -1 for filling, `COMMON` for what all of a row's
            examples read; None as above.
        first: no token before this column is learnt.
    """

    tokens: NDArray[np.int64]
    learn: NDArray[np.float32]
    positions: NDArray[np.int64] | None = None
    segments: NDArray[np.int64] | None = None
    first: int = 1

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """Some of the rows, in order."""
        positions, segments = (x if x is None else x[rows] for x in (self.positions, self.segments))
        return Batch(self.tokens[rows], self.learn[rows], positions, segments, self.first)


def fixed(tokens: NDArray[np.int64], prompt: int, filling: int = 0) -> Batch:
    """Examples of one length as a batch: everything after the prompt is learnt, except filling.

    Args:
        tokens: shape (rows, length).
        prompt: tokens of the prompt.
        filling: the id that is not learnt.
    """
    learn = (tokens != filling).astype(np.float32)
    learn[:, :prompt] = 0
    return Batch(tokens, learn, first=prompt)


def pack(examples: Sequence[tuple[Sequence[int], Sequence[int]]], length: int) -> Batch:
    """Put examples of different lengths into as few rows as first-fit-decreasing finds. No token is lost, and attention stays within
    an example (`Batch.segments`), so packing changes no loss.

    Args:
        examples: (prompt ids, response ids); the response is learnt.
        length: of a row; an example must fit into one.

    Raises:
        InputError: an example that is longer than a row, an empty one, or none at all.
    """
    sizes = [len(p) + len(r) for p, r in examples]
    if not sizes or min(sizes) < 1 or max(sizes) > length:
        raise InputError(f"examples must have 1 to {length} tokens, these have {min(sizes, default=0)} to {max(sizes, default=0)}")
    rows: list[list[int]] = []
    left: list[int] = []
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        row = next((r for r, room in enumerate(left) if room >= sizes[i]), len(rows))
        if row == len(rows):
            rows.append([])
            left.append(length)
        rows[row].append(i)
        left[row] -= sizes[i]
    shape = (len(rows), length)
    tokens, positions, segments = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    learn = np.zeros(shape, np.float32)
    for row, members in enumerate(rows):
        at = 0
        for segment, i in enumerate(members):
            prompt, response = examples[i]
            end = at + sizes[i]
            tokens[row, at:end] = [*prompt, *response]
            positions[row, at:end] = np.arange(sizes[i])
            segments[row, at:end] = segment
            learn[row, max(at + len(prompt), at + 1) : end] = 1
            at = end
    return Batch(tokens, learn, positions, segments)


Example = tuple[Sequence[int], Sequence[int], Sequence[float]]
"""Prompt, response and the weight of each token of the response."""


def behind(
    rows: Sequence[tuple[Sequence[int], Sequence[Example]]], place: int | None = None, filling: int = 0, weight: float = 0.0
) -> Batch:
    """Rows of a beginning and several examples, each of which reads the beginning and nothing of the other examples.

    Args:
        rows: the beginning's ids, which may be none, and the examples.
        place: where every example begins; right behind the beginning if None.
        filling: the id that fills rows up.
        weight: of the tokens of the beginning, as things to predict.

    Raises:
        InputError: no row has an example, or a prompt is empty: the first token of its response would have nothing to follow from.
    """
    if not any(examples for _, examples in rows) or not all(prompt for _, examples in rows for prompt, _, _ in examples):
        raise InputError("rows need at least one example, and every example a prompt")
    lengths = [len(start) + sum(len(p) + len(r) for p, r, _ in examples) for start, examples in rows]
    shape = (len(rows), max(lengths))
    tokens, learn = np.full(shape, filling), np.zeros(shape, np.float32)
    places, segments = np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    for row, (start, examples) in enumerate(rows):
        at = len(start)
        tokens[row, :at], places[row, :at], segments[row, :at], learn[row, 1:at] = start, np.arange(at), COMMON, weight
        for i, (prompt, response, weights) in enumerate(examples):
            learnt, end = at + len(prompt), at + len(prompt) + len(response)
            tokens[row, at:end] = [*prompt, *response]
            places[row, at:end] = (len(start) if place is None else place) + np.arange(end - at)
            segments[row, at:end], learn[row, learnt:end] = i, weights
            at = end
    return Batch(tokens, learn, places, segments, first=max(1, int(learn.any(0).argmax())))


class Rows(Protocol):
    """Rows to learn from, of any kind."""

    def __len__(self) -> int: ...
    def take(self, rows: NDArray[np.int64]) -> Self: ...


R = TypeVar("R", bound=Rows)


def epochs(rows: R, each: int, seed: int) -> Callable[[int], R]:
    """Go through rows again and again, `each` at a step, every time in a new order; a function of the step.

    Raises:
        InputError: more rows a step than there are, or none.
    """
    if not 1 <= each <= len(rows):
        raise InputError(f"a step can read 1 to {len(rows)} rows, not {each}")
    per = len(rows) // each

    def batch(step: int) -> R:
        order = np.random.default_rng((seed, step // per)).permutation(len(rows))
        return rows.take(order[step % per * each :][:each])

    return batch


def surprise(net: TorchNet, batch: Batch) -> Any:
    """-log p of each token from column `batch.first` on, times its weight, shape (rows, length - first)."""
    tokens = torch.from_numpy(batch.tokens)
    extra = {k: torch.from_numpy(v)[:, :-1] for k, v in (("positions", batch.positions), ("segments", batch.segments)) if v is not None}
    logits = net.logits(net(tokens[:, :-1], batch.first - 1, **extra))
    target = tokens[:, batch.first :]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view(target.shape)
    return losses * torch.from_numpy(batch.learn)[:, batch.first :]


def next_token(net: TorchNet, batch: Batch) -> Any:
    """The mean of -log p over the learnt tokens."""
    return surprise(net, batch).sum() / max(1.0, float(batch.learn[:, batch.first :].sum()))
