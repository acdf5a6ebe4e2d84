"""Where a stage stands while it runs: the problem, the meter and the seeds of its place in the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Protocol

import numpy as np

from ponder.core.budget import Bill, Meter
from ponder.core.errors import InputError
from ponder.core.language import LM, Continuation, Reply, Request, Sampling, Scored
from ponder.core.problem import Problem
from ponder.core.seeds import Step, derive, generator, place_of


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


@dataclass
class TraceStep:
    """One entry of the trace: what a stage made of the population."""

    stage: str
    size: int
    ess: float
    log_evidence: float
    tokens: int


@dataclass
class Trace:
    """What happened during one answer: a line a stage, and notes on what the reader should know."""

    steps: list[TraceStep] = field(default_factory=list[TraceStep])
    notes: list[str] = field(default_factory=list[str])

    def note(self, text: str) -> None:
        """Remember something the reader of the answer should know, once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True)
class Context:
    """What a stage may use. All spending goes through `generate` and `logprobs`, which seed, meter and place every call.

    Attributes:
        problem: what is asked.
        meter: the budget and the bill.
        models: engines by name; the first is the one asked by default. Empty for numeric programs.
        program: what `start` and `extend` run, if any.
        sampling: the user's sampling settings; stages override single fields.
        style: the user's prompt style, if any.
        root: the run's root seed.
        path: this place in the pipeline.
        trace: where notes go.
    """

    problem: Problem
    meter: Meter = field(default_factory=Meter)
    models: Mapping[str, LM] = field(default_factory=dict[str, LM])
    program: Program | None = None
    sampling: Sampling = field(default_factory=Sampling)
    style: str | None = None
    root: int = 0
    path: tuple[Step, ...] = ()
    trace: Trace = field(default_factory=Trace)
    _calls: count[int] = field(default_factory=count, repr=False, compare=False)

    def at(self, *steps: Step) -> Context:
        """The context of a place inside this one; its seeds are its own."""
        return replace(self, path=(*self.path, *steps), _calls=count())

    def rng(self, *steps: Step) -> np.random.Generator:
        """A random generator for this place; the same for every call with the same steps."""
        return generator(self.root, (*self.path, *steps))

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
        placed = [
            replace(r, seed=derive(self.root, (*self.path, call, i)), place=place_of(self.root, (*self.path, call, i)))
            for i, r in enumerate(requests[: allowance.calls])
        ]
        replies = lm.generate(placed, sampling or self.sampling, allowance) if placed else []
        self.meter.charge(
            Bill(
                tokens_in=sum(r.prompt_tokens for r in replies),
                tokens_out=sum(r.tokens_out for r in replies),
                cached=sum(r.cached_tokens for r in replies),
                calls=len(replies),
                seconds=max((r.seconds for r in replies), default=0.0),
            ),
            lm.price,
        )
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
        placed = [replace(c, place=place_of(self.root, (*self.path, "logprobs", call, i))) for i, c in enumerate(continuations)]
        scored = lm.logprobs(placed)
        self.meter.charge(
            Bill(tokens_in=sum(s.prompt_tokens for s in scored), calls=len(scored), seconds=max((s.seconds for s in scored), default=0.0)),
            lm.price,
        )
        return scored
