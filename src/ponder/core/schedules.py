"""Settings that change from round to round of a loop, such as a temperature that falls."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.terms import Range, Term, registered


class Schedule(Term):
    """A number for each round of the innermost loop (or run of `until`), counted from 0."""

    kind: ClassVar[str] = "schedule"

    def at(self, round_: int) -> float:
        raise NotImplementedError

    def of(self, log_factors: NDArray[np.float64], round_: int) -> float:
        """The number for a round in which weights are multiplied by exp(log_factors); by default that of the round."""
        return self.at(round_)


def at_round(setting: float | Schedule, context: Context) -> float:
    """What a setting is in the context's round; a plain number is the same in all."""
    return setting.at(context.round) if isinstance(setting, Schedule) else setting


@registered
class annealed(Schedule):
    """From `begin` to `end` in equal steps over the first `rounds` rounds, then `end` (Puri et al. 2025, annealing of the softmax)."""

    begin: Annotated[float, Range(1e-6), "in the first round"] = 1.5
    end: Annotated[float, Range(1e-6), "from the last of the rounds on"] = 0.7
    rounds: Annotated[int, Range(2), "how many rounds it takes"] = 10

    def at(self, round_: int) -> float:
        return self.begin + (self.end - self.begin) * min(1.0, round_ / (self.rounds - 1))


@registered
class rising(Schedule):
    """high * (1 - 2 ** -round): the first run is greedy, later ones explore (after Manvi et al. 2024; the form is our reading)."""

    high: Annotated[float, Range(0), "where it rises to"] = 1.0

    def at(self, round_: int) -> float:
        return self.high * (1 - 2.0**-round_)


@registered
class doubling(Schedule):
    """1, 1, 2, 4, 8, ... and what is left of `total` at the end: samples that stop adaptively in few rounds (`rounds` of them)."""

    total: Annotated[int, Range(1), "the sum over all rounds"] = 16

    def at(self, round_: int) -> float:
        drawn = 2 ** (round_ - 1) if round_ else 0
        return max(1, min(max(drawn, 1), self.total - drawn))

    @property
    def rounds(self) -> int:
        return 1 + (self.total - 1).bit_length()


@registered
class entropic(Schedule):
    """1, but hotter while weights would degenerate early: max(1, (1 - round / rounds) * n / ess) if ess < n / 2 in the first half.

    The entropic particle filter as its-hub ships it.
    """

    rounds: Annotated[int, Range(1), "how many rounds are expected"] = 8
    share: Annotated[float, Range(0, 1), "the effective share of the population below which it heats"] = 0.5

    def at(self, round_: int) -> float:
        return 1.0

    def of(self, log_factors: NDArray[np.float64], round_: int) -> float:
        population = Population(range(len(log_factors)), log_factors)
        if population.dead or 2 * round_ >= self.rounds or population.ess >= self.share * len(population):
            return 1.0
        return max(1.0, (1 - round_ / self.rounds) * len(population) / population.ess)
