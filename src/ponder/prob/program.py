"""Probabilistic programs as Python functions, run step by step by replaying what they drew."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.prob.distributions import Distribution
from ponder.prob.errors import InfiniteSupportError, NotPure, TraceMismatchError
from ponder.prob.exact import Enumerator, LogFraction, Uniform, rational

Model = Callable[["Sites"], Any]


class _Suspended(BaseException):
    """A program has passed as many scores as it was asked to."""


@dataclass(frozen=True)
class Trace:
    """One run of a program, to its end or to just behind a score.

    Attributes:
        draws: the base draws, uniform on [0, 1), in order.
        values: what `sample` made of them, in order.
        inner: results of inner algorithms (`Sites.inner`), in order; not among the draws that kernels propose.
        scores: log-weights in order.
        finished: whether it ran to its end.
        value: what it returned.
    """

    draws: tuple[Any, ...] = ()
    values: tuple[Any, ...] = ()
    inner: tuple[Any, ...] = ()
    scores: tuple[Any, ...] = ()
    finished: bool = False
    value: Any = None

    @property
    def log_weight(self) -> Any:
        """The log-density with respect to the base draws: the sum of the scores."""
        return sum_of(self.scores)


def sum_of(scores: Sequence[Any]) -> Any:
    """The sum of log-weights: a float, or a LogFraction where they are."""
    if scores and isinstance(scores[0], LogFraction):
        return LogFraction(math.prod(s.of for s in scores))
    return math.fsum(scores)


class Sites:
    """What a model is given: its only source of randomness, and where it scores."""

    def __init__(self, name: str, rng: Any, past: Trace, stop: float) -> None:
        self._name, self._rng, self._past, self._stop = name, rng, past, stop
        self.exact = isinstance(rng, Enumerator)
        self.draws, self.values, self.noted, self.scores = list[Any](), list[Any](), list[Any](), list[Any]()

    def _draw(self) -> Any:
        at = len(self.draws)
        self.draws.append(self._past.draws[at] if at < len(self._past.draws) else self._rng.random())
        return self.draws[-1]

    def random(self) -> Any:
        """A base draw, uniform on [0, 1); under enumeration the middle of one of its K cells.

        Raises:
            InfiniteSupportError: under enumeration without a finite base.
        """
        u = self._draw()
        if isinstance(u, Uniform):
            if self._rng.base is None:
                raise InfiniteSupportError(f"{self._name}: random() is continuous; enumerate it over a finite base (base=K)")
            u = u.cell(self._rng.base)
        self.values.append(u)
        return u

    def sample(self, distribution: Distribution) -> Any:
        """A draw from a distribution: its quantile at a base draw."""
        value = distribution.quantile(self._draw())
        self.values.append(value)
        return value

    def observe(self, distribution: Distribution, value: Any) -> None:
        """Condition on having seen `value`."""
        self.factor(distribution.log_prob(value, self.exact))

    def score(self, weight: Any) -> None:
        """Multiply the run's weight by a number >= 0. A Fraction stays exact under enumeration."""
        if not weight >= 0:
            raise InputError(f"{self._name}: score site {len(self.scores) + 1} gave the weight {weight}; a weight is at least 0")
        self.factor(LogFraction(rational(weight)) if self.exact else (math.log(weight) if weight else -math.inf))

    def factor(self, log_weight: Any) -> None:
        """Multiply the run's weight by exp(log_weight); -inf rules the run out. The program is suspended right behind it."""
        if not isinstance(log_weight, LogFraction):
            if not log_weight < math.inf:
                raise InputError(f"{self._name}: score site {len(self.scores) + 1} gave the log-weight {log_weight}; it must be below +inf")
            if self.exact:
                log_weight = LogFraction(0 if log_weight == -math.inf else math.exp(log_weight))
        at = len(self.scores)
        if at < len(self._past.scores) and log_weight != self._past.scores[at]:
            raise NotPure(f"{self._name}: score site {at + 1} gave {log_weight} and before {self._past.scores[at]}, from the same draws")
        self.scores.append(log_weight)
        if at + 1 == len(self._past.scores) and len(self.draws) != len(self._past.draws):
            raise TraceMismatchError(f"{self._name} made {len(self.draws)} draws up to score {at + 1}, and before {len(self._past.draws)}")
        if len(self.scores) >= self._stop:
            raise _Suspended

    def inner(self, run: Callable[[Any], Any]) -> Any:
        """The result of an inner algorithm `run(rng)`: kept while this run goes on, made anew for every proposal of a kernel."""
        at = len(self.noted)
        self.noted.append(self._past.inner[at] if at < len(self._past.inner) else run(self._rng))
        return self.noted[-1]


class Program:
    """A model as a program that can be started and extended. Implements `ponder.core.context.Program`; states are `Trace`s.

    One extension runs a trace from behind one score to behind the next, or to the end, by replaying its draws (cost: its length).

    Args:
        model: a function of `Sites` that is random only through it.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.name = model, getattr(model, "__name__", "the model")

    def run(self, rng: Any, past: Trace = Trace(), stop: float = math.inf) -> Trace:
        """Run to the end, or to just behind score `stop`, reading the draws and the scores of `past` first."""
        sites = Sites(self.name, rng, past, stop)
        try:
            value, finished = self.model(sites), True
        except _Suspended:
            value, finished = None, False
        if len(sites.scores) < len(past.scores):
            raise TraceMismatchError(f"{self.name} ended after {len(sites.scores)} scores where it had passed {len(past.scores)}")
        return Trace(tuple(sites.draws), tuple(sites.values), tuple(sites.noted), tuple(sites.scores), finished, value)

    def start(self, n: int, context: Context) -> Sequence[Trace]:
        return (Trace(),) * n

    def finished(self, states: Sequence[Trace]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.array([t.finished for t in states], dtype=bool)

    def extend(self, states: Sequence[Trace], width: int, context: Context) -> tuple[Sequence[Trace], Any]:
        rng = context.rng("extend")
        parents = [t for t in states for _ in range(width)]
        grown = tuple(self.run(rng, t, len(t.scores) + 1) for t in parents)
        new = [sum_of(g.scores[len(t.scores) :]) for t, g in zip(parents, grown, strict=True)]
        increments = np.empty(len(new), dtype=object if isinstance(rng, Enumerator) else np.float64)
        increments[:] = new
        return grown, increments
