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
from ponder.core.terms import Range, registered
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
    """A rating from 0 to `scale` that a model writes; the weight is the rating's share of the scale. No number is a rating of 0."""

    prompt: Annotated[str, "what the judge is asked"] = "Rate how likely the proposed solution is correct"
    scale: Annotated[int, Range(1, 100), "the highest rating"] = 10
    temperature: Annotated[float, Range(0), "of the judge"] = 0.0
    model: Annotated[str, "which of the run's models judges; the first by default"] = ""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        different, place = by_text(candidates)
        ask = f"{self.prompt}, from 0 (wrong) to {self.scale} (certainly right). Answer with the number only."
        sampling = replace(context.sampling, temperature=self.temperature, max_tokens=16, stop=())
        replies = context.generate([Request(_question(c, context, ask)) for c in different], sampling, self.model)
        if not all(reply.completions for reply in replies):
            raise BudgetExhausted("the budget ended while judging")
        ratings = np.array([self.rating(reply.completions[0].text) for reply in replies])
        if not ratings.any():
            context.trace.note("the judge gave no candidate more than 0; its ratings were left out")
            ratings = np.ones(len(different))
        return log(ratings)[place]

    def rating(self, text: str) -> float:
        """The first number of a reply, as a share of the scale, within [0, 1]."""
        found = [float(int(n.split("/")[0]) / int(n.split("/")[1])) if "/" in n else float(n) for n in numbers(text)[:1]]
        return min(1.0, max(0.0, found[0] / self.scale)) if found else 0.0
