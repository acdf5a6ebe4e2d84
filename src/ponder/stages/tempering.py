"""Parallel tempering: chains of particle Gibbs at several temperatures that exchange their kept trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.population import Population
from ponder.core.stepwise import stacked
from ponder.core.terms import Range, registered
from ponder.stages.gibbs import Ancestors, Body, Chain, filter_body, log_factors, ready

Chains = Annotated[int, Range(2, 1000), "how many chains"]
Hottest = Annotated[float, Range(1, 1e6), "temperature of the hottest chain; from there to 1 in equal ratios"]


def ladder(chains: int, hottest: float) -> NDArray[np.float64]:
    """Temperatures that fall from `hottest` to 1 in equal ratios, shape (chains,)."""
    return np.geomspace(hottest, 1.0, chains)


def swap_chance(log_g: float, log_g_next: float, temperature: float, temperature_next: float) -> float:
    """The probability that two chains exchange their trajectories x and x' (Puri et al. 2025, Algorithm 3).

    min(1, exp((1 / T - 1 / T') * (log G(x') - log G(x)))): the targets are p(x) G(x)^(1 / T), and p cancels.
    """
    return float(np.exp(min(0.0, (1 / temperature - 1 / temperature_next) * (log_g_next - log_g))))


def swap(log_gs: Sequence[float], temperatures: Sequence[float], uniforms: Sequence[float]) -> list[int]:
    """Which trajectory each of m chains has after all neighbours, the hottest pair first, were offered an exchange.

    Args:
        log_gs: log G of each chain's trajectory, finite, shape (m,).
        temperatures: of the chains, shape (m,).
        uniforms: what is compared with the chances, in [0, 1), shape (m - 1,).
    """
    held = list(range(len(log_gs)))
    for k, u in enumerate(uniforms):
        if u < swap_chance(log_gs[held[k]], log_gs[held[k + 1]], temperatures[k], temperatures[k + 1]):
            held[k], held[k + 1] = held[k + 1], held[k]
    return held


@registered
class tempering(Stage):
    """Particle Gibbs in parallel chains, the log-factors of chain k divided by its temperature (Puri et al. 2025, Algorithm 3).

    After each sweep neighbouring chains offer each other their kept trajectories. The coldest chain has temperature 1, and its
    particles are the result, pooled and weighed as by `gibbs`. The exchanges keep the joint target of all chains, so the result is
    right in the limit of many sweeps; for few it is not proper, because what comes from hotter chains has another evidence.
    When the budget ends, the coldest chain's whole sweeps are kept; it goes first in each round.
    """

    body: Body
    n: Annotated[int, Range(2, 100_000), "how many particles a sweep of one chain has, the kept one included"]
    sweeps: Annotated[int, Range(1, 100_000), "how many sweeps of each chain, the first included"] = 4
    chains: Chains = 2
    hottest: Hottest = 2.0
    ancestors: Ancestors = False
    burn: Annotated[int, Range(0), "how many sweeps are left out of the result; sweeps - 1 keeps the last alone"] = 0

    @property
    def proper(self) -> bool:
        return False

    def validate(self) -> None:
        filter_body(self.body, "tempering")
        if self.burn >= self.sweeps:
            raise InputError(f"tempering: burn must be less than the {self.sweeps} sweeps, not {self.burn}")

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        ready(population, context, self.ancestors)
        temperatures = ladder(self.chains, self.hottest)
        chains = [Chain(self.body, self.n, self.ancestors) for _ in temperatures]
        for sweep in range(self.sweeps):
            place = context.at(sweep)
            if not all(chains[k].sweep(population, replace(place.at(k), temper=temperatures[k])) for k in reversed(range(self.chains))):
                break
            if sweep + 1 < self.sweeps:
                try:
                    self._exchange(chains, temperatures, place.at("swap"))
                except BudgetExhausted as end:
                    context.trace.note(f"{end} before chains could exchange their trajectories")
                    break
        return chains[-1].pooled(self.burn)

    def _exchange(self, chains: Sequence[Chain], temperatures: NDArray[np.float64], context: Context) -> None:
        finals = [chain.reference for chain in chains]
        log_gs = log_factors(stacked(finals, finals[0]), self.body.flat(), context)
        held = swap(log_gs.tolist(), temperatures.tolist(), context.rng().random(len(chains) - 1).tolist())
        for chain, k in zip(chains, held, strict=True):
            chain.reference = finals[k]
