"""Scorers that need no further model call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import PonderError
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, registered
from ponder.scorers.base import Scorer, log
from ponder.scorers.equivalence import group_values


@registered
class likelihood(Scorer):
    """The model's own log-probability of what it wrote, at temperature 1.

    A mean over tokens (one over the perplexity) by default; `joint=True` is the whole path's, which favours short texts and, on
    long ones, leaves all the weight with a single path.
    """

    joint: Annotated[bool, "the sum over tokens instead of their mean"] = False

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        values = [c.logprob if self.joint else c.mean_logprob for c in candidates]
        drawn = [v for c, v in zip(candidates, values, strict=True) if c.finish]
        if any(v is None for v in drawn):
            raise PonderError("likelihood needs token log-probabilities, and this engine does not tell them; weigh by another scorer")
        if self.joint and len(drawn) > 1:
            shares = np.exp(np.array(drawn, dtype=float) - max(v for v in drawn if v is not None))
            if shares.max() / shares.sum() > 0.999 and len({c.path for c in candidates}) > 1:
                context.trace.note("one path holds over 99.9% of the joint likelihood: the vote is that path's answer")
        return np.array([0.0 if v is None else min(v, 0.0) for v in values])


@registered
class matches(Scorer):
    """Weight 1 for candidates whose answer is this one, 0 for all others: an exact checker."""

    value: Annotated[str, "the answer to match, read like the candidates'"]
    equal: Annotated[str, OneOf(("same", "math")), 'when two answers are one: "same" canonical form, or equal as mathematics'] = "same"

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        wanted = context.problem.read(self.value) or self.value
        groups = group_values(sorted({wanted, *(c.value for c in candidates if c.value is not None)}), self.equal)
        return log([float(c.value is not None and groups[c.value] == groups[wanted]) for c in candidates])


@registered
class random(Scorer):
    """Uniform random scores: the control that every other scorer must beat."""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        return log(1.0 - context.rng("random").random(len(candidates)))
