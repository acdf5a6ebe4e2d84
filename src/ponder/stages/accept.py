"""Taking what a scorer accepts, and abstaining where it accepts nothing."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ponder.core.algebra import Decider
from ponder.core.answer import NOBODY
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import Range, registered
from ponder.scorers.base import Scorer, log


@registered
class accepted(Decider):
    """The first candidate that this scorer gave the threshold or more; no answer if there is none. Its confidence is that score."""

    scorer: Annotated[Scorer, "the one that `weigh` or `rescore` asked before; its scores are log-probabilities"]
    threshold: Annotated[float, Range(0, 1), "the score, as a probability, that is good enough"] = 0.5

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        known = [(c, c.scores[str(self.scorer)]) for c in population.items if c.value is not None and str(self.scorer) in c.scores]
        first = next(((c, score) for c, score in known if score >= float(log(self.threshold)) - 1e-12 and score > -np.inf), None)
        if first is None:
            context.trace.note(f"{self.scorer} accepted none of {len(known)} candidates")
            return Population((NOBODY,), [0.0])
        share = min(1.0, float(np.exp(first[1])))
        return Population((first[0], NOBODY), log([share, 1.0 - share]))
