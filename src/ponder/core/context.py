"""Where a stage stands while it runs: the problem, the meter and the seeds of its place in the pipeline."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Protocol

import numpy as np

from ponder.core.budget import Bill, Meter
from ponder.core.errors import InputError
from ponder.core.language import LM, Continuation, Reply, Request, RewardModel, Rewards, Sampling, Scored, Solution
from ponder.core.pace import Pace
from ponder.core.population import Population
from ponder.core.problem import Problem
from ponder.core.seeds import Step, generator, places_in, seed_of


class Program(Protocol):
    """What can be started and extended in a batch: a reasoner over a model, a state-space model.

    States are any sequence that can be taken from by index: a list of candidates, or an array with a leading axis.
    """

    def start(self, n: int, context: Context) -> Sequence[Any]:
        """n initial states."""
        ...

    def extend(self, states: Sequence[Any], width: int, context: Context) -> tuple[Sequence[Any], np.ndarray[Any, np.dtype[np.float64]]]:
        """Each of m unfinished states extended `width` ways by one step.

        Returns:
            m * width states, the children of one state side by side, and their log-weight increments, shape (m * width,).
        """
        ...

    def finished(self, states: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which states are complete, shape (m,)."""
        ...

    def retrace(self, final: Any, state: Any) -> tuple[Any, float]:
        """One step along a trajectory that is known; for conditional SMC.

        Args:
            final: where the trajectory ends.
            state: a state on it that is not `final`; None stands before its beginning.

        Returns:
            The state that it went to after `state`, and that step's log-weight increment.
        """
        ...

    def graft(
        self, final: Any, state: Any, states: Sequence[Any], context: Context
    ) -> tuple[Sequence[Any], np.ndarray[Any, np.dtype[np.float64]]]:
        """The steps of `final` after `state`, which lies on its trajectory, put behind each of m states; for ancestor sampling.

        Returns:
            m final states, and shape (m,) the log-probabilities of those steps after each, with their log-weight increments; -inf
            where they cannot follow.
        """
        ...


class Reference(Protocol):
    """The trajectory that conditional SMC keeps as particle 0."""

    final: Any
    """Where it ends."""

    def resample(self, population: Population[Any], context: Context) -> Population[Any]:
        """Survivors of the population; the first of them lies on the trajectory."""
        ...


@dataclass
class TraceStep:
    """One entry of the trace: what a stage made of the population.

    Attributes:
        stage: its text.
        size, ess, log_evidence: of the population it returned.
        tokens: spent so far.
        round: which round of the innermost loop it ran in.
        population: what it returned, if the trace keeps populations; else None.
    """

    stage: str
    size: int
    ess: float
    log_evidence: float
    tokens: int
    round: int = 0
    population: Population[Any] | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the population; None for a number that is not finite."""
        plain: dict[str, Any] = {name: value for name, value in vars(self).items() if name != "population"}
        return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in plain.items()}


@dataclass
class Trace:
    """What happened during one answer: a line a stage, and notes on what the reader should know.

    Attributes:
        steps: one a stage that ran.
        notes: what the reader of the answer should know.
        unread: stage -> how many replies of a model it could not read, and how many it asked for.
        keep: whether steps hold their populations, so that the search can be drawn.
        listener: called with each step as it happens.
    """

    steps: list[TraceStep] = field(default_factory=list[TraceStep])
    notes: list[str] = field(default_factory=list[str])
    unread: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    keep: bool = False
    listener: Callable[[TraceStep], None] | None = field(default=None, repr=False, compare=False)

    def add(self, stage: str, population: Population[Any], tokens: int, round_: int = 0) -> None:
        """Remember what a stage made of the population."""
        kept = population if self.keep else None
        self.steps.append(TraceStep(stage, len(population), population.ess, population.log_evidence, tokens, round_, kept))
        if self.listener is not None:
            self.listener(self.steps[-1])

    def note(self, text: str) -> None:
        """Remember something the reader of the answer should know, once."""
        if text not in self.notes:
            self.notes.append(text)

    def count_unread(self, stage: str, unread: int, asked: int) -> None:
        """Add to how many replies a stage could not read, of how many that it asked for; the notes say it in words."""
        before = self.unread.get(stage, (0, 0))
        total = self.unread[stage] = (before[0] + unread, before[1] + asked)
        self.notes[:] = [note for note in self.notes if note != _unread_note(stage, before)]
        if total[0]:
            self.note(_unread_note(stage, total))


def _unread_note(stage: str, counts: tuple[int, int]) -> str:
    return f"{stage} could not read {counts[0]} of {counts[1]} replies"


@dataclass(frozen=True)
class Context:
    """What a stage may use. All spending goes through `generate` and `logprobs`, which seed, meter and place every call.

    Attributes:
        problem: what is asked.
        meter: the budget and the bill.
        models: engines by name; the first is the one asked by default. Empty for numeric programs.
        rewards_by: process reward models by name; the first is the one asked by default.
        program: what `start` and `extend` run, if any.
        sampling: the user's sampling settings; stages override single fields.
        style: the user's prompt style, if any.
        root: the run's root seed.
        path: this place in the pipeline.
        trace: where notes go.
        round: how often the innermost loop has run; what schedules go by.
        temper: what every log-factor of `weigh` is divided by; 1 but in a tempered chain.
        reference: the trajectory that conditional SMC keeps as particle 0, if any.
        draws: the random generator for a root and a path; the laws of `ponder.prob` put one there that enumerates all draws.
    """

    problem: Problem
    meter: Meter = field(default_factory=Meter)
    models: Mapping[str, LM] = field(default_factory=dict[str, LM])
    rewards_by: Mapping[str, RewardModel] = field(default_factory=dict[str, RewardModel])
    program: Program | None = None
    sampling: Sampling = field(default_factory=Sampling)
    style: str | None = None
    root: int = 0
    path: tuple[Step, ...] = ()
    trace: Trace = field(default_factory=Trace)
    round: int = 0
    temper: float = 1.0
    reference: Reference | None = None
    draws: Callable[[int, Sequence[Step]], np.random.Generator] = generator
    _calls: count[int] = field(default_factory=count, repr=False, compare=False)

    def at(self, *steps: Step) -> Context:
        """The context of a place inside this one; its seeds are its own."""
        return replace(self, path=(*self.path, *steps), _calls=count())

    def in_round(self, number: int) -> Context:
        """The same place in a loop's round of this number."""
        return replace(self, round=number, _calls=self._calls)

    def rng(self, *steps: Step) -> np.random.Generator:
        """A random generator for this place; the same for every call with the same steps."""
        return self.draws(self.root, (*self.path, *steps))

    def model(self, name: str = "") -> tuple[str, LM]:
        """An engine by name (the first one for ""), with its name."""
        if not self.models:
            raise InputError("this stage needs a language model, and none was given (--model NAME)")
        if not name:
            return next(iter(self.models.items()))
        if name not in self.models:
            raise InputError(f"no model is called {name!r} here; there are {', '.join(self.models)}")
        return name, self.models[name]

    def generate(self, requests: Sequence[Request], sampling: Sampling | None = None, model: str = "") -> list[Reply]:
        """Ask the engine, with seeds of this place, within what the budget allows; the bill is written before returning.

        Requests that the budget no longer admits get a reply without completions.

        Raises:
            BudgetExhausted: if nothing is left to begin with.
        """
        _, lm = self.model(model)
        allowance = self.meter.allowance()
        call = next(self._calls)
        allowed = requests[: allowance.calls]
        places = places_in(self.root, (*self.path, call), len(allowed))
        placed = [Request(r.prompt, r.n, seed_of(place), r.prefix, place) for r, place in zip(allowed, places, strict=True)]
        replies = lm.generate(placed, sampling or self.sampling, allowance) if placed else []
        self.meter.charge(bill_of(lm, replies), lm.price)
        return replies + [Reply(())] * (len(requests) - len(placed))

    def logprobs(self, continuations: Sequence[Continuation], model: str = "") -> list[Scored]:
        """Log-probabilities of given continuations, billed like `generate`.

        Raises:
            BudgetExhausted: if nothing is left to begin with, or fewer calls than continuations.
            EngineError: if the engine cannot tell.
        """
        _, lm = self.model(model)
        self.meter.allowance()
        call = next(self._calls)
        places = places_in(self.root, (*self.path, "logprobs", call), len(continuations))
        placed = [Continuation(c.prompt, c.text, place) for c, place in zip(continuations, places, strict=True)]
        scored = lm.logprobs(placed)
        self.meter.charge(
            Bill(
                tokens_in=sum(s.prompt_tokens for s in scored),
                calls=len(scored),
                seconds=max((s.seconds for s in scored), default=0.0),
                idealized_seconds=_idealized(lm, [(s.prompt_tokens, 1) for s in scored]),
            ),
            lm.price,
        )
        return scored

    def rewards(self, solutions: Sequence[Solution], model: str = "") -> list[Rewards]:
        """What a process reward model says of solutions, billed like `generate`.

        Args:
            model: its name; "" is the first one.

        Raises:
            BudgetExhausted: if nothing is left to begin with.
            InputError: if there is no such reward model.
        """
        judges = self.rewards_by
        if not judges or (model and model not in judges):
            there = f"there are {', '.join(judges)}" if judges else "none was given (--reward NAME)"
            raise InputError(f"this scorer needs a reward model{f' called {model!r}' if model else ''}, and {there}")
        judge = judges[model] if model else next(iter(judges.values()))
        self.meter.allowance()
        call = next(self._calls)
        places = places_in(self.root, (*self.path, "rewards", call), len(solutions))
        placed = [Solution(s.prompt, s.steps, place) for s, place in zip(solutions, places, strict=True)]
        found = judge.rewards(placed)
        self.meter.charge(
            Bill(
                tokens_in=sum(r.prompt_tokens for r in found),
                cached=sum(r.cached_tokens for r in found),
                calls=len(found),
                seconds=max((r.seconds for r in found), default=0.0),
                idealized_seconds=_idealized(judge, [(r.prompt_tokens, 1) for r in found]),
            ),
            judge.price,
        )
        return found


def bill_of(lm: LM, replies: Sequence[Reply]) -> Bill:
    """What one batch of replies cost, but for money."""
    return Bill(
        tokens_in=sum(r.prompt_tokens for r in replies),
        tokens_out=sum(r.tokens_out for r in replies),
        cached=sum(r.cached_tokens for r in replies),
        calls=len(replies),
        seconds=max((r.seconds for r in replies), default=0.0),
        idealized_seconds=_idealized(lm, [(r.prompt_tokens, r.tokens_out) for r in replies if r.completions]),
    )


def _idealized(engine: LM | RewardModel, calls: Sequence[tuple[int, int]]) -> float:
    """Seconds that calls of so many prompt and output tokens take by the engine's own pace, if it has one.

    Samples of one prompt count as written one after another behind it.
    """
    pace: Pace | None = getattr(engine, "pace", None)
    return 0.0 if pace is None else sum(pace.seconds(prompt, output) for prompt, output in calls)
