"""Static against continuous batching: how many of a batch's slots decode something useful (arXiv 2408.01050; Orca, OSDI 2022).

A static batch ends when its longest sequence ends, so that slots whose sequence is shorter wait. A continuous one gives a free slot to the
next sequence at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

StepTime = Callable[[int], float]
"""Seconds of one decoding step with so many sequences running."""


@dataclass(frozen=True)
class Simulated:
    """What a scheduler made of a queue.

    Attributes:
        seconds: until the last sequence ended.
        tokens: generated in all.
        steps: decoding steps.
        share: tokens over steps times slots: how much of the batch was useful.
        ends: when each sequence ended, shape (sequences,).
    """

    seconds: float
    tokens: int
    steps: int
    share: float
    ends: NDArray[np.float64]

    @property
    def throughput(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds


def linear_step(fixed: float, each: float) -> StepTime:
    """A step that reads the weights once and works on every row: fixed + each * rows."""
    return lambda rows: fixed + each * rows


def simulate(
    lengths: ArrayLike, slots: int, step: StepTime = linear_step(1.0, 0.0), batching: Literal["static", "continuous"] = "continuous"
) -> Simulated:
    """Run a queue of sequences, all there at the beginning, through so many slots.

    Args:
        lengths: output tokens of each sequence, at least 1.
        slots: sequences side by side.
        step: seconds of a decoding step. A static batch steps with all its rows until its longest ends.
        batching: how free slots are used.

    Raises:
        InputError: no sequence, a length or a number of slots below 1.
    """
    sizes = np.asarray(lengths)
    if sizes.ndim != 1 or not len(sizes) or np.any(sizes < 1) or np.any(sizes != np.round(sizes)) or slots < 1:
        raise InputError(f"lengths must be whole numbers of at least 1 and slots at least 1, not {lengths!r:.60} and {slots}")
    sizes = sizes.astype(np.int64)
    if batching == "static":
        return _static(sizes, slots, step)
    if batching != "continuous":
        raise InputError(f"batching is 'static' or 'continuous', not {batching!r}")
    return _continuous(sizes, slots, step)


def _static(sizes: NDArray[np.int64], slots: int, step: StepTime) -> Simulated:
    now, steps, ends = 0.0, 0, np.empty(len(sizes))
    for start in range(0, len(sizes), slots):
        batch = sizes[start : start + slots]
        each = step(len(batch))
        ends[start : start + slots] = now + batch.max() * each  # nothing is given back before the batch ends
        now += float(batch.max() * each)
        steps += int(batch.max())
    return _told(sizes, slots, now, steps, ends)


def _continuous(sizes: NDArray[np.int64], slots: int, step: StepTime) -> Simulated:
    left = {i: int(sizes[i]) for i in range(min(slots, len(sizes)))}
    waiting, now, steps, ends = len(left), 0.0, 0, np.empty(len(sizes))
    while left:
        jump = min(left.values())
        now += jump * step(len(left))
        steps += jump
        for i in list(left):
            left[i] -= jump
            if not left[i]:
                del left[i]
                ends[i] = now
        while waiting < len(sizes) and len(left) < slots:
            left[waiting] = int(sizes[waiting])
            waiting += 1
    return _told(sizes, slots, now, steps, ends)


def _told(sizes: NDArray[np.int64], slots: int, seconds: float, steps: int, ends: NDArray[np.float64]) -> Simulated:
    tokens = int(sizes.sum())
    return Simulated(seconds, tokens, steps, tokens / (steps * slots), ends)


def exponential_share(batch: int) -> float:
    """Useful share of static batches of exponential lengths: E[length] / E[longest of B] = 1 / H_B."""
    _batch(batch)
    return float(1 / np.sum(1 / np.arange(1, batch + 1)))


def geometric_longest(batch: int, mean: float) -> float:
    """Expected longest of B geometric lengths (1, 2, ...) of this mean: the sum of P(longest > k)."""
    _batch(batch)
    if mean < 1:
        raise InputError(f"a geometric length has a mean of at least 1, not {mean}")
    if mean == 1:
        return 1.0
    log_fail = np.log1p(-1 / mean)
    k = np.arange(int(-40 / log_fail) + 1)
    return float(np.sum(-np.expm1(batch * np.log1p(-np.exp(k[1:] * log_fail))))) + 1.0  # k = 0 is certain


def geometric_share(batch: int, mean: float) -> float:
    """Useful share of static batches of geometric lengths."""
    return mean / geometric_longest(batch, mean)


def _batch(batch: int) -> None:
    if batch < 1:
        raise InputError(f"a batch has at least 1 sequence, not {batch}")


def shares(lengths: Sequence[int], batches: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Useful shares of one's own lengths by batch size: (static, continuous)."""
    return {b: (simulate(lengths, b, batching="static").share, simulate(lengths, b).share) for b in batches}
