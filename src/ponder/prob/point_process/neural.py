"""Neural marked point processes with closed-form densities (Shchur et al. 2020; Waghmare et al. 2022). Needs the extra `torch`."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need
from ponder.prob.point_process.events import EventBatch, LogProb
from ponder.prob.point_process.mixtures import LogNormalMixture

torch: Any = need("torch", "torch")
Dependence = Literal["time_given_mark", "independent", "mark_given_time"]
TINY = 1e-8


class MarkedTPP(torch.nn.Module):
    """A recurrent network reads the past; given its state h, the next wait and mark have one of three joint densities.

    `time_given_mark`: p(k | h) f(tau | k, h), a log-normal mixture a mark (Waghmare et al. 2022). `independent`: p(k | h) f(tau | h), as in
    Shchur et al. 2020. `mark_given_time`: f(tau | h) p(k | tau, h).

    Args:
        n_marks: how many marks there are.
        components: of each log-normal mixture.
        hidden: size of the recurrent state.
        mark_dim: size of the embedding of marks.
        dependence: which of the three.
        seed: of the initial weights.

    Raises:
        InputError: a size below 1 or an unknown dependence.
    """

    def __init__(
        self,
        n_marks: int,
        components: int = 8,
        hidden: int = 64,
        mark_dim: int = 32,
        dependence: Dependence = "time_given_mark",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if min(n_marks, components, hidden, mark_dim) < 1:
            raise InputError(f"sizes are at least 1, not {(n_marks, components, hidden, mark_dim)}")
        if dependence not in ("time_given_mark", "independent", "mark_given_time"):
            raise InputError(f"dependence is 'time_given_mark', 'independent' or 'mark_given_time', not {dependence!r}")
        self.n_marks, self.components, self.dependence = n_marks, components, dependence
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embedding = torch.nn.Embedding(n_marks, mark_dim)
            self.recurrent = torch.nn.GRU(1 + mark_dim, hidden, batch_first=True)
            self.first = torch.nn.Parameter(torch.zeros(hidden))
            self.times = torch.nn.Linear(hidden, 3 * components * (n_marks if dependence == "time_given_mark" else 1))
            later = dependence == "mark_given_time"
            self.marks = _mark_head(hidden + 1, hidden, n_marks) if later else torch.nn.Linear(hidden, n_marks)
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def standardise(self, batch: EventBatch) -> None:
        """Take the mean and deviation of log waits from training data.

        Raises:
            InputError: fewer than 2 events.
        """
        logs = np.log(batch.gaps[batch.inside])
        if len(logs) < 2:
            raise InputError(f"nothing can be learned from {len(logs)} events: give sequences that hold at least 2")
        self.centre.fill_(float(logs.mean()))
        self.spread.fill_(max(float(logs.std()), 1e-3))

    def contexts(self, batch: EventBatch) -> Any:
        """States before each event, and behind the last, shape (B, L + 1, hidden); state i has read events before i."""
        if batch.n_marks != self.n_marks:
            raise InputError(f"the model has {self.n_marks} marks and the events {batch.n_marks}")
        first = self.first.expand(len(batch), 1, -1)
        if not batch.times.shape[1]:
            return first
        read = self.recurrent(self._features(self._tensor(batch.gaps), torch.as_tensor(batch.marks)), first[:, 0][None].contiguous())[0]
        return torch.cat([first, read], dim=1)

    def waits(self, h: Any) -> LogNormalMixture:
        """Mixtures for states (..., hidden), with an axis of marks, or of 1, before that of components."""
        mixtures = self.times.out_features // (3 * self.components)
        raw = self.times(h).reshape(*h.shape[:-1], mixtures, 3, self.components)
        shares, means, log_sds = raw.unbind(-2)
        # Clamped, but the gradient passes, so that a component can come back.
        log_sds = log_sds + (log_sds.clamp(-5, 3) - log_sds).detach()
        return LogNormalMixture(shares.log_softmax(-1), means, log_sds, self.centre, self.spread)

    def log_joint(self, h: Any, tau: Any) -> tuple[Any, Any]:
        """log f(tau, k | h) and log P(wait > tau | h) for states (..., hidden) and waits (...): shapes (..., K) and (...)."""
        waits = self.waits(h)
        wide = tau[..., None].expand(*tau.shape, waits.means.shape[-2])
        if self.dependence == "mark_given_time":
            z = (tau.log() - self.centre) / self.spread
            marks = self._marks_at(h, z)
            return marks + waits.log_prob(wide), waits.log_survival(wide)[..., 0]
        marks = self.marks(h).log_softmax(-1)
        survival = waits.log_survival(wide)
        if self.dependence == "time_given_mark":
            return marks + waits.log_prob(wide), (marks + survival).logsumexp(-1)
        return marks + waits.log_prob(wide), survival[..., 0]

    def forward(self, batch: EventBatch) -> tuple[Any, Any, Any]:
        """Of each sequence: log-density of the gaps, of the marks given them, and of the empty end; tensors of shape (B,)."""
        h = self.contexts(batch)
        joint, _ = self.log_joint(h[:, :-1], self._tensor(batch.gaps))
        inside, time = torch.as_tensor(batch.inside), joint.logsumexp(-1)
        mark = joint.gather(-1, torch.as_tensor(batch.marks)[..., None])[..., 0] - time
        end = h[torch.arange(len(batch)), torch.as_tensor(batch.lengths)]
        survival = self.log_joint(end, self._tensor(batch.last_gap).clamp_min(TINY))[1]
        return (time * inside).sum(1), (mark * inside).sum(1), survival

    @torch.no_grad()
    def log_prob(self, batch: EventBatch) -> LogProb:
        """Log-density of each sequence in nats, in the unit of time of the data."""
        return LogProb(*(_numbers(part) for part in self(batch)))

    @torch.no_grad()
    def mark_given_time(self, batch: EventBatch) -> NDArray[np.float64]:
        """p(mark | past, time of the event) for each event, shape (B, L, K)."""
        return _numbers(self.log_joint(self.contexts(batch)[:, :-1], self._tensor(batch.gaps))[0].softmax(-1))

    @torch.no_grad()
    def mark_given_history(self, batch: EventBatch) -> NDArray[np.float64]:
        """p(mark | past) for each event, its time unknown, shape (B, L, K)."""
        return _numbers(self._marks(self.contexts(batch)[:, :-1]))

    @torch.no_grad()
    def intensity(self, sequence: EventBatch, times: ArrayLike) -> NDArray[np.float64]:
        """Rates of each mark just before given times, f(tau, k) / P(wait > tau), for a batch of one sequence; shape (T, K)."""
        count, since = sequence.before(times)
        joint, survival = self.log_joint(self.contexts(sequence)[0, torch.as_tensor(count)], self._tensor(since).clamp_min(TINY))
        return _numbers((joint - survival[:, None]).exp())

    @torch.no_grad()
    def predict_next(self, history: EventBatch, levels: ArrayLike = (0.1, 0.5, 0.9)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The next event of each sequence, counted from its last one.

        Returns:
            Probabilities of marks, shape (B, K), and quantiles of the wait, shape (B, levels).

        Raises:
            InputError: a level outside (0, 1).
        """
        level = torch.as_tensor(np.atleast_1d(np.asarray(levels, dtype=np.float32)))
        if not bool(((level > 0) & (level < 1)).all()):
            raise InputError(f"levels of quantiles lie between 0 and 1, not {levels}")
        h = self.contexts(history)[torch.arange(len(history)), torch.as_tensor(history.lengths)]
        low = torch.full((len(h), len(level)), -20.0) * self.spread + self.centre
        high = low + 40 * self.spread
        for _ in range(60):  # bisection in log time
            middle = (low + high) / 2
            below = self.log_joint(h[:, None].expand(-1, len(level), -1), middle.exp())[1].exp() > 1 - level
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return _numbers(self._marks(h)), _numbers(high.exp())

    @torch.no_grad()
    def sample(self, t_end: float, n: int, seed: int = 0) -> EventBatch:
        """n sequences from an empty past to t_end.

        Raises:
            InputError: no sequence, or an end that is not above 0.
        """
        if n < 1 or not 0 < t_end < np.inf:
            raise InputError(f"sampling needs n >= 1 and an end above 0, not {n} and {t_end}")
        generator = torch.Generator().manual_seed(seed)
        h, now = self.first.expand(n, -1), torch.zeros(n)
        times, marks = [], []
        while bool((now <= t_end).any()):
            tau, mark = self._next(h, generator)
            now = now + tau
            times.append(now)
            marks.append(mark)
            h = self.recurrent(self._features(tau[:, None], mark[:, None]), h[None].contiguous())[1][0]
        when, what = torch.stack(times, 1).double().numpy(), torch.stack(marks, 1).numpy()
        inside = when <= t_end
        lengths = inside.sum(axis=1)
        when, what = np.where(inside, when, t_end)[:, : lengths.max()], np.where(inside, what, 0)[:, : lengths.max()]
        return EventBatch(when, what, lengths, np.full(n, float(t_end)), self.n_marks)

    def _next(self, h: Any, generator: Any) -> tuple[Any, Any]:
        def drawn(log_p: Any) -> Any:
            return torch.multinomial(log_p.exp(), 1, generator=generator)[:, 0]

        waits = self.waits(h)
        if self.dependence == "time_given_mark":
            mark = drawn(self.marks(h).log_softmax(-1))
            return waits.at(mark).sample(generator), mark
        tau = waits.sample(generator)[..., 0]
        if self.dependence == "independent":
            return tau, drawn(self.marks(h).log_softmax(-1))
        return tau, drawn(self._marks_at(h, (tau.log() - self.centre) / self.spread))

    def _marks_at(self, h: Any, z: Any) -> Any:
        return self.marks(torch.cat([h, z[..., None]], dim=-1)).log_softmax(-1)

    def _marks(self, h: Any) -> Any:
        """p(k | h), the wait unknown; where marks depend on it, by 16 Gauss-Hermite nodes a component."""
        if self.dependence != "mark_given_time":
            return self.marks(h).softmax(-1)
        waits, (x, w) = self.waits(h), np.polynomial.hermite_e.hermegauss(16)
        nodes = waits.means[..., 0, :, None] + waits.log_sds.exp()[..., 0, :, None] * self._tensor(x)
        p = self._marks_at(h[..., None, None, :].expand(*nodes.shape, -1), nodes).exp()
        return torch.einsum("...cnk,...c,n->...k", p, waits.log_shares.exp()[..., 0, :], self._tensor(w / w.sum()))

    def _features(self, tau: Any, marks: Any) -> Any:
        z = ((tau + TINY).log() - self.centre) / self.spread
        return torch.cat([z[..., None], self.embedding(marks)], dim=-1)

    def _tensor(self, values: ArrayLike) -> Any:
        return torch.as_tensor(np.asarray(values), dtype=self.centre.dtype)


def _mark_head(inputs: int, hidden: int, marks: int) -> Any:
    return torch.nn.Sequential(torch.nn.Linear(inputs, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, marks))


def _numbers(tensor: Any) -> NDArray[np.float64]:
    return tensor.double().numpy()
