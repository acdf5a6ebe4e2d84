"""The multivariate Hawkes process with exponential kernels: simulation and exact densities. Hawkes 1971; Ogata 1981."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError
from ponder.prob.point_process.events import EventBatch, LogProb

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HawkesExp:
    """Events of mark k come at the rate mu_k + sum over past events (time s, mark j) of alpha_kj exp(-beta_kj (t - s)).

    Attributes:
        mu: rates without any past, shape (K,).
        alpha: by how much an event of mark j raises the rate of mark k, alpha[k, j] >= 0, shape (K, K).
        beta: how fast that decays, above 0, shape (K, K).

    Raises:
        InputError: other shapes, a negative rate, no base rate at all, or a process that explodes (`radius` of 1 or more).
    """

    mu: Floats
    alpha: Floats
    beta: Floats

    def __init__(self, mu: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> None:
        mu, alpha = np.asarray(mu, dtype=float), np.asarray(alpha, dtype=float)
        k = len(mu) if mu.ndim == 1 else 0
        if not k or alpha.shape != (k, k) or np.shape(beta) not in ((), (k, k)):
            raise InputError(f"a Hawkes process has mu of shape (K,), alpha and beta of shape (K, K), not {mu.shape}, {alpha.shape}")
        beta = np.broadcast_to(np.asarray(beta, dtype=float), (k, k))
        for name, values in (("mu", mu), ("alpha", alpha)):
            if not np.all(np.isfinite(values)) or values.min() < 0:
                raise InputError(f"rates must be finite and not negative; {name} is {values.tolist()}")
        if not np.all(np.isfinite(beta)) or beta.min() <= 0:
            raise InputError(f"decays must be finite and above 0; beta is {beta.tolist()}")
        if not mu.sum() > 0:
            raise InputError("mu is 0 for all marks, so no event would ever come")
        for name, value in (("mu", mu), ("alpha", alpha), ("beta", beta)):
            object.__setattr__(self, name, value)
        if self.radius >= 1:
            raise InputError(f"the process explodes: the spectral radius of alpha / beta is {self.radius:.3g} and must be below 1")

    @property
    def radius(self) -> float:
        """Spectral radius of alpha / beta, the mean offspring of an event."""
        return float(np.abs(np.linalg.eigvals(self.alpha / self.beta)).max())

    @property
    def stationary_rates(self) -> Floats:
        """Mean events of each mark per unit of time in the long run, shape (K,)."""
        return np.asarray(np.linalg.solve(np.eye(len(self.mu)) - self.alpha / self.beta, self.mu), dtype=np.float64)

    def simulate(self, t_end: float, n: int, rng: np.random.Generator) -> EventBatch:
        """n sequences from an empty past to t_end, by thinning (Ogata 1981), all at once.

        Raises:
            InputError: no sequence, or an end that is not above 0.
        """
        if n < 1 or not 0 < t_end < np.inf:
            raise InputError(f"a simulation needs n >= 1 and an end above 0, not {n} and {t_end}")
        k, rows, now = len(self.mu), np.arange(n), np.zeros(n)
        raised = np.zeros((n, k, k))
        found: list[tuple[NDArray, NDArray, NDArray]] = []
        while len(rows):
            bound = self._rates(raised).sum(axis=1)  # between events the intensity falls
            wait = rng.standard_exponential(len(rows)) / bound
            kept = now + wait <= t_end
            rows, now, wait, bound = rows[kept], (now + wait)[kept], wait[kept], bound[kept]
            raised = raised[kept] * np.exp(-self.beta * wait[:, None, None])
            steps = np.cumsum(self._rates(raised), axis=1)
            u = rng.random(len(rows)) * bound
            hit = np.flatnonzero(u < steps[:, -1])
            mark = (u[hit, None] >= steps[hit]).sum(axis=1)
            raised[hit, :, mark] += 1
            found.append((rows[hit], now[hit], mark))
        row, time, mark = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((time, row))
        row, lengths = row[order], np.bincount(row, minlength=n)
        column = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        times, marks = np.full((n, lengths.max()), float(t_end)), np.zeros((n, lengths.max()), dtype=np.int64)
        times[row, column], marks[row, column] = time[order], mark[order]
        return EventBatch(times, marks, lengths, np.full(n, float(t_end)), k)

    def log_prob(self, batch: EventBatch) -> LogProb:
        """Exact log-density of each sequence: sum of log rates at the events less the integral of the total rate."""
        before, spent = self._before(batch)
        rates = self._rates(before)
        total = rates.sum(axis=2)
        own = np.take_along_axis(rates, batch.marks[:, :, None], axis=2)[:, :, 0]
        inside = batch.inside
        # A mark that cannot come (rate 0) has density 0.
        with np.errstate(divide="ignore"):
            mark = np.where(inside, np.log(own / total), 0.0).sum(axis=1)
        time = np.where(inside, np.log(total) - spent[:, :-1].sum(axis=2), 0.0).sum(axis=1)
        return LogProb(time, mark, -spent[:, -1].sum(axis=1))

    def mark_given_time(self, batch: EventBatch) -> Floats:
        """p(mark | past, time of the event) for each event, shape (B, L, K)."""
        rates = self._rates(self._before(batch)[0])
        return rates / rates.sum(axis=2, keepdims=True)

    def mark_given_history(self, batch: EventBatch, nodes: int = 64) -> Floats:
        """p(mark | past) for each event, its time unknown, by Gauss-Legendre in log time; shape (B, L, K)."""
        x, w = np.polynomial.legendre.leggauss(nodes)
        low, high = np.log(1e-6), np.log(40 / self.mu.sum())
        waits, weights = np.exp((high - low) / 2 * x + (high + low) / 2), w * (high - low) / 2
        after = self._after(batch)[:, :-1]
        found = np.zeros((*batch.times.shape, len(self.mu)))
        for tau, weight in zip(waits, weights, strict=True):
            survived = np.exp(-self._spent(after, np.full(batch.times.shape, tau)).sum(axis=2))
            found += weight * tau * self._rates(after * np.exp(-self.beta * tau)) * survived[:, :, None]
        return found / found.sum(axis=2, keepdims=True)

    def intensity(self, sequence: EventBatch, times: ArrayLike) -> Floats:
        """Rates of each mark just before given times, for a batch of one sequence; shape (T, K)."""
        count, since = sequence.before(times)
        return self._rates(self._after(sequence)[0, count] * np.exp(-self.beta * since[:, None, None]))

    def residuals(self, batch: EventBatch) -> Floats:
        """Integrals of the total rate between neighbouring events, sequences laid end to end; shape (events,).

        Draws of Exp(1) if the model is right (time rescaling, Papangelou 1972). Within sequences alone they would come out too short,
        since long waits are those that the end cuts off.
        """
        spent = self._before(batch)[1].sum(axis=2)
        place = np.arange(spent.shape[1])
        whose = batch.lengths[:, None]
        # The wait that the end cut off comes last; the padding behind it weighs nothing.
        spent = np.where(place < whose, spent, np.where(place == whose, spent[:, -1:], 0.0))
        return np.diff(np.cumsum(spent)[(place < whose).ravel()], prepend=0.0)

    def _rates(self, raised: Floats) -> Floats:
        """Rates of each mark, shape (..., K), from sums of decayed past events (..., K, K)."""
        return self.mu + (self.alpha * raised).sum(axis=-1)

    def _spent(self, raised: Floats, wait: Floats) -> Floats:
        """Integral of each mark's rate over a wait (...,), shape (..., K)."""
        fallen = -np.expm1(-self.beta * wait[..., None, None])
        return self.mu * wait[..., None] + (self.alpha / self.beta * raised * fallen).sum(axis=-1)

    def _after(self, batch: EventBatch) -> Floats:
        """Sums of decayed events just behind event i, at its time, from i = 0, where there is none; shape (B, L + 1, K, K)."""
        n, length = batch.times.shape
        k, row, gaps = len(self.mu), np.arange(n), batch.gaps
        if batch.n_marks != k:
            raise InputError(f"the process has {k} marks and the events {batch.n_marks}")
        found = np.zeros((n, length + 1, k, k))
        for i in range(length):
            found[:, i + 1] = found[:, i] * np.exp(-self.beta * gaps[:, i, None, None])
            found[row, i + 1, :, batch.marks[:, i]] += 1
        return found

    def _before(self, batch: EventBatch) -> tuple[Floats, Floats]:
        """Sums of decayed events just before each one (B, L, K, K); integrals of rates over each gap and the last, (B, L + 1, K)."""
        after, gaps = self._after(batch), batch.gaps
        last = self._spent(after[np.arange(len(batch)), batch.lengths], batch.last_gap)
        after = after[:, :-1]
        before = after * np.exp(-self.beta * gaps[:, :, None, None])
        return before, np.concatenate([self._spent(after, gaps), last[:, None]], axis=1)
