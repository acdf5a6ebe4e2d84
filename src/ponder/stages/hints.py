"""Whole completions that call tools, with hints put into them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.language import Reply, Request, Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.seeds import derive
from ponder.core.terms import OneOf, Range, registered
from ponder.programs.complete import begin
from ponder.programs.hints import HINTS, hints_for
from ponder.programs.tool_use import MARKUPS, Plan, Trajectory, think
from ponder.programs.tools import TOOLS

PLACES = {"end": ("end",), "doubt": ("doubt",), "both": ("end", "doubt"), "none": ()}


@registered
class hinted(Stage):
    """Branch every candidate that has no text yet n ways and run each to its end with a tool at hand; hints are put in where the model
    is about to stop or doubts itself (Hint-infer: Li et al. 2025, arXiv 2503.04625, section 3.1).

    Code that the model writes is run in the sandbox, and its result stands in the text as data. Not proper: hints change what is written.
    """

    n: Annotated[int, Range(1, 100_000), "how many completions to write"] = 1
    rounds: Annotated[int, Range(0, 100), "the most hints in a completion; more is more sequential compute"] = 1
    where: Annotated[str, OneOf(tuple(PLACES)), "before the stop, behind a word of doubt, both or nowhere"] = "end"
    hints: Annotated[str, OneOf(tuple(HINTS)), "the library of hints"] = "math"
    chance: Annotated[float, Range(0, 1), "probability of a hint at a word of doubt"] = 1.0
    calls: Annotated[int, Range(0, 1000), "the most tool calls of a completion"] = 6
    tool: Annotated[str, OneOf(tuple(TOOLS)), "what runs code: Python in the sandbox, or a calculator of whole numbers"] = "python"
    markup: Annotated[str, OneOf(tuple(MARKUPS)), "how the model marks code and results"] = "fenced"
    model: Annotated[str, "which of the run's models writes; the first by default"] = ""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        open_ = [i for i, c in enumerate(population.items) if not c.finished and not c.text]
        if not open_:
            return population
        prompt, sampling = begin(context)
        name, _ = context.model(self.model)

        def draw(requests: Sequence[Request], sampling: Sampling) -> Sequence[Reply]:
            return context.generate(requests, sampling, self.model)

        plan = Plan(
            TOOLS[self.tool](),
            hints_for(self.hints, context.problem.question),
            self.rounds,
            PLACES[self.where],
            self.chance,
            self.calls,
            markup=MARKUPS[self.markup],
        )
        owners = np.repeat(open_, self.n)
        drawn = think([prompt] * len(owners), draw, sampling, plan, derive(context.root, context.path))
        items: list[Candidate] = []
        weights: list[float] = []
        for i, candidate in enumerate(population.items):
            own = [_candidate(candidate, t, name, context) for t, owner in zip(drawn, owners, strict=True) if owner == i]
            items += own or [candidate]
            weights += [population.log_weights[i] - np.log(max(1, len(own)))] * max(1, len(own))
        _notes(drawn, context)
        return Population(tuple(items), weights)


def _candidate(parent: Candidate, stream: Trajectory, model: str, context: Context) -> Candidate:
    """A stream as a candidate, a step for each part. One that the budget cut answers what it had said when it was last about to stop; if it
    never was, it is unfinished and gives no answer."""
    read = stream.text
    if stream.finish == "length":
        read = re.sub(r"\S+\Z", "", read)
    elif stream.finish == "cancelled":
        read = "".join(s.text for s in stream.segments[: stream.settled])
    done = bool(read) or stream.finish != "cancelled"
    return replace(
        parent,
        text=stream.text,
        value=context.problem.read(read) if done else None,
        tokens=parent.tokens + stream.tokens,
        finished=done,
        finish=stream.finish,
        steps=tuple(s.text for s in stream.segments),
        model=model,
        parent=parent,
    )


def _notes(drawn: Sequence[Trajectory], context: Context) -> None:
    calls, hints = sum(t.calls for t in drawn), sum(t.hints for t in drawn)
    context.trace.note(f"{len(drawn)} completions: {hints} hints were put in and {calls} tool calls were run")
    looped = sum(t.looped for t in drawn)
    if looped:
        context.trace.note(f"{looped} completions got no further hints, since a hint had led to the same result twice")
