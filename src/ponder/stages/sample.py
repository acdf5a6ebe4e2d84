"""Drawing whole completions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from ponder.core.algebra import Proper
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.language import Completion, Reply, Request, Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.schedules import Schedule, at_round
from ponder.core.terms import OneOf, Range, registered
from ponder.programs.complete import begin, grown
from ponder.programs.prompts import STYLES


@registered
class sample(Proper):
    """Branch every unfinished candidate n ways and run each to its end."""

    n: Annotated[int | Schedule, Range(1, 100_000), "how many completions to draw, or a schedule over runs"]
    style: Annotated[str | None, OneOf(tuple(STYLES)), "how the prompt is written; by default the run's or the problem's own"] = None
    temperature: Annotated[
        float | Schedule | None, Range(0), "0 is greedy, 1 the model's own distribution, or a schedule over runs; by default the run's"
    ] = None
    max_tokens: Annotated[int | None, Range(1), "the longest completion, in tokens; by default the run's"] = None
    top_p: Annotated[float | None, Range(1e-6, 1), "nucleus mass; by default the run's"] = None
    model: Annotated[str, "which of the run's models draws; the first by default"] = ""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        own: dict[str, Any] = {k: v for k in ("max_tokens", "top_p") if (v := getattr(self, k)) is not None}
        if self.temperature is not None:
            own["temperature"] = at_round(self.temperature, context)
        return branch(population, int(at_round(self.n, context)), own, context, whole=True, style=self.style, model=self.model)


@registered
class write(Proper):
    """Branch every unfinished candidate n ways and write at most so many tokens of each; `sample` writes the rest."""

    tokens: Annotated[int, Range(1), "how many tokens"]
    n: Annotated[int, Range(1, 100_000), "children of each candidate"] = 1

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        return branch(population, self.n, {"max_tokens": self.tokens}, context, whole=False)


def branch(
    population: Population[Candidate],
    n: int,
    settings: dict[str, Any],
    context: Context,
    whole: bool,
    style: str | None = None,
    model: str = "",
) -> Population[Candidate]:
    """Every unfinished candidate continued n ways; with `whole` those that reach the token limit are finished too."""
    prompt, sampling = begin(context, style)
    sampling = replace(sampling, **settings)
    name, _ = context.model(model)
    open_ = [i for i, candidate in enumerate(population.items) if not candidate.finished]
    if not open_:
        return population
    requests = [Request(prompt, n=n, prefix=population.items[i].text) for i in open_]
    replies = dict(zip(open_, context.generate(requests, sampling, model), strict=True))
    _notes(list(replies.values()), n, sampling, context, whole)
    items: list[Candidate] = []
    widths: list[int] = []
    for i, candidate in enumerate(population.items):
        children = [finish(candidate, c, context.problem, name, whole) for c in replies[i].completions] if i in replies else []
        items += children or [candidate]  # a candidate that is finished, or that the budget left unextended, stays as it was
        widths.append(max(1, len(children)))
    return population.grown(tuple(items), np.zeros(len(items)), widths)


def finish(parent: Candidate, completion: Completion, problem: Problem, model: str, whole: bool = True) -> Candidate:
    """The candidate that a completion makes of its parent.

    A completion that was cut by the token limit is read without its last, perhaps half-written word; one that was cancelled
    gives no answer.
    """
    child = grown(parent, completion, model)
    if completion.finish == "cancelled" or (completion.finish == "length" and not whole):
        return child
    text = re.sub(r"\S+\Z", "", child.text) if completion.finish == "length" else child.text
    return replace(child, finished=True, value=problem.read(text))


def anew(parent: Candidate, completion: Completion, context: Context, model: str) -> Candidate:
    """A completion as a whole candidate of its own, that was written with another one, its parent, in view."""
    name, _ = context.model(model)
    return replace(finish(Candidate(root=parent.root), completion, context.problem, name), parent=parent)


def _notes(replies: list[Reply], n: int, sampling: Sampling, context: Context, whole: bool) -> None:
    drawn = [c for reply in replies for c in reply.completions]
    if not drawn:
        raise BudgetExhausted("the budget ended before anything was drawn")
    if sampling.temperature == 0 and n > 1:
        context.trace.note(f"temperature 0 is greedy: the {n} samples of a prompt are the same text, drawn once")
    elif n >= 8 and len(drawn) == n and len({c.text for c in drawn}) == 1 and drawn[0].tokens > 8:
        context.trace.note(f"all {n} samples are the same text: is the temperature too low, or does the server ignore the seed?")
    cancelled = sum(c.finish == "cancelled" for c in drawn)
    if cancelled or len(drawn) < n * len(replies):
        context.trace.note(f"the budget ended while drawing: {n * len(replies) - len(drawn)} samples were not begun, {cancelled} were cut")
    cut = sum(c.finish == "length" for c in drawn)
    if whole and cut * 2 > len(drawn):
        context.trace.note(f"{cut} of {len(drawn)} samples reached the limit of {sampling.max_tokens} tokens (--max-tokens)")
