"""Drawing until a verifier accepts."""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage, until
from ponder.core.terms import Range
from ponder.methods.named import named
from ponder.scorers import Scorer, self_eval
from ponder.stages import accepted, reached, sample, weigh


@named
def resample_until_pass(
    n: Annotated[int, Range(1, 100_000), "the most samples"] = 16,
    scorer: Annotated[Scorer, "what accepts: log-probabilities of being right, as of `tests`"] = self_eval(),
    threshold: Annotated[float, Range(0, 1), "the score, as a probability, that is accepted"] = 0.5,
) -> Stage:
    """Samples one by one until one is accepted, at most n; abstains if none is (Stroebl et al. 2024, arXiv 2411.17501).

    No n lifts its accuracy above the share of right ones among what the scorer accepts; `ponder worth` says which n pays.
    """
    return until(reached(threshold), sample(1) | weigh(scorer), limit=n) | accepted(scorer, threshold)
