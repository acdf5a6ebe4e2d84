"""Asking the model that answers whether it would do better from a fresh start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Continuation, Message, Prompt
from ponder.core.problem import Candidate
from ponder.core.terms import registered
from ponder.programs.complete import begin
from ponder.scorers.base import Scorer, by_text

RESTART = 'Would you do better if you started over? ("Yes." or "No.")'


@registered
class win_or_tie(Scorer):
    """The log-probability that a fresh start would do no better: P(no) / (P(no) + P(yes)) when the model is asked.

    The answer, whole or only begun, stays the model's own turn, and the question follows it (Manvi et al. 2024, arXiv 2410.02725; the
    wording is our reading). It compares with the same model's other answers: on a hopeless question it is high for a wrong one, so it
    is no probability of being right. A model that was not trained to be asked mostly cannot tell.

    Words of several tokens are scored as a whole. Needs an engine that scores continuations of its prompts.
    """

    model: Annotated[str, "which of the run's models is asked; the first by default"] = ""
    question: Annotated[str, "what it is asked"] = RESTART
    yes: Annotated[str, "the word for: I would do better"] = "Yes"
    no: Annotated[str, "the word for: I would not"] = "No"

    def validate(self) -> None:
        if not self.yes or not self.no or self.yes == self.no:
            raise InputError(f"yes and no must be two different words, not {self.yes!r} and {self.no!r}")

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        prompt, _ = begin(context)
        different, place = by_text(candidates)
        asked = [Continuation(_asked(prompt, c.text, self.question), word) for c in different for word in (self.yes, self.no)]
        scored = context.logprobs(asked, self.model)
        total = np.array([sum(s.logprobs) for s in scored]).reshape(-1, 2)
        if any(len(s.logprobs) > 1 for s in scored):
            context.trace.note(f"{self.yes!r} and {self.no!r} are not single tokens of this model; they are scored as sequences")
        return (total[:, 1] - np.logaddexp(total[:, 0], total[:, 1]))[place]


def _asked(prompt: Prompt, text: str, question: str) -> Prompt:
    """The prompt with what was answered so far, and the question behind it."""
    if isinstance(prompt, str):
        return f"{prompt}{text}\n\n{question}\n"
    return (*prompt, Message("assistant", text), Message("user", question))
