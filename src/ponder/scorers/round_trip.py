"""Whether the way back leads to where it began: the question is written from the answer, and answered again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.language import Message, Request
from ponder.core.problem import Candidate
from ponder.core.terms import Range, registered
from ponder.programs.prompts import write_prompt
from ponder.scorers.base import Scorer, by_text

_BACK = (
    "Here is a solution:\n\n{text}\n\nWrite the question that it solves, with everything that one needs to know to solve it, and without "
    "the answer."
)


@registered
class round_trip(Scorer):
    """The share of fresh answers that agree with the candidate's, where the question asked is one that a model wrote from the candidate
    (round-trip correctness, Allamanis et al. 2024, arXiv 2402.08699).

    Of n answers h that agree are (h + 1) / (n + 2), so that none is ruled out. Two calls a text, in two batches.
    """

    n: Annotated[int, Range(1, 1000), "how many fresh answers"] = 1
    model: Annotated[str, "which of the run's models is asked; the first by default"] = ""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        different, place = by_text(candidates)
        sampling = replace(context.sampling, stop=())
        asked = [Request((Message("user", _BACK.format(text=c.text.strip())),)) for c in different]
        questions = [r.completions[0].text.strip() if r.completions else "" for r in context.generate(asked, sampling, self.model)]
        known = [i for i, question in enumerate(questions) if question]
        prompts = [write_prompt(replace(context.problem, prompt=questions[i], examples=()), "cot")[0] for i in known]
        replies = context.generate([Request(p, n=self.n) for p in prompts], sampling, self.model) if known else []
        if not all(r.completions for r in replies) or not known:
            raise BudgetExhausted("the budget ended before the questions that were written back were answered")
        agree = np.zeros(len(different))
        for i, reply in zip(known, replies, strict=True):
            values = [context.problem.read(c.text) for c in reply.completions]
            agree[i] = sum(v is not None and v == different[i].value for v in values)
        return np.log((agree + 1) / (self.n + 2))[place]
