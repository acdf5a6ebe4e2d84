"""What is done to a population that is there: reweighting, rescoring, merging."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.algebra import Proper, Stage
from ponder.core.context import Context
from ponder.core.errors import PonderError
from ponder.core.population import Batch, Population, take
from ponder.core.problem import Candidate
from ponder.core.schedules import Schedule
from ponder.core.terms import Range, registered
from ponder.scorers.base import Scorer


@registered
class weigh(Proper):
    """Multiply each weight by exp(score): the score is a new factor of the target.

    With `ratio` the factor is the new score over the one that this scorer gave the candidate's parent, so that of all scores only
    the last counts in the target. A finished candidate that a loop comes back to is weighed no more (its factor is 1, as the exact
    target asks); `again` weighs it anew in every round, as the code of Puri et al. 2025 (arXiv 2502.01618) does.
    """

    scorer: Annotated[Scorer, "what gives the log-weights"]
    power: Annotated[float, Range(0), "exponent of the factor; 0 leaves the weights alone"] = 1.0
    ratio: Annotated[bool, "the ratio of new to old score instead of a new factor"] = False
    temperature: Annotated[float | Schedule, Range(1e-9), "what log-factors are divided by; a number or a schedule over rounds"] = 1.0
    again: Annotated[bool, "weigh finished candidates in every round"] = False

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        if not self.power:
            return population
        scores, population = scored(population, self.scorer, context)
        factors = scores - self._before(population) if self.ratio else scores
        heat = self.temperature.of(factors, context.round) if isinstance(self.temperature, Schedule) else self.temperature
        factors = factors * (self.power / (heat * context.temper))
        if not self.again:
            factors = np.where([getattr(c, "resting", False) for c in population.items], 0.0, factors)
        return population.reweight(factors)

    def _before(self, population: Population[Any]) -> NDArray[np.float64]:
        """What this scorer gave the parents of candidates; 0 at the beginning."""
        key = str(self.scorer)
        return np.array([_finite(next((a.scores[key] for a in c.lineage[-2::-1] if key in a.scores), 0.0)) for c in population.items])


def _finite(score: float) -> float:
    """-inf minus -inf is no number: what was ruled out stays so whatever it is divided by."""
    return score if score > -np.inf else 0.0


@registered
class rescore(Stage):
    """Make each weight exp(score), whatever it was: what beams and trees rank by. It chooses, so it is not proper."""

    scorer: Annotated[Scorer, "what gives the log-weights"]

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        scores, population = scored(population, self.scorer, context)
        return Population(population.items, scores)


def scored(population: Population[Any], scorer: Scorer, context: Context) -> tuple[NDArray[np.float64], Population[Any]]:
    """Log-scores of all items, shape (n,), and the population whose candidates remember theirs. Those that do are not asked about."""
    key, items = str(scorer), population.items
    known = [c.scores.get(key) if isinstance(c, Candidate) else None for c in items]
    new = np.array([i for i, score in enumerate(known) if score is None], dtype=np.intp)
    values = np.array([np.nan if score is None else score for score in known])
    if len(new):
        given = np.asarray(scorer(take(items, new), context), dtype=np.float64)
        if given.shape != new.shape or np.isnan(given).any() or np.isposinf(given).any():
            raise PonderError(f"{scorer} must give {len(new)} log-weights below +inf without NaN; it gave {given!r:.200}")
        values[new] = given
    if isinstance(items, np.ndarray | Batch):
        return values, population
    remembered = tuple(
        replace(c, scores={**c.scores, key: float(v)}) if isinstance(c, Candidate) and score is None else c
        for c, v, score in zip(items, values, known, strict=True)
    )
    return values, population.grown(remembered, np.zeros(len(remembered)))


@registered
class merge(Proper):
    """Unite candidates that wrote the same text; their weights add up."""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        return population.merge(lambda c: (c.path, c.finished))
