"""Exact bounds on a share that was seen in some of n draws (Clopper & Pearson 1934)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need


def share_bounds(hits: ArrayLike, n: int, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lower and the upper bound, each missed with a chance of at most `level`; the shape of hits, each in 0..n.

    Raises:
        InputError: for impossible counts or a level outside (0, 1).
    """
    k = np.asarray(hits, dtype=float)
    if n < 1 or np.any((k < 0) | (k > n)) or not 0 < level < 1:
        raise InputError(f"a share needs 0 <= hits <= n, n of at least 1 and a level in (0, 1), not {hits!r} of {n} at {level!r}")
    beta = need("scipy.stats", "trust").beta
    low = np.where(k > 0, beta.ppf(level, np.maximum(k, 1), n - k + 1), 0.0)
    return low, np.where(k < n, beta.ppf(1 - level, k + 1, np.maximum(n - k, 1)), 1.0)
