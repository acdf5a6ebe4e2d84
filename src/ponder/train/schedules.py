"""Learning-rate schedules: what share of the full rate a step trains with."""

from __future__ import annotations

import math
from collections.abc import Callable

from ponder.core.errors import InputError

Schedule = Callable[[int, int], float]
"""Step (from 0) and number of steps, to a share of the full rate in (0, 1]."""


def cosine(warmup: int = 30, floor: float = 0.02) -> Schedule:
    """Linear warm-up, then half a cosine down to `floor`.

    Args:
        warmup: steps until the full rate.
        floor: the share that is left at the end.

    Raises:
        InputError: a negative warm-up, or a floor outside [0, 1].
    """
    _check(warmup, floor, 1.0)

    def share(step: int, steps: int) -> float:
        done = min(1.0, max(0, step - warmup) / max(1, steps - warmup))
        return min(1.0, (step + 1) / max(1, warmup)) * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)

    return share


def constant_then_linear(warmup: int = 30, cool: float = 0.4, floor: float = 0.02) -> Schedule:
    """Linear warm-up, the full rate, then linear down to `floor` over the last share `cool` of the steps.

    Raises:
        InputError: a negative warm-up, or a floor or a share outside [0, 1].
    """
    _check(warmup, floor, cool)

    def share(step: int, steps: int) -> float:
        return min(1.0, (step + 1) / max(1, warmup), max(floor, (steps - step) / (cool * steps) if cool else 1.0))

    return share


def _check(warmup: int, floor: float, cool: float) -> None:
    if warmup < 0 or not 0 <= floor <= 1 or not 0 <= cool <= 1:
        raise InputError(f"a schedule needs warmup >= 0 and shares within [0, 1], not warmup={warmup}, floor={floor}, cool={cool}")
