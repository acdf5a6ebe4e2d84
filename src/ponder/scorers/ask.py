"""Scorers that ask a language model about a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.language import Continuation, Message, Request
from ponder.core.problem import Candidate
from ponder.core.reading import numbers
from ponder.core.terms import OneOf, Range, registered
from ponder.programs.prompts import body
from ponder.scorers.base import Scorer, by_text, log


def _question(candidate: Candidate, context: Context, ask: str) -> tuple[Message, ...]:
    return (Message("user", f"Question: {body(context.problem)}\n\nProposed solution: {candidate.text.strip()}\n\n{ask}"),)


@registered
class self_eval(Scorer):
    """The probability that the model answers yes when asked whether the candidate is right, against no."""

    model: Annotated[str, "which of the run's models is asked; the first by default"] = ""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        different, place = by_text(candidates)
        prompts = [_question(c, context, "Is the proposed solution correct? Answer Yes or No.") for c in different]
        scored = context.logprobs([Continuation(p, word) for p in prompts for word in ("Yes", "No")], self.model)
        total = np.array([sum(s.logprobs) for s in scored]).reshape(-1, 2)
        return (total[:, 0] - np.logaddexp(total[:, 0], total[:, 1]))[place]


@registered
class judge(Scorer):
    """A rating from 0 to `scale` that a model writes, the mean of n of them; the weight is its share of the scale.

    A reply without a number is counted and gives no rating. A candidate that has none gets the mean of the others' ratings, which neither
    favours it nor rules it out; if none has any, or all are 0, ratings are left out. Shown the "answer" alone, the judge cannot follow
    the reasoning (self-evaluation of the result, Liu et al. 2025, arXiv 2502.07191).
    """

    prompt: Annotated[str, "what the judge is asked"] = "Rate how likely the proposed solution is correct"
    scale: Annotated[int, Range(1, 100), "the highest rating"] = 10
    temperature: Annotated[float, Range(0), "of the judge"] = 0.0
    model: Annotated[str, "which of the run's models judges; the first by default"] = ""
    n: Annotated[int, Range(1, 1000), "how many ratings of each candidate"] = 1
    shown: Annotated[str, OneOf(("solution", "answer")), "the whole solution, or only the answer read off it"] = "solution"

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        different, place = by_text(candidates)
        ask = f"{self.prompt}, from 0 (wrong) to {self.scale} (certainly right). Answer with the number only."
        sampling = replace(context.sampling, temperature=self.temperature, max_tokens=16, stop=())
        seen = different if self.shown == "solution" else [replace(c, text=c.value or "none") for c in different]
        replies = context.generate([Request(_question(c, context, ask), n=self.n) for c in seen], sampling, self.model)
        if not all(reply.completions for reply in replies):
            raise BudgetExhausted("the budget ended while judging")
        given = [[self.rating(c.text) for c in reply.completions] for reply in replies]
        read = [[r for r in row if r is not None] for row in given]
        context.trace.count_unread(str(self), sum(map(len, given)) - sum(map(len, read)), sum(map(len, given)))
        means = [float(np.mean(row)) for row in read if row]
        if not any(means):
            context.trace.note("the judge gave no candidate more than 0; its ratings were left out")
            return np.zeros(len(candidates))
        ratings = np.array([float(np.mean(row or means)) for row in read])
        return log(ratings)[place]

    def rating(self, text: str) -> float | None:
        """The first number of a reply, as a share of the scale, within [0, 1]; None if it has none."""
        found = [float(int(n.split("/")[0]) / int(n.split("/")[1])) if "/" in n else float(n) for n in numbers(text)[:1]]
        return min(1.0, max(0.0, found[0] / self.scale)) if found else None
