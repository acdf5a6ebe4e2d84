"""A chain given by its rate matrix F: F_ij >= 0 is the rate of jumps from i to j, rows sum to 0, and p(t) = p(0) expm(F t)."""

from __future__ import annotations

import numpy as np

from ponder.core.errors import InputError, need
from ponder.prob.markov_jump.panel import Panel


def checked_rates(rates: np.ndarray) -> np.ndarray:
    """The rate matrix with its diagonal set to minus the row sums; what the diagonal held is not used.

    Raises:
        InputError: not square, fewer than 2 states, a negative rate, or one that is not finite.
    """
    f = np.array(rates, dtype=float)
    if f.ndim != 2 or f.shape[0] != f.shape[1] or len(f) < 2:
        raise InputError(f"a rate matrix is square with at least 2 states, not of shape {f.shape}")
    np.fill_diagonal(f, 0)
    if not np.all(np.isfinite(f)) or f.min() < 0:
        i, j = np.unravel_index(int(np.argmin(np.where(np.isfinite(f), f, -np.inf))), f.shape)
        raise InputError(f"rates must be finite and not negative; the rate from {i} to {j} is {f[i, j]:g}")
    np.fill_diagonal(f, -f.sum(axis=1))
    return f


def transition_matrix(rates: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    """P(t) = expm(F t), rows sum to 1; shape (..., n, n) for times of shape (...).

    Raises:
        InputError: bad rates, or a negative time.
    """
    f, t = checked_rates(rates), np.asarray(t, dtype=float)
    if np.any(t < 0) or not np.all(np.isfinite(t)):
        raise InputError("times must be finite and not negative")
    p = np.clip(need("scipy.linalg", "prob").expm(f * t[..., None, None]), 0, None)
    return p / p.sum(axis=-1, keepdims=True)


def simulate(rates: np.ndarray, p0: np.ndarray, times: np.ndarray, paths: int, rng: np.random.Generator, label_noise: float = 0.0) -> Panel:
    """Simulate jump by jump (Gillespie 1977) and look at the given times.

    Args:
        rates: shape (n, n).
        p0: initial distribution, shape (n,).
        times: when to look, increasing from 0 on, shape (m,).
        paths: how many.
        rng: the source of randomness.
        label_noise: probability that a seen label is one of the other labels, drawn evenly.

    Raises:
        InputError: bad rates, probabilities, times or noise.
    """
    f, p0, times = checked_rates(rates), np.asarray(p0, dtype=float), np.asarray(times, dtype=float)
    n = len(f)
    if p0.shape != (n,) or p0.min() < 0 or abs(p0.sum() - 1) > 1e-9:
        raise InputError(f"the initial distribution must be {n} probabilities that sum to 1, not {p0}")
    if paths < 1 or not 0 <= label_noise < 1 or len(times) == 0 or times[0] < 0:
        raise InputError("a simulation needs at least 1 path, times from 0 on, and label noise in [0, 1)")
    leaving = -np.diag(f)
    jump = np.where(np.eye(n), 0, f)
    table = np.cumsum(np.divide(jump, leaving[:, None], out=np.zeros_like(f), where=leaving[:, None] > 0), axis=1)
    state = rng.choice(n, paths, p=p0)
    now, seen = np.zeros(paths), np.empty((paths, len(times)), dtype=int)
    active = np.arange(paths)
    while len(active):
        s = state[active]
        with np.errstate(divide="ignore"):
            until = now[active] + rng.standard_exponential(len(active)) / leaving[s]
        here = (times >= now[active, None]) & (times < until[:, None])
        row, column = np.nonzero(here)
        seen[active[row], column] = s[row]
        going = until <= times[-1]
        active, s = active[going], s[going]
        now[active] = until[going]
        state[active] = np.minimum((rng.random(len(s))[:, None] > table[s]).sum(axis=1), n - 1)
    return Panel.regular(times, mislabelled(seen, n, label_noise, rng), n)


def mislabelled(states: np.ndarray, n_states: np.ndarray | int, label_noise: np.ndarray | float, rng: np.random.Generator) -> np.ndarray:
    """Labels of which some are replaced by one of the others, drawn evenly. Arguments broadcast."""
    wrong = rng.random(states.shape) < label_noise
    n = np.broadcast_to(n_states, states.shape)
    return np.where(wrong, (states + rng.integers(1, n)) % n, states)


def stationary(rates: np.ndarray) -> np.ndarray:
    """The distribution that the chain keeps, shape (n,).

    Raises:
        InputError: there is more than one, because some states cannot be reached from others.
    """
    f = checked_rates(rates)
    n = len(f)
    scaled = f / max(np.abs(f).max(), 1e-300)
    if np.linalg.matrix_rank(scaled, tol=1e-10) < n - 1:
        raise InputError("the chain has several closed classes, so its stationary distribution is not unique")
    solved = np.linalg.lstsq(np.vstack([scaled.T, np.ones(n)]), np.append(np.zeros(n), 1.0), rcond=None)[0]
    return np.clip(solved, 0, None) / np.clip(solved, 0, None).sum()


def relaxation_times(rates: np.ndarray) -> np.ndarray:
    """-1 / Re(eigenvalue) for the eigenvalues other than 0, longest first, shape (n - 1,)."""
    decay = np.sort(-np.linalg.eigvals(checked_rates(rates)).real)[1:]
    with np.errstate(divide="ignore"):
        return 1 / np.maximum(decay, 0)


def mean_first_passage(rates: np.ndarray, target: int) -> np.ndarray:
    """Mean time to `target` from each state, which solves F tau = -1 off the target; shape (n,).

    Raises:
        InputError: no such state, or one that is not reached from everywhere.
    """
    f = checked_rates(rates)
    if not 0 <= target < len(f):
        raise InputError(f"the target is one of the states 0 to {len(f) - 1}, not {target}")
    rest = np.delete(np.arange(len(f)), target)
    reach = f > 0
    for _ in range(len(f)):
        reach |= (reach.astype(int) @ reach.astype(int)) > 0
    if not reach[rest, target].all():
        raise InputError(f"state {target} is not reached from state {rest[~reach[rest, target]][0]}, so the mean time is infinite")
    times = np.zeros(len(f))
    times[rest] = np.linalg.solve(f[np.ix_(rest, rest)], -np.ones(len(rest)))
    return times


def entropy_production(rates: np.ndarray) -> float:
    """Stationary entropy production per unit time, in nats; infinite if a jump cannot be undone."""
    f = checked_rates(rates)
    flow = stationary(f)[:, None] * np.where(np.eye(len(f)), 0, f)
    if np.any((flow > 0) & (flow.T == 0)):
        return float("inf")
    both = flow > 0
    return float(0.5 * np.sum((flow - flow.T)[both] * np.log(flow[both] / flow.T[both])))


def hellinger(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Hellinger distance along the last axis, from 0 to 1."""
    return np.sqrt(np.clip(0.5 * np.sum((np.sqrt(p) - np.sqrt(q)) ** 2, axis=-1), 0, 1))


def flashing_ratchet(v: float, r: float = 1.0, b: float = 1.0) -> np.ndarray:
    """Six states: 0 to 2 on a potential, 3 to 5 off it. Rates exp(-v (j - i) / 2) on, b off, r for switching i and i + 3."""
    i = np.arange(3)
    f = np.zeros((6, 6))
    f[:3, :3] = np.exp(-v * (i[None, :] - i[:, None]) / 2)
    f[3:, 3:] = b
    f[i, i + 3] = f[i + 3, i] = r
    return checked_rates(f)


def ratchet_parameters(rates: np.ndarray) -> tuple[float, float, float]:
    """v, r and b read out of six-state rates by averaging."""
    q = checked_rates(rates)
    off, i = ~np.eye(3, dtype=bool), np.arange(3)
    logs = np.log(np.maximum(q, 1e-300))
    v = (-2 * (logs[0, 1] + logs[1, 2]) + 2 * (logs[1, 0] + logs[2, 1]) - logs[0, 2] + logs[2, 0]) / 6
    return float(v), float(np.concatenate([q[i, i + 3], q[i + 3, i]]).mean()), float(q[3:, 3:][off].mean())
