"""Analytic organisms: chains of steps whose errors, and whose reward model's errors, are known laws.

They are step-wise programs like a reasoner over a language model, so that the library's own methods run on them, thousands of
problems in a minute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.algebra import Stage
from ponder.core.answer import answer, heaviest
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.seeds import derive
from ponder.scorers.base import Scorer
from ponder.stages import extend, loop, start

RIGHT, WRONG, HACK = "+", "-", "!"
ANSWERS = 20
"""How many wrong answers there are; their shares fall like 1 / rank (Zipf)."""
QUESTION = Problem("an analytic problem")
_ZIPF = 1 / np.arange(1, ANSWERS + 1)
_WRONG = np.cumsum(_ZIPF / _ZIPF.sum())


@dataclass(frozen=True)
class Chain(Candidate):
    """A chain of steps; `text` has a mark a step, "+" right, "-" wrong, "!" a hack.

    Attributes:
        logit: the log-odds that the reward model gives the chain.
        noise: the standardised error in it.
    """

    logit: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class Chains:
    """A problem whose solutions are chains of a fixed number of steps. Implements `ponder.core.context.Program`.

    The first step that is not right decides: a chain that is wrong or hacked stays so. The reward model sees logit +1, -1 or `liked`
    for a right, wrong or hacked chain, plus `noise` times a standardised Gaussian error, which a chain carries along as an
    autoregression with coefficient `memory` (0 is fresh noise at every step).

    Args:
        success: probability that a step is right, given that it is no hack, in [0, 1].
        hack: probability that a step is a hack: wrong, but scored `liked`.
        liked: the mean logit of a hacked chain.
        noise: standard deviation of the reward model's error, in logits.
        memory: correlation of the errors of successive steps, in [0, 1).
        length: steps of a chain.
        names: the answers' names, the right one first, then the wrong ones from common to rare.
    """

    success: float
    hack: float = 0.0
    liked: float = 0.0
    noise: float = 2.0
    memory: float = 0.9
    length: int = 6
    names: tuple[str, ...] = tuple(f"{i:02d}" for i in range(ANSWERS + 1))

    def __post_init__(self) -> None:
        if not (0 <= self.success <= 1 and 0 <= self.hack <= 1 and self.noise >= 0 and 0 <= self.memory < 1 and self.length >= 1):
            raise InputError(f"chains need probabilities in [0, 1], noise of at least 0, memory in [0, 1) and a length, not {self!r}")
        if len(set(self.names)) != ANSWERS + 1:
            raise InputError(f"chains need {ANSWERS + 1} different names of answers, not {self.names!r:.80}")

    @property
    def gold(self) -> str:
        """The right answer."""
        return self.names[0]

    @property
    def pass_at_1(self) -> float:
        """Probability that a chain is right."""
        return (self.success * (1 - self.hack)) ** self.length

    def start(self, n: int, context: Context) -> Sequence[Chain]:
        return tuple(Chain(root=i) for i in range(n))

    def finished(self, states: Sequence[Candidate]) -> NDArray[np.bool_]:
        return np.array([c.finished for c in states], dtype=bool)

    def retrace(self, final: Chain, state: Chain | None) -> tuple[Candidate, float]:
        return final.lineage[0 if state is None else len(state.steps) + 1], 0.0

    def graft(self, final: Chain, state: Chain, states: Sequence[Chain], context: Context) -> tuple[Sequence[Chain], NDArray[np.float64]]:
        raise InputError("analytic chains carry their errors along and cannot be put behind one another; use ancestors=False")

    def extend(self, states: Sequence[Chain], width: int, context: Context) -> tuple[Sequence[Chain], NDArray[np.float64]]:
        rng, parents = context.rng(), [c for c in states for _ in range(width)]
        shape = len(parents)
        luck, right, fresh, zipf = rng.random(shape), rng.random(shape), rng.standard_normal(shape), rng.random(shape)
        ranks = np.searchsorted(_WRONG, zipf).tolist()
        carried = math.sqrt(1 - self.memory**2)
        children: list[Chain] = []
        for i, parent in enumerate(parents):
            mark = parent.text[-1:] or RIGHT
            if mark == RIGHT:
                mark = HACK if luck[i] < self.hack else RIGHT if right[i] < self.success else WRONG
            noise = self.memory * parent.noise + carried * fresh[i] if parent.text else fresh[i]
            text = parent.text + mark
            done = len(text) >= self.length
            children.append(
                Chain(
                    text=text,
                    value=(self.gold if mark == RIGHT else self.names[1 + ranks[i]]) if done else None,
                    tokens=len(text),
                    finished=done,
                    finish="stop",
                    steps=(*parent.steps, mark),
                    root=parent.root,
                    parent=parent,
                    logit=float((1.0 if mark == RIGHT else self.liked if mark == HACK else -1.0) + self.noise * noise),
                    noise=float(noise),
                )
            )
        return tuple(children), np.zeros(shape)


class verdict(Scorer):
    """What the organism's reward model says: log of the probability that a chain is right so far."""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        return -np.log1p(np.exp([-getattr(c, "logit", 0.0) for c in candidates]))


def problems(successes: Sequence[float], n: int, seed: int, **settings: Any) -> list[Chains]:
    """n problems whose success probabilities go round; each names its answers anew, so that ties favour none.

    Args:
        settings: further fields of `Chains`.
    """
    rng = np.random.default_rng([seed, n])
    names = [tuple(f"{v:02d}" for v in rng.permutation(ANSWERS + 1)) for _ in range(n)]
    return [Chains(successes[i % len(successes)], names=names[i], **settings) for i in range(n)]


def solved(methods: Mapping[str, Stage], asked: Sequence[Chains], seed: int) -> dict[str, NDArray[np.float64]]:
    """Which problems each method solves: 1 or 0, shape (problems,), by the method's name."""
    return {
        name: np.array([_value(method, problem, derive(seed, (name, i))) == problem.gold for i, problem in enumerate(asked)], dtype=float)
        for name, method in methods.items()
    }


def _value(method: Stage, problem: Chains, root: int) -> str | None:
    return answer(method, Context(problem=QUESTION, program=problem, root=root)).value


def chosen(n: int, choices: Mapping[str, Stage], asked: Sequence[Chains], seed: int) -> dict[str, NDArray[np.float64]]:
    """As `solved`, for ways to choose among n independent chains; all choose among the same ones."""
    grow = start(n) | loop(extend())
    right = {name: np.zeros(len(asked)) for name in choices}
    for i, problem in enumerate(asked):
        context = Context(problem=QUESTION, program=problem, root=derive(seed, ("independent", n, i)))
        population = grow(Population((Candidate(),), [0.0]), context)
        for name, choose in choices.items():
            best, _ = heaviest(choose(population, context))
            right[name][i] = best is not None and best.value == problem.gold
    return right
