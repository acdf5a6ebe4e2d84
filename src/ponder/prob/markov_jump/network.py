"""A network that reads observations of a chain and answers with its rates: FIM-MJP (Berghaus et al. 2024, arXiv 2406.06419) in small.

Each observation is read with its neighbours, the readings are summed along a path, attention with learned queries pools the paths, and
two heads give the log-mean and the log-deviation of every rate and the distribution of the first state. Times count in units of the longest
path, so rates scale with time exactly. The paper reads paths with an LSTM or a transformer; here neighbouring observations are enough,
for it is they that show a chain's rates.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ponder.core.errors import InputError
from ponder.prob.markov_jump.panel import Panel
from ponder.prob.markov_jump.prior import JumpTasks

SHIPPED = Path(__file__).parent / "weights" / "jump-rates.safetensors"
PACE, LONG, MANY = 20.0, 30.0, 100.0
"""Scales of what is read: gaps are multiplied by the first, sums along a path divided by the second, the number of paths by the third."""


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
    facts: Mapping[str, object]
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
        return self.tensors["initial.bias"].shape[0]

    def heads(self, times: np.ndarray, states: np.ndarray, lengths: np.ndarray, n_states: int) -> tuple[np.ndarray, ...]:
        """Log-mean and log-deviation of the rates in units of the longest path, shape (s, s) each, and logits of the first state, (s,).

        Args:
            times: since the first observation, in units of the longest path, shape (paths, m).
            states: shape (paths, m).
            lengths: observations a path, shape (paths,).
        """
        w, size = self.tensors, self.most_states
        path = _selu(neighbours(times, states, lengths, size) @ w["path.weight"].T + w["path.bias"])
        scores = w["queries"] @ (path @ w["key.weight"].T).T / np.sqrt(path.shape[1])
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        pooled = (shares / shares.sum(axis=1, keepdims=True)) @ (path @ w["value.weight"].T)
        read = np.concatenate([pooled.ravel(), [len(states) / MANY], np.eye(size - 1)[n_states - 2]])
        mean, deviation = _perceptron(w, read, ("layers.0", "layers.1", "rates")).reshape(2, size, size)
        return squashed(mean), squashed(deviation), _perceptron(w, read, ("layers.2", "layers.3", "initial"))

    def infer(self, panel: Panel) -> RateEstimate:
        """Rates of a chain from its observations.

        Paths of more observations than the network was trained on are read in pieces that share their ends, and more paths than it was
        trained on in parts, whose answers are weighed by their precision.

        Raises:
            InputError: more states than the network knows.
        """
        n, most = panel.n_states, int(str(self.facts["most_paths"]))
        if n > self.most_states:
            raise InputError(f"this network knows chains of up to {self.most_states} states, not of {n}: use fit")
        _, piece = self.facts["points"]  # pyright: ignore[reportGeneralTypeIssues]
        times, states, lengths = _pieces(panel, int(piece))
        longest = float(times.max())
        parts = -(-len(times) // most)
        means, precisions = [], []
        for rows in (slice(k, None, parts) for k in range(parts)):
            mean, deviation, _ = self.heads(times[rows] / longest, states[rows], lengths[rows], n)
            means.append(np.exp(mean[:n, :n]) / longest)
            precisions.append((np.exp(deviation[:n, :n]) / longest) ** -2)
        total = np.sum(precisions, axis=0)
        rates = np.sum(np.multiply(means, precisions), axis=0) / total
        np.fill_diagonal(rates, 0)
        np.fill_diagonal(rates, -rates.sum(axis=1))
        shown = np.bincount(panel.states[np.arange(panel.states.shape[1]) < panel.lengths[:, None]], minlength=n) > 0
        sd = np.where(np.eye(n, dtype=bool), 0.0, total**-0.5)
        begun = min(len(panel.states), most)  # the first pieces come first
        logits = self.heads(times[:begun] / longest, states[:begun], lengths[:begun], n)[2][:n]
        initial = np.exp(logits - logits.max())
        return RateEstimate(rates, sd, initial / initial.sum(), shown, self._in_domain(rates * longest, lengths))

    def _in_domain(self, scaled: np.ndarray, lengths: np.ndarray) -> bool:
        """No rate above those of the prior, and no fewer observations a path than it was trained on."""
        fewest, _ = self.facts["points"]  # pyright: ignore[reportGeneralTypeIssues]
        return bool(scaled.max() <= float(str(self.facts["largest_rate"])) and np.median(lengths) >= fewest)


@dataclass(frozen=True)
class Accuracy:
    """How far a network is from the truth on chains that are known.

    Attributes:
        rmse: root mean squared error over all rates off the diagonal, in the tasks' own units.
        guess: the same of the mean rate of these chains, told to nobody.
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


def neighbours(times: np.ndarray, states: np.ndarray, lengths: np.ndarray, size: int) -> np.ndarray:
    """How often each label stands between each two others along a path, and the sums of the gaps behind it and of their squares.

    Args:
        times: since the first observation, in units of the longest path, shape (paths, m).
        states: shape (paths, m).
        lengths: observations a path, shape (paths,).
        size: the most states; beyond an end of a path there is one label more.

    Returns:
        Shape (paths, 3 (size + 1)^3).
    """
    paths, m = states.shape
    inside = np.arange(m) < lengths[:, None]
    labels = np.where(inside, states, size)
    end = np.full((paths, 1), size)
    left, right = np.concatenate([end, labels[:, :-1]], axis=1), np.concatenate([labels[:, 1:], end], axis=1)
    gaps = np.where(right < size, np.diff(times, axis=1, append=0.0), 0.0) * PACE
    kinds = (size + 1) ** 3
    place = (left * (size + 1) + labels) * (size + 1) + right + np.arange(paths)[:, None] * kinds
    sums = [np.bincount(place[inside], weights, paths * kinds) for weights in (None, gaps[inside], gaps[inside] ** 2)]
    return np.concatenate([s.reshape(paths, kinds) for s in sums], axis=1) / LONG


def squashed(x: np.ndarray) -> np.ndarray:
    """Logarithms kept within (-6, 6), smoothly."""
    return 6 * np.tanh(x / 6)


@functools.lru_cache(maxsize=1)
def shipped() -> RateNetwork:
    """The network that ponder ships, read once."""
    return RateNetwork.load()


def _perceptron(w: Mapping[str, np.ndarray], x: np.ndarray, layers: tuple[str, ...]) -> np.ndarray:
    """Linear layers with SELUs between (Klambauer et al. 2017)."""
    for i, name in enumerate(layers):
        x = w[f"{name}.weight"] @ (_selu(x) if i else x) + w[f"{name}.bias"]
    return x


def _selu(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
