"""What a scorer is: candidates in, log-weights out, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.problem import Candidate
from ponder.core.terms import Term


class Scorer(Term):
    """Gives each candidate a log-weight: verifiers, likelihoods, judges, checkers.

    `weigh(scorer)` multiplies a candidate's weight by exp(score). -inf rules a candidate out. A scorer that needs a model asks
    through the context, so that it is billed, seeded and replayed like everything else.
    """

    kind: ClassVar[str] = "scorer"

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        """Log-weights, shape (len(candidates),), below +inf, never NaN."""
        raise NotImplementedError


def by_text(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[int]]:
    """The candidates with different texts, and for each candidate which of them it is: equal texts are scored once."""
    places: dict[str, int] = {}
    different: list[Candidate] = []
    for candidate in candidates:
        if candidate.text not in places:
            places[candidate.text] = len(different)
            different.append(candidate)
    return different, [places[c.text] for c in candidates]


def log(probability: Any) -> NDArray[np.float64]:
    """log of probabilities, -inf at 0 without a warning."""
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(probability, dtype=np.float64))
