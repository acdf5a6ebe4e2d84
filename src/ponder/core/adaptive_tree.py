"""Adaptive branching: whether the next answer is a new one or a revision of one there is, by Thompson sampling (AB-MCTS-A, Inoue et al.
2025, arXiv 2503.04412, section 3).

Asking and telling are functions of a state that never changes in place. Telling results in any order gives the same state, so many
can be asked for at once and told as they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ponder.core.errors import InputError

POSTERIORS = ("normal", "beta")
ROOT = -1
"""The node of the question, which every first answer is a child of."""


@dataclass(frozen=True)
class Trial:
    """An answer that is asked for.

    Attributes:
        id: counted from 0 in the order of asking.
        parent: the id of the answer it revises; `ROOT` for a new one.
        action: who makes it, a place in the state's actions.
    """

    id: int
    parent: int
    action: int


@dataclass(frozen=True)
class Adaptive:
    """What was asked for and told so far.

    Attributes:
        actions: how many there are to choose among for each answer.
        posterior: a name in `POSTERIORS`.
        trials: in the order of asking.
        scores: trial id -> its score in [0, 1], in order of id.
    """

    actions: int = 1
    posterior: str = "normal"
    trials: tuple[Trial, ...] = ()
    scores: Mapping[int, float] = field(default_factory=dict[int, float])

    def __post_init__(self) -> None:
        if self.actions < 1 or self.posterior not in POSTERIORS:
            raise InputError(
                f"adaptive branching needs at least 1 action and a posterior among {', '.join(POSTERIORS)}, not {self.actions} and "
                f"{self.posterior!r}"
            )


def ask(state: Adaptive, n: int, rng: np.random.Generator) -> tuple[Adaptive, tuple[Trial, ...]]:
    """The next n answers to make, and the state that remembers them. Answers that were not told yet neither count nor are revised."""
    tree = _Tree(state)
    found: list[Trial] = []
    for i in range(n):
        parent, action = tree.descend(rng)
        found.append(Trial(len(state.trials) + i, parent, action))
    return replace(state, trials=(*state.trials, *found)), tuple(found)


def tell(state: Adaptive, trial: int, score: float) -> Adaptive:
    """The state that knows a trial's score. Telling the same again changes nothing.

    Raises:
        InputError: a trial that was not asked for, a score outside [0, 1], or another score for the same trial.
    """
    if not 0 <= trial < len(state.trials):
        raise InputError(f"no trial {trial!r} was asked for; there are {len(state.trials)}")
    if not 0 <= score <= 1:
        raise InputError(f"a score lies in [0, 1], not {score!r}")
    if state.scores.get(trial, score) != score:
        raise InputError(f"trial {trial} was told {state.scores[trial]!r} before, and now {score!r}")
    return replace(state, scores=dict(sorted({**state.scores, trial: score}.items())))


class _Tree:
    """Scores by what they speak for: at each node, each action's new answers; and all that lies at or below the node."""

    def __init__(self, state: Adaptive) -> None:
        self.state = state
        self.children: dict[int, list[int]] = {}
        self.made: dict[tuple[int, int], list[float]] = {}
        self.below: dict[int, list[float]] = {}
        for trial in state.trials:
            score = state.scores.get(trial.id)
            if score is None:
                continue
            self.children.setdefault(trial.parent, []).append(trial.id)
            self.made.setdefault((trial.parent, trial.action), []).append(score)
            node = trial.id
            while node != ROOT:
                self.below.setdefault(node, []).append(score)
                node = state.trials[node].parent

    def descend(self, rng: np.random.Generator) -> tuple[int, int]:
        """From the question down: a draw for each action and, where there are answers to go on with, one for going on with what lies below;
        the largest decides. What goes on chooses its child by a draw for each."""
        node = ROOT
        while True:
            wider = [self._draw(self.made.get((node, action), ()), rng) for action in range(self.state.actions)]
            children = self.children.get(node, [])
            on = [score for child in children for score in self.below[child]]
            if not children or max(wider) >= self._draw(on, rng):
                return node, int(np.argmax(wider))
            node = children[int(np.argmax([self._draw(self.below[child], rng) for child in children]))]

    def _draw(self, scores: Sequence[float], rng: np.random.Generator) -> float:
        return normal_draw(scores, rng) if self.state.posterior == "normal" else beta_draw(scores, rng)


def normal_posterior(scores: Sequence[float]) -> tuple[float, float, float, float]:
    """Mean, strength of the mean, degrees of freedom and scale of the variance (m, kappa, nu, tau^2) of the normal-inverse-chi-square
    posterior after scores, from the prior (1/2, 1, 1, 1/10)."""
    m, kappa, nu, scale = 0.5, 1.0, 1.0, 0.1
    n = len(scores)
    if not n:
        return m, kappa, nu, scale
    mean = float(np.mean(scores))
    squares = float(np.sum((np.asarray(scores) - mean) ** 2))
    spread = nu * scale + squares + kappa * n / (kappa + n) * (mean - m) ** 2
    return (kappa * m + n * mean) / (kappa + n), kappa + n, nu + n, spread / (nu + n)


def normal_draw(scores: Sequence[float], rng: np.random.Generator) -> float:
    """A draw of the next score, normal with unknown mean and variance: Student's t of the posterior predictive."""
    m, kappa, nu, scale = normal_posterior(scores)
    return m + float(rng.standard_t(nu)) * (scale * (1 + 1 / kappa)) ** 0.5


def beta_draw(scores: Sequence[float], rng: np.random.Generator) -> float:
    """A draw of the mean of scores in [0, 1], each counted as that share of a success: Beta(1/2 + sum, 1/2 + n - sum)."""
    total = float(np.sum(scores)) if len(scores) else 0.0
    return float(rng.beta(0.5 + total, 0.5 + len(scores) - total))
