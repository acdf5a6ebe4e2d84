"""Rates from panel data by EM (Bladt & Sorensen 2005), its integrals by Van Loan (1978); noisy labels by a hidden chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError, need
from ponder.prob.markov_jump.chain import checked_rates, transition_matrix
from ponder.prob.markov_jump.panel import Panel

WEAK_PRIOR = (0.5, 1.6)
"""Half a jump in 1.6 units of time, added to every pair of states."""


@dataclass(frozen=True)
class JumpFit:
    """Fitted rates.

    Attributes:
        rates: shape (n, n), rows sum to 0.
        initial: distribution of the first state, shape (n,).
        log_likelihood: of the data, after each step; without the prior.
        visited: states that the data show; the rates out of others are the prior's, or 0 without one. Shape (n,).
        converged: whether the last step changed no rate by more than the tolerance.
    """

    rates: np.ndarray
    initial: np.ndarray
    log_likelihood: tuple[float, ...]
    visited: np.ndarray
    converged: bool


def log_likelihood(panel: Panel, rates: np.ndarray, initial: np.ndarray, label_noise: float = 0.0) -> float:
    """log p of all labels seen, exactly."""
    return _expected(panel, checked_rates(rates), np.asarray(initial, dtype=float), label_noise)[2]


def fit(
    panel: Panel,
    prior: tuple[float, float] | None = None,
    label_noise: float = 0.0,
    steps: int = 500,
    tol: float = 1e-6,
) -> JumpFit:
    """The rates of largest likelihood, or of largest posterior density.

    Args:
        panel: the observations.
        prior: pseudo-jumps and pseudo-time for every rate, a Gamma(1 + jumps, time) prior; `WEAK_PRIOR` is a weak one.
        label_noise: the known probability that a label is a wrong one; above 0 the labels are emissions of a hidden chain.
        steps: at most.
        tol: stop when no rate changes by more, relative to the largest rate.

    Raises:
        InputError: label noise outside [0, 1), or a prior with a negative part.
    """
    if not 0 <= label_noise < 1:
        raise InputError(f"label noise is a probability below 1, not {label_noise!r}")
    jumps0, time0 = prior or (0.0, 0.0)
    if jumps0 < 0 or time0 < 0:
        raise InputError(f"a prior is pseudo-jumps and pseudo-time, neither negative, not {prior!r}")
    n = panel.n_states
    shown = np.concatenate([row[:length] for row, length in zip(panel.states, panel.lengths, strict=True)])
    visited = np.bincount(shown, minlength=n) > 0
    rates = checked_rates(np.full((n, n), 1 / (float(panel.gaps.mean()) * n * 2)))
    initial, said, converged = np.full(n, 1 / n), [], False
    for _ in range(steps):
        weights, initial_next, total = _expected(panel, rates, initial, label_noise)
        said.append(total)
        spent = _occupation(rates, weights, panel.gaps)
        jumps, time = rates * spent + jumps0, np.diag(spent)[:, None] + time0
        new = checked_rates(np.divide(jumps, time, out=np.zeros_like(jumps), where=time > 1e-300))
        converged = bool(np.abs(new - rates).max() <= tol * np.abs(new).max())
        rates, initial = new, initial_next
        if converged:
            break
    return JumpFit(rates, initial, tuple(said), visited, converged)


def _occupation(rates: np.ndarray, weights: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Sum over gaps of the integral of P(s)^T W P(gap - s)^T ds: expected time in i on the diagonal, expected jumps over F_ij off it."""
    n = len(rates)
    block = np.zeros((len(gaps), 2 * n, 2 * n))
    block[:, :n, :n] = block[:, n:, n:] = rates.T * gaps[:, None, None]
    # expm is not homogeneous in W's size: scaled to the rates' and back.
    size = np.maximum(weights.max(axis=(1, 2), keepdims=True), 1e-300)
    block[:, :n, n:] = weights / size * gaps[:, None, None]
    return np.sum(need("scipy.linalg", "prob").expm(block)[:, :n, n:] * size, axis=0)


def _expected(panel: Panel, rates: np.ndarray, initial: np.ndarray, label_noise: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Expected pairs of ends over their probability, for each gap; the first state's distribution; the log-likelihood."""
    p = transition_matrix(rates, panel.gaps)
    if label_noise > 0:
        return _forward_backward(panel, p, initial, label_noise)
    counts = panel.counts()
    first = np.bincount(panel.states[:, 0], minlength=panel.n_states)
    with np.errstate(divide="ignore"):
        total = np.sum(counts[counts > 0] * np.log(p[counts > 0])) + np.sum(first[first > 0] * np.log(initial[first > 0]))
    weights = np.divide(counts, p, out=np.zeros_like(counts), where=p > 0)
    return weights, first / first.sum(), float(total)


def _forward_backward(panel: Panel, p: np.ndarray, initial: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The same where labels are right with probability 1 - noise and else one of the others, evenly. All paths at once."""
    n, (paths, m) = panel.n_states, panel.states.shape
    emission = np.where(np.eye(n, dtype=bool), 1 - noise, noise / (n - 1))
    seen, inside = emission.T[panel.states], panel.inside  # (paths, m, n)
    forward, scale = np.empty((paths, m, n)), np.ones((paths, m))
    forward[:, 0] = initial * seen[:, 0]
    scale[:, 0] = forward[:, 0].sum(axis=1)
    forward[:, 0] /= scale[:, [0]]
    for k in range(1, m):
        step = np.einsum("pi,pij->pj", forward[:, k - 1], p[panel.gap[:, k - 1]]) * seen[:, k]
        alive = inside[:, k - 1]
        scale[alive, k] = step[alive].sum(axis=1)
        forward[:, k] = np.where(alive[:, None], step / scale[:, [k]], forward[:, k - 1])
    weights, backward = np.zeros((len(p), n, n)), np.ones((paths, n))
    for k in range(m - 1, 0, -1):
        alive = inside[:, k - 1]
        coming = seen[:, k] * backward / scale[:, [k]]
        pair = forward[alive, k - 1][:, :, None] * coming[alive][:, None, :]
        np.add.at(weights, panel.gap[alive, k - 1], pair)
        backward[alive] = np.einsum("pij,pj->pi", p[panel.gap[alive, k - 1]], coming[alive])
    first = forward[:, 0] * backward
    return weights, first.mean(axis=0), float(np.log(scale).sum())
