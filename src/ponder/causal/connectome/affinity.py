"""Differential affinity: how much two traces change together at each moment (Dyballa et al. 2024, stage 1).

The published text does not give the formula; its reviews confirm derivatives, non-negativity, and that opposite changes count as none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need

Mode = Literal["sqrt_product", "product", "minimum"]


@dataclass(frozen=True, eq=False)
class Affinity:
    """Affinities of all pairs of units over time and animals.

    Attributes:
        tensor: shape (times, animals, pairs), at least 0; 0 where a unit is missing.
        mask: shape (animals, pairs), False where a unit of the pair is missing in the animal.
        units: how many there are; pair p is (i, j) with i < j, in the order of `numpy.triu_indices`.
        times: the frame that each slice is of.
    """

    tensor: NDArray[np.float32]
    mask: NDArray[np.bool_]
    units: int
    times: NDArray[np.intp]


def differential_affinity(traces: ArrayLike, smooth: float = 3.0, mode: Mode = "sqrt_product", stride: int = 1) -> Affinity:
    """Affinities from concurrent changes of traces.

    Each trace is smoothed and differentiated, and its derivative divided by its mean size. Two derivatives of the same sign have the root
    of their product ("sqrt_product"), their product, or the smaller ("minimum") as affinity; of opposite signs, 0.

    Args:
        traces: shape (animals, units, frames), aligned in time; a unit that an animal lacks is NaN throughout.
        smooth: standard deviation of the Gaussian filter, in frames; 0 for none. Derivatives amplify noise, and results depend on it.
        mode: the affinity.
        stride: keep every so many frames.

    Raises:
        InputError: for another shape, fewer than 3 units or 5 frames, traces with some NaN, or constant traces.
    """
    values: NDArray[np.float64] = np.array(traces, dtype=np.float64)
    if values.ndim != 3 or values.shape[1] < 3 or values.shape[2] < 5 or not len(values):
        raise InputError(f"traces need shape (animals, at least 3 units, at least 5 frames), not {values.shape}")
    if mode not in get_args(Mode) or stride < 1 or not smooth >= 0:
        raise InputError(f"mode is one of {get_args(Mode)}, stride at least 1, smooth at least 0; not {mode!r}, {stride}, {smooth}")
    absent = np.asarray(np.isnan(values).all(axis=2))
    _refuse(~np.isfinite(values).all(axis=2) & ~absent, "has some frames that are not finite; a missing unit is NaN throughout")
    _refuse((np.ptp(values, axis=2) == 0) & ~absent, "is constant: mark it as missing (NaN) or leave it out")
    values[absent] = 0.0
    if smooth:
        values = need("scipy.ndimage", "causal").gaussian_filter1d(values, smooth, axis=2)
    change = np.gradient(values, axis=2)
    change /= np.maximum(np.abs(change).mean(axis=2, keepdims=True), np.finfo(float).tiny)
    times = np.arange(0, values.shape[2], stride)
    i, j = np.triu_indices(values.shape[1], 1)
    left, right = (change[:, side][:, :, times].transpose(2, 0, 1) for side in (i, j))
    together = np.maximum(left * right, 0.0)
    if mode == "minimum":
        together = np.where(together > 0, np.minimum(np.abs(left), np.abs(right)), 0.0)
    elif mode == "sqrt_product":
        together = np.sqrt(together)
    return Affinity(together.astype(np.float32), ~(absent[:, i] | absent[:, j]), values.shape[1], times)


def _refuse(bad: Any, what: str) -> None:
    if bad.any():
        animal, unit = np.argwhere(bad)[0]
        raise InputError(f"unit {unit} of animal {animal} {what}")
