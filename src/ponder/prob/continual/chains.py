"""Hamiltonian Monte Carlo chains side by side over a log-density of a vector; kernel and adaptation are blackjax's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, PonderError, need
from ponder.core.seeds import derive, generator


class ChainsFailed(PonderError):
    """The chains cannot be trusted: too many transitions diverged, or the acceptance is too low or too high."""


@dataclass(frozen=True)
class HMC:
    """How chains are run. Step sizes and a diagonal mass matrix are adapted in each chain during the warmup.

    Attributes:
        chains: how many, side by side.
        warmup: transitions that are thrown away.
        draws: transitions after them.
        leapfrog: mean steps of a trajectory; after the warmup each transition takes from half to one and a half times as many, so that no
            orbit closes (Mackenzie 1989).
        acceptance: what the step size is adapted to.
    """

    chains: int = 8
    warmup: int = 500
    draws: int = 1000
    leapfrog: int = 20
    acceptance: float = 0.8

    def __post_init__(self) -> None:
        if min(self.chains, self.warmup, self.draws, self.leapfrog) < 1 or not 0 < self.acceptance < 1:
            raise InputError(f"HMC needs chains, warmup, draws and leapfrog of at least 1 and an acceptance in (0, 1), not {self}")

    def run(self, log_density: Callable[[Any], Any], starts: NDArray[Any], seed: int) -> Chains:
        """Chains of a log-density that JAX can differentiate.

        Args:
            log_density: of a vector of shape (D,), a scalar.
            starts: a start for each chain, shape (chains, D).
            seed: of everything random.

        Raises:
            InputError: another number of starts, or a start of density zero.
            ChainsFailed: more than 10 % of transitions diverge, or the mean acceptance is below .4 or above .99.
        """
        jax, blackjax = need("jax", "prob"), need("blackjax", "prob")
        if len(starts) != self.chains:
            raise InputError(f"{self.chains} chains need as many starts, not {len(starts)}")
        if not np.isfinite(np.asarray(jax.jit(jax.vmap(log_density))(starts))).all():
            raise InputError("the log-density is not finite at one of the starts")

        kernel = blackjax.hmc.build_kernel()
        lengths = generator(seed, ["leapfrog"]).integers(-(-self.leapfrog // 2), self.leapfrog * 3 // 2 + 1, self.draws)

        def chain(key: Any, start: Any) -> Any:
            warm, key = jax.random.split(key)
            adaptation = blackjax.window_adaptation(
                blackjax.hmc, log_density, target_acceptance_rate=self.acceptance, num_integration_steps=self.leapfrog
            )
            (state, parameters), _ = adaptation.run(warm, start, num_steps=self.warmup)
            step, inverse_mass = parameters["step_size"], parameters["inverse_mass_matrix"]

            def one(state: Any, key_and_length: Any) -> tuple[Any, Any]:
                key, length = key_and_length
                state, info = kernel(key, state, log_density, step, inverse_mass, length)
                return state, (state.position, state.logdensity, info.acceptance_rate, info.is_divergent)

            return jax.lax.scan(one, state, (jax.random.split(key, self.draws), lengths))[1]

        keys = jax.random.split(jax.random.key(derive(seed, ["hmc"])), self.chains)
        positions, density, acceptance, divergent = map(np.asarray, jax.jit(jax.vmap(chain))(keys, starts))
        found = Chains(positions, density, float(acceptance.mean()), float(divergent.mean()))
        if found.divergent > 0.1 or not 0.4 <= found.acceptance <= 0.99:
            raise ChainsFailed(
                f"{found.divergent:.0%} of transitions diverged and the mean acceptance is {found.acceptance:.2f}; at most 10% and "
                "between 0.40 and 0.99 are trusted: warm up for longer, take shorter trajectories, or a smoother density"
            )
        return found


@dataclass(frozen=True, eq=False)
class Chains:
    """States of chains after warmup.

    Attributes:
        positions: shape (chains, draws, D).
        log_density: at them, shape (chains, draws).
        acceptance: mean probability of acceptance.
        divergent: share of transitions that diverged.
    """

    positions: NDArray[np.float64]
    log_density: NDArray[np.float64]
    acceptance: float
    divergent: float

    @property
    def pooled(self) -> NDArray[np.float64]:
        """All states, shape (chains * draws, D)."""
        return self.positions.reshape(-1, self.positions.shape[-1])

    @property
    def ess(self) -> float:
        """Effective sample size of the log-density over all chains; a network's weights have symmetries, its density has none."""
        return float(need("blackjax", "prob").ess(self.log_density))

    @property
    def rhat(self) -> float:
        """Gelman & Rubin's potential scale reduction of the log-density; 1 where chains agree."""
        return float(need("blackjax", "prob").rhat(self.log_density))
