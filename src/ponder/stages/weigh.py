"""Proper stages on a population that is there: reweighting, resampling, merging."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from ponder.core.algebra import Proper
from ponder.core.context import Context
from ponder.core.errors import PonderError
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.resampling import Resampler, systematic
from ponder.core.terms import Range, registered
from ponder.scorers.base import Scorer


@registered
class weigh(Proper):
    """Multiply each weight by exp(score): the score is a new factor of the target."""

    scorer: Annotated[Scorer, "what gives the log-weights"]
    power: Annotated[float, Range(0), "exponent of the factor; 0 leaves the weights alone"] = 1.0

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        scores = np.asarray(self.scorer(population.items, context), dtype=np.float64)
        if scores.shape != (len(population),) or np.isnan(scores).any() or np.isposinf(scores).any():
            raise PonderError(f"{self.scorer} must give {len(population)} log-weights below +inf without NaN; it gave {scores!r:.200}")
        return population.reweight(scores * self.power if self.power else np.zeros(len(population)))


@registered
class resample(Proper):
    """Draw n survivors in proportion to weight; afterwards all weigh the same and the total is kept."""

    scheme: Annotated[Resampler, "how survivors are drawn"] = systematic()
    ess: Annotated[float, Range(0, 1), "resample only when the effective share of the population falls below this"] = 1.0
    n: Annotated[int | None, Range(1), "how many survivors; by default as many as there are"] = None

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        if population.dead or (self.ess < 1 and population.ess >= self.ess * len(population)):
            return population
        return population.resample(self.scheme, context.rng(), self.n)


@registered
class merge(Proper):
    """Unite candidates that wrote the same text; their weights add up."""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        return population.merge(lambda c: (c.path, c.finished))
