"""How sure a model was of what it wrote, told by the distributions that it drew from, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import PonderError
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, Range, registered
from ponder.scorers.base import Scorer, log
from ponder.scorers.weibull import Floats, Pruner

OVER = ("lowest", "bottom", "tail")


@registered
class certainty(Scorer):
    """Self-certainty: the mean divergence of the uniform distribution from those that the tokens were drawn from (Kang et al. 2025,
    arXiv 2502.18581, eq. 6). The weight of a candidate is this number.

    Needs an engine that tells it (organisms and transformers do): it takes the whole distribution of every token, which servers do not
    send.
    """

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        known = [c.certainty for c in candidates if c.finish and c.text]
        if any(k is None for k in known):
            raise PonderError("self-certainty needs the whole distribution of every token, and this engine tells none; use likelihood")
        return log([max(c.certainty, 0.0) if c.certainty is not None else 0.0 for c in candidates])


@registered
class borda(Scorer):
    """Weights by rank: of n candidates the one of rank r has (n - r + 1) ** power (Kang et al. 2025, section 4.2).

    Equal scores share the mean of their ranks. It compares the candidates that it is given together.
    """

    scorer: Annotated[Scorer, "what ranks the candidates"]
    power: Annotated[float, Range(0, 100), "0 is a plain vote; a large one takes the best"] = 1.0

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        scores = np.asarray(self.scorer(candidates, context), dtype=np.float64)
        _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
        # n - r + 1 is how many candidates score less, and one, and of equals half of the others.
        less = np.cumsum(sizes) - sizes
        return self.power * np.log((less + (sizes + 1) / 2)[group.reshape(-1)])


@registered
class minmax(Scorer):
    """Scores between 0 and 1: (v - min) / (max - min) of v = exp(score), so that the worst counts nothing; 1 for all if all are equal
    (the weighted vote of Liu et al. 2025, arXiv 2502.07191). It compares the candidates that it is given together."""

    scorer: Annotated[Scorer, "what is scaled"]

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        values = np.exp(np.asarray(self.scorer(candidates, context), dtype=np.float64))
        low, high = values.min(), values.max()
        return np.zeros(len(values)) if high == low else log((values - low) / (high - low))


@registered
class confidence(Scorer):
    """The mean log-probability of a candidate's tokens where they were least probable (DeepConf, Fu et al. 2025, arXiv 2508.15260).

    Means are taken over every `window` tokens in a row. "lowest" is the smallest of them, "bottom" the mean of the smallest tenth, "tail"
    the last. The paper's means are over a token's most probable alternatives; ours are of the tokens that were drawn, which all
    engines that score tell.
    """

    window: Annotated[int, Range(1), "how many tokens in a row; a shorter text is one window"] = 32
    over: Annotated[str, OneOf(OVER), "which of the means count"] = "lowest"

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        if any(c.finish and c.text and not c.token_logprobs for c in candidates):
            raise PonderError("confidence needs token log-probabilities, and this engine does not tell them; weigh by another scorer")
        return np.array([min(0.0, self._of(np.array(c.token_logprobs))) if c.token_logprobs else 0.0 for c in candidates])

    def _of(self, logprobs: NDArray[np.float64]) -> float:
        width = min(self.window, len(logprobs))
        sums = np.concatenate([[0.0], np.cumsum(logprobs)])
        means = (sums[width:] - sums[:-width]) / width
        if self.over == "tail":
            return float(means[-1])
        return float(np.sort(means)[: max(1, len(means) // 10) if self.over == "bottom" else 1].mean())


@registered
class heaviest(Pruner):
    """Keeps this share of the candidates, the heaviest; at least one, and all that weigh as much as the last that is kept."""

    share: Annotated[float, Range(0, 1), "how much of them"] = 0.9

    def __call__(self, x: Floats) -> NDArray[np.bool_]:
        kept = max(1, round(self.share * len(x)))
        return x >= np.sort(x)[::-1][kept - 1]
