"""A network that reads observations of a chain and answers with its rates: FIM-MJP (Berghaus et al. 2024, arXiv 2406.06419) in small.

Each path is read as what neighbouring observations say of every pair of states; attention with learned queries pools the paths; pairs of
states tell each other what they know by way of third states; a head gives the log-mean and the log-deviation of every rate, another the
first state. Unlike the paper's network (an LSTM or a transformer over each path, one vector for all rates), this one treats all states
alike: their names cannot matter to it. Times count in units of the longest path, so rates scale with time exactly.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import InputError
from ponder.prob.markov_jump.panel import Panel
from ponder.prob.markov_jump.prior import JumpTasks

SHIPPED = Path(__file__).parent / "weights" / "jump-rates.safetensors"
PACE, MANY = 20.0, 100.0
"""What gaps, as shares of the longest path, are multiplied by, and what the number of paths is divided by, before they are read."""
FEATURES = 32
"""What is read of a pair of states in one path."""


@dataclass(frozen=True)
class RateEstimate:
    """What the network says.

    Attributes:
        rates: means, shape (n, n), rows sum to 0.
        sd: standard deviations of the rates off the diagonal, which is 0; shape (n, n).
        initial: distribution of the first state, shape (n,).
        visited: states that the data show; the rates out of others are the prior's. Shape (n,).
        in_domain: whether the data look like those that the network was trained on.
    """

    rates: np.ndarray
    sd: np.ndarray
    initial: np.ndarray
    visited: np.ndarray
    in_domain: bool


@dataclass(frozen=True)
class RateNetwork:
    """The trained network, run in numpy.

    Attributes:
        tensors: weights by name, float32.
        facts: what its file says of it: the figures it was measured to have, and what it was trained on.
        command: what made it.
    """

    tensors: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]
    command: str

    @classmethod
    def load(cls, path: str | Path = SHIPPED) -> RateNetwork:
        """Read weights; by default those that ponder ships.

        Raises:
            InputError: the file is not there or not such a network.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "np") as file:
                tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
                about = file.metadata() or {}
            return cls(tensors, json.loads(about["facts"]), about["command"])
        except (OSError, SafetensorError, KeyError) as error:
            raise InputError(f"{path} holds no network for rates: {error}") from error

    @property
    def most_states(self) -> int:
        return self.facts["most_states"]

    def heads(self, times: np.ndarray, states: np.ndarray, lengths: np.ndarray, n_states: int) -> tuple[np.ndarray, ...]:
        """Log-mean and log-deviation of the rates in units of the longest path, shape (n, n) each, and logits of the first state, (n,).

        Args:
            times: since the first observation, in units of the longest path, shape (paths, m).
            states: shape (paths, m).
            lengths: observations a path, shape (paths,).
        """
        w = self.tensors
        read = pair_features(times, states, lengths, n_states)
        paths = _selu(_linear(w, "embed", read / 10))
        scores = np.einsum("pijh,qh->ijqp", _linear(w, "key", paths), w["queries"]) / np.sqrt(paths.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        pooled = np.einsum("ijqp,pijh->ijqh", shares / shares.sum(axis=-1, keepdims=True), _linear(w, "value", paths))
        about = np.broadcast_to([len(states) / MANY, n_states / 6], (n_states, n_states, 2))
        seen = np.concatenate([pooled.reshape(n_states, n_states, -1), np.log1p(read.sum(axis=0)), about], axis=-1)
        pair = _selu(_linear(w, "layers.0", seen))
        third = np.einsum("ikh,kjh->ijh", _linear(w, "left", pair), _linear(w, "right", pair)) / 6
        pair = _selu(_linear(w, "layers.1", np.concatenate([pair, third], axis=-1)))
        mean, deviation = np.moveaxis(squashed(_linear(w, "rates", pair)), -1, 0)
        return mean, deviation, np.diagonal(_linear(w, "initial", pair)[..., 0])

    def infer(self, panel: Panel) -> RateEstimate:
        """Rates of a chain from its observations.

        Paths of more observations than the network was trained on are read in pieces that share their ends, and more paths than it was
        trained on in parts, whose answers are weighed by their precision.

        Raises:
            InputError: more states than the network knows.
        """
        n, most = panel.n_states, self.facts["most_paths"]
        if n > self.most_states:
            raise InputError(f"this network knows chains of up to {self.most_states} states, not of {n}: use fit")
        times, states, lengths = _pieces(panel, self.facts["points"][1])
        longest = float(times.max())
        parts = -(-len(times) // most)
        means, precisions = [], []
        for rows in (slice(k, None, parts) for k in range(parts)):
            mean, deviation, _ = self.heads(times[rows] / longest, states[rows], lengths[rows], n)
            means.append(np.exp(mean) / longest)
            precisions.append((np.exp(deviation) / longest) ** -2)
        total = np.sum(precisions, axis=0)
        rates = np.sum(np.multiply(means, precisions), axis=0) / total
        np.fill_diagonal(rates, 0)
        np.fill_diagonal(rates, -rates.sum(axis=1))
        shown = np.bincount(panel.states[np.arange(panel.states.shape[1]) < panel.lengths[:, None]], minlength=n) > 0
        sd = np.where(np.eye(n, dtype=bool), 0.0, total**-0.5)
        begun = min(len(panel.states), most)  # the first pieces come first
        logits = self.heads(times[:begun] / longest, states[:begun], lengths[:begun], n)[2]
        initial = np.exp(logits - logits.max())
        return RateEstimate(rates, sd, initial / initial.sum(), shown, self._in_domain(rates, panel, longest, lengths))

    def _in_domain(self, rates: np.ndarray, panel: Panel, longest: float, lengths: np.ndarray) -> bool:
        """No rate above those of the prior, neither found nor seen in ten jumps or more, and no fewer observations a path than there."""
        counts = panel.counts()
        jumps, time = counts.sum(axis=0) * ~np.eye(len(rates), dtype=bool), np.einsum("gij,g->i", counts, panel.gaps)
        often = jumps >= 10
        fastest = max(float(rates.max()), float(np.max((jumps / np.maximum(time, 1e-300)[:, None])[often], initial=0.0)))
        return bool(fastest * longest <= self.facts["largest_rate"] and np.median(lengths) >= self.facts["points"][0])


@dataclass(frozen=True)
class Accuracy:
    """How far a network is from the truth on chains that are known.

    Attributes:
        rmse: root mean squared error over all rates off the diagonal, in the tasks' own units.
        guess: the same of an answer that is always the mean rate of all these chains.
        coverage: how many rates of possible jumps lie within 1.645 standard deviations (90 % of a normal distribution).
    """

    rmse: float
    guess: float
    coverage: float


def accuracy(network: RateNetwork, tasks: JumpTasks) -> Accuracy:
    """Read every task and compare."""
    off, found, sd, due = [], [], [], []
    for k in range(len(tasks)):
        said, truth = network.infer(tasks.panel(k)), tasks.truth(k)
        mask = ~np.eye(len(truth), dtype=bool)
        found.append(said.rates[mask])
        sd.append(said.sd[mask])
        due.append(truth[mask])
        off.append(truth[mask] > 0)
    f, s, d, links = (np.concatenate(x) for x in (found, sd, due, off))
    return Accuracy(float(np.sqrt(np.mean((f - d) ** 2))), float(d.std()), float(np.mean(np.abs(f - d)[links] <= 1.645 * s[links])))


def _pieces(panel: Panel, longest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times since the first observation, labels and lengths of paths cut so that none has more than `longest` observations."""
    times = np.concatenate([np.zeros((len(panel.states), 1)), np.cumsum(panel.gaps[panel.gap] * panel.inside, axis=1)], axis=1)
    cut = []
    for begin in range(0, max(1, times.shape[1] - 1), longest - 1):
        width = min(longest, times.shape[1] - begin)
        lengths = np.clip(panel.lengths - begin, 0, width)
        rows, pad = lengths > 1, ((0, 0), (0, min(longest, times.shape[1]) - width))
        window = slice(begin, begin + width)
        since = np.maximum(times[rows, window] - times[rows, begin, None], 0)
        cut.append((np.pad(since, pad), np.pad(panel.states[rows, window], pad), lengths[rows]))
    t, s, m = (np.concatenate(x) for x in zip(*cut, strict=True))
    return t, s, m


def pair_features(times: np.ndarray, states: np.ndarray, lengths: np.ndarray, size: int) -> np.ndarray:
    """What each path says of every ordered pair of states (i, j), nothing below 0.

    Of i then j, and of j then i: how often they are neighbours, the sums of the gaps between and of their squares, and how often they stand
    in i j i, i j j, i i j and i i j j, by which a jump is told from a wrong label. Of i, and of j: the sums of the first four over all
    partners, the first two with itself, whether it was first, and how often it was seen. Of the path: its length; and whether i is j.

    Args:
        times: since the first observation, in units of the longest path, shape (paths, m).
        states: shape (paths, m).
        lengths: observations a path, shape (paths,).
        size: the number of states.

    Returns:
        Shape (paths, size, size, FEATURES).
    """
    paths, m = states.shape
    inside = np.arange(m) < lengths[:, None]
    row = np.arange(paths)[:, None]
    gaps = np.diff(times, axis=1) * PACE

    def counted(first: np.ndarray, second: np.ndarray, where: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        place = (row * size + first) * size + second
        weights = None if weights is None else weights[where]
        return np.bincount(place[where], weights, paths * size * size).reshape(paths, size, size)

    same = states[:, 1:] == states[:, :-1]
    two, three, four = inside[:, 1:], inside[:, 2:], inside[:, 3:]
    a, b, c = states[:, :-1], states[:, 1:], states[:, 2:]
    pairs = [
        counted(a, b, two),
        counted(a, b, two, gaps),
        counted(a, b, two, gaps**2),
        counted(a[:, :-1], b[:, :-1], three & (a[:, :-1] == c)),
        counted(a[:, :-1], b[:, :-1], three & same[:, 1:]),
        counted(a[:, :-1], c, three & same[:, :-1]),
        counted(a[:, :-2], c[:, :-1], four & same[:, :-2] & same[:, 2:]),
    ]
    diagonal = [np.diagonal(q, axis1=1, axis2=2) for q in pairs[:2]]
    seen = np.stack([(states == i) & inside for i in range(size)], axis=1).sum(axis=2)
    alone = [*(q.sum(axis=2) for q in pairs[:4]), *diagonal, np.eye(size)[states[:, 0]], seen]
    whole = (paths, size, size)
    features = [
        *pairs,
        *(q.swapaxes(1, 2) for q in pairs),
        *(np.broadcast_to(x[:, :, None], whole) for x in alone),
        *(np.broadcast_to(x[:, None, :], whole) for x in alone),
        np.broadcast_to(lengths[:, None, None], whole),
        np.broadcast_to(np.eye(size), whole),
    ]
    return np.stack(features, axis=-1)


def squashed(x: np.ndarray) -> np.ndarray:
    """Logarithms kept within (-6, 6), smoothly."""
    return 6 * np.tanh(x / 6)


@functools.lru_cache(maxsize=1)
def shipped() -> RateNetwork:
    """The network that ponder ships, read once."""
    return RateNetwork.load()


def _linear(w: Mapping[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _selu(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
