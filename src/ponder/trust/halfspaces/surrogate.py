"""The smoothed ramp that a halfspace is learned with, and its descent on the sphere (Gollakota et al. 2023, arXiv 2302.14853, section 3).

Flat outside a band around the hyperplane, so that the gradient says something about the band only; linear in the middle, so that it says
enough. The paper asks for any such curve; the cubic that joins the parts here is ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ramp(t: Floats | float, sigma: float) -> Floats:
    """The loss at signed margin t: 1 up to -sigma/2, 1/2 - t/sigma within sigma/6 of 0, 0 from sigma/2 on; the shape of t."""
    t = np.asarray(t, dtype=float)
    outside = _outside(t, sigma)
    right = np.where(np.abs(t) <= sigma / 6, 0.5 - np.abs(t) / sigma, (outside - 1) ** 2 * (outside + 1) / 3)
    return np.where(t >= 0, right, 1 - right)


def ramp_slope(t: Floats | float, sigma: float) -> Floats:
    """The derivative of `ramp` in t, in [-4 / (3 sigma), 0]; the shape of t."""
    t = np.asarray(t, dtype=float)
    outside = _outside(t, sigma)
    joined = (outside - 1) * (3 * outside + 1) / sigma
    return np.where(np.abs(t) <= sigma / 6, -1 / sigma, joined)


def _outside(t: Floats, sigma: float) -> Floats:
    """How far |t| is on its way from sigma/6 (0) to sigma/2 (1)."""
    return np.clip((np.abs(t) - sigma / 6) / (sigma / 3), 0.0, 1.0)


def surrogate(w: Floats, x: Floats, y: Floats, sigma: float) -> float:
    """Mean ramp loss of the halfspace sign(<w, x>), for w of any length above 0, shape (d,), rows x, shape (n, d), labels y of -1 and 1."""
    return float(np.mean(ramp(y * (x @ w) / np.linalg.norm(w), sigma)))


def row_gradients(w: Floats, x: Floats, y: Floats, sigma: float) -> Floats:
    """The gradient of each row's loss at a unit vector w, along the sphere: shape (n, d), each row orthogonal to w."""
    margins = x @ w
    return (ramp_slope(y * margins, sigma) * y)[:, None] * (x - margins[:, None] * w)


def descend(
    x: Floats, y: Floats, sigma: float, rng: np.random.Generator, steps: int = 2000, batch: int = 200, keep: int = 20
) -> NDArray[np.float64]:
    """Projected stochastic gradient descent from a random direction.

    Args:
        x: rows, shape (n, d).
        y: labels of -1 and 1, shape (n,).
        sigma: width of the band, above 0.
        rng: of the start and the batches.
        steps: updates, of length 4 sigma / sqrt(steps) times the gradient.
        batch: rows an update, drawn with replacement.
        keep: how many iterates of the second half to return, evenly spaced.

    Returns:
        Those unit vectors and the direction of their mean, which wanders less than they do, shape (keep + 1, d).
    """
    w = _unit(rng.standard_normal(x.shape[1]))
    size, kept = 4 * sigma / np.sqrt(steps), []
    wanted = set(np.linspace(steps // 2, steps - 1, keep, dtype=int).tolist())
    for step in range(steps):
        rows = rng.integers(len(x), size=batch)
        w = _unit(w - size * row_gradients(w, x[rows], y[rows], sigma).mean(axis=0))
        if step in wanted:
            kept.append(w)
    return np.array([*kept, _unit(np.mean(kept, axis=0))])


def _unit(w: Floats) -> Floats:
    return w / np.linalg.norm(w)
