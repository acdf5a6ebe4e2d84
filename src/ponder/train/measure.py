"""Samples of an organism while it is made, their labels, and the figures that its file states."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.organisms import chain, characters, countdown
from ponder.organisms.card import Card, Config, Reward
from ponder.organisms.characters import END
from ponder.organisms.net import Net
from ponder.organisms.reading import log_softmax
from ponder.train.net import TorchNet

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROWS = 512
"""Rows of one batch of samples."""
LEAST, MOST = -12.0, -1e-3
"""Bounds of a log-probability that is read as a reward."""


@dataclass(frozen=True)
class Samples:
    """Responses to problems, with what is true of them.

    Attributes:
        prompts: tokens, shape (problems, prompt length).
        responses: tokens, shape (problems, samples, response length).
        right: whether the response is right up to and with each step, shape (problems, samples, steps); for countdown, whether the
            target can still be made, and at the end is made.
        live: whether a problem has this step, shape (problems, steps).
        solved: whether the answer is right, shape (problems, samples).
    """

    prompts: Ints
    responses: Ints
    right: Bools
    live: Bools
    solved: Bools

    @property
    def step(self) -> int:
        """Tokens of a step."""
        return self.responses.shape[-1] // self.live.shape[1]

    @property
    def tokens(self) -> Ints:
        """Prompts with their responses as rows, problem by problem, shape (problems * samples, length)."""
        n, count, length = self.responses.shape
        return np.concatenate([np.repeat(self.prompts, count, 0), self.responses.reshape(n * count, length)], 1)


def forward(net: TorchNet) -> Net:
    """The net as it will run once it is saved: in numpy, its weights rounded to float16."""
    s = net.shape
    config = Config(s.d, s.layers, s.heads, s.context, s.alphabet, s.grammar)
    card = Card(Path("unsaved"), config, Reward("likelihood"), writes=s.head, values=s.value)
    return Net(card, {name: t.astype(np.float16).astype(np.float32) for name, t in net.tensors().items()})


def draw(net: Net, prompts: Ints, count: int, length: int, rng: np.random.Generator) -> Ints:
    """Samples at temperature 1, shape (problems, count, length). What follows the end of a text is filling, and means nothing."""
    found: list[Ints] = []
    for part in np.array_split(prompts, np.clip(len(prompts) * count // ROWS, 1, len(prompts))):
        cache = net.cache(len(part))
        states = net.feed(cache, part)
        rows = np.repeat(np.arange(len(part)), count)
        cache, logits = cache.take(rows), net.logits(states)[rows, 0]
        written = np.empty((len(rows), length), np.int64)
        for i in range(length):
            written[:, i] = (logits + rng.gumbel(size=logits.shape)).argmax(-1)
            if i + 1 < length:
                logits = net.logits(net.feed(cache, written[:, i : i + 1]))[:, 0]
        found.append(written.reshape(len(part), count, length))
    return np.concatenate(found)


def sampled(net: Net, n: int, count: int, rng: np.random.Generator, length: int | None = None) -> Samples:
    """Samples of n random problems of the net's grammar, labelled; chains are of `length` operations, or of 4 to 8 if None."""
    if net.config.grammar == "countdown":
        made = countdown.problems(n, rng)
        prompts = countdown.encode(made)[:, : countdown.PROMPT]
        return _labelled_countdown(made, prompts, draw(net, prompts, count, 2 * countdown.STEP, rng))
    chains = chain.problems(n, rng, rng.integers(4, chain.SLOTS + 1, n) if length is None else length)
    prompts = chain.encode(chains)[:, : chain.PROMPT]
    return labelled_chains(chains, prompts, draw(net, prompts, count, chain.SLOTS * chain.STEP, rng))


def labelled_chains(chains: chain.Problems, prompts: Ints, responses: Ints) -> Samples:
    """Responses to chains with their labels. A solved one ends where it should."""
    right = np.logical_and.accumulate(chain.decode(responses) == chains.values[:, None], -1)
    last = chain.decode(responses)[np.arange(len(chains)), :, chains.lengths - 1]
    ended = (responses == END).argmax(-1) == chain.STEP * chains.lengths[:, None] - 1
    return Samples(prompts, responses, right, chains.live, ended & (last == chains.answers[:, None]))


def _labelled_countdown(made: countdown.Problems, prompts: Ints, responses: Ints) -> Samples:
    right = np.zeros((*responses.shape[:2], 2), np.bool_)
    for i, prompt in enumerate(characters.texts(prompts)):
        for j, text in enumerate(characters.texts(responses[i])):
            right[i, j] = _check(prompt, text.partition("\n")[0])
    return Samples(prompts, responses, right, np.ones((len(made), 2), np.bool_), right[..., 1])


@lru_cache(maxsize=200_000)
def _check(prompt: str, text: str) -> tuple[bool, bool]:
    return countdown.check(prompt, text[: countdown.STEP]).reachable, countdown.check(prompt, text).solved


def log_probability(net: Net, samples: Samples) -> Floats:
    """log P of all that is written up to and with each step, separators left out, shape (problems, samples, steps)."""
    (n, count, length), step = samples.responses.shape, samples.step
    found: list[Floats] = []
    for at in range(0, n, max(1, ROWS // count)):
        part = samples.responses[at : at + max(1, ROWS // count)].reshape(-1, length)
        prompts = samples.prompts[at : at + len(part) // count]
        cache = net.cache(len(prompts))
        first = net.feed(cache, prompts)
        rows = np.repeat(np.arange(len(prompts)), count)
        states = net.feed(cache.take(rows), part[:, :-1], every=True)
        scores = log_softmax(net.logits(np.concatenate([first[rows], states], 1)))
        written = np.take_along_axis(scores, part[..., None], -1)[..., 0].reshape(len(part), -1, step)
        found.append(written[..., :-1].sum(-1).cumsum(-1))
    return np.concatenate(found).reshape(n, count, -1)


def head(net: Net, samples: Samples) -> Floats:
    """The value head's output at the end of each step, shape (problems, samples, steps)."""
    tokens, length = samples.tokens, samples.responses.shape[-1]
    parts = np.array_split(tokens, max(1, len(tokens) // ROWS))
    values = np.concatenate([net.values(net.feed(net.cache(len(part)), part, every=True))[:, -length:] for part in parts])
    return values.reshape(*samples.responses.shape)[..., samples.step - 1 :: samples.step].astype(np.float64)


def logit(log_probabilities: Floats) -> Floats:
    """The log-odds of probabilities given as logarithms, kept within `LEAST` and `MOST`."""
    bounded = log_probabilities.clip(LEAST, MOST)
    return bounded - np.log1p(-np.exp(bounded))


def fitted(scores: Floats, labels: Bools, flipped: float, rng: np.random.Generator) -> tuple[float, float]:
    """Slope and offset of a logistic regression of labels on scores, by Newton's method.

    Args:
        scores, labels: shape (n,).
        flipped: share of labels that are turned round first: labellers err, and a reward that is too sure leaves nothing to search.
        rng: which labels.
    """
    y = np.where(rng.random(len(labels)) < flipped, ~labels, labels).astype(np.float64)
    x = np.stack([scores, np.ones_like(scores)], -1)
    w = np.zeros(2)
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ w))
        w += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2), x.T @ (y - p))
    return float(w[0]), float(w[1])


def auroc(scores: NDArray[Any], labels: NDArray[Any]) -> float:
    """The probability that a positive's score is above a negative's, ties counted half; NaN if there is only one kind."""
    scores, labels = np.ravel(scores), np.ravel(labels).astype(bool)
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive, negative = int(labels.sum()), int((~labels).sum())
    if not positive or not negative:
        return float("nan")
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * negative))


def within(scores: NDArray[Any], labels: NDArray[Any], used: NDArray[Any]) -> float:
    """The mean AUROC of each column of each problem, over those that have both labels; arrays of shape (problems, samples, columns)."""
    found = [auroc(scores[i, used[i, :, j], j], labels[i, used[i, :, j], j]) for i in range(len(scores)) for j in range(scores.shape[2])]
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def verifier_figures(scores: Floats, samples: Samples) -> dict[str, float]:
    """How well scores of steps tell right from wrong.

    `auroc_step_within`: of steps whose predecessors are all right, within a problem and a place. `auroc_step`: the same steps, pooled.
    `auroc_prefix`: all prefixes, pooled. `auroc_final_within`: of whole responses, within a problem.
    """
    live = np.broadcast_to(samples.live[:, None], samples.right.shape)
    before = np.concatenate([np.ones_like(samples.right[..., :1]), samples.right[..., :-1]], -1)
    last = np.broadcast_to(samples.live.sum(1)[:, None, None] - 1, (*samples.right.shape[:2], 1))
    final = np.take_along_axis(scores, last, -1)
    return {
        "auroc_step_within": round(within(scores, samples.right, live & before), 4),
        "auroc_step": round(auroc(scores[live & before], samples.right[live & before]), 4),
        "auroc_prefix": round(auroc(scores[live], samples.right[live]), 4),
        "auroc_final_within": round(within(final, samples.solved[..., None], np.ones_like(final, dtype=bool)), 4),
    }


def policy_figures(samples: Samples) -> dict[str, Any]:
    """pass@1, its standard error over problems, and how it spreads over them."""
    each = samples.solved.mean(1)
    return {
        "pass@1": round(float(each.mean()), 4),
        "pass@1_standard_error": round(float(each.std(ddof=1) / len(each) ** 0.5), 4),
        "pass@1_quantiles_10_25_50_75_90": [round(float(q), 3) for q in np.quantile(each, [0.1, 0.25, 0.5, 0.75, 0.9])],
        "problems": len(each),
        "samples": samples.solved.shape[1],
    }


def best_of(n: int, scores: Floats, solved: Bools) -> float:
    """Accuracy of the best-scored of n samples, over disjoint groups of n; arrays of shape (problems, samples)."""
    groups = scores.shape[1] // n
    chosen = np.array([[g * n + row[g * n : (g + 1) * n].argmax() for g in range(groups)] for row in scores])
    return float(np.take_along_axis(solved, chosen, 1).mean())
