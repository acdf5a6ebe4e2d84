"""Yesterday's posterior as today's prior, by Hamiltonian Monte Carlo and a density that carries the posterior on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ponder.core.errors import PonderError
from ponder.core.seeds import derive, generator
from ponder.prob.continual.carriers import Carrier, Density, mixture
from ponder.prob.continual.chains import HMC, Chains

LogLikelihood = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, eq=False)
class SequentialPosterior:
    """A belief about a vector of parameters that is updated task by task. Immutable: `update` returns a new one.

    Attributes:
        log_likelihood: log_likelihood(theta, x, y) of a whole task, a scalar that JAX can differentiate; `Network.log_likelihood` is one.
        belief: what the next task starts from: the prior (`Mixture.isotropic`), later what the carrier made of the posterior.
        carrier: `mixture()`, `flow()`, or your own.
        hmc: how chains are run.
        seed: of everything random.
        history: the chains of each task so far.
    """

    log_likelihood: LogLikelihood
    belief: Density
    carrier: Carrier = field(default_factory=mixture)
    hmc: HMC = field(default_factory=HMC)
    seed: int = 0
    history: tuple[Chains, ...] = ()

    def update(self, x: Any, y: Any) -> SequentialPosterior:
        """Sample the posterior of a task under the present belief, and fit the next belief to the samples.

        Raises:
            ChainsFailed: the chains cannot be trusted.
        """
        place = derive(self.seed, ["task", len(self.history)])
        starts = self.belief.sample(self.hmc.chains, generator(place, ["starts"]))
        chains = self.hmc.run(lambda theta: self.log_likelihood(theta, x, y) + self.belief.log_prob(theta), starts, place)
        return replace(self, belief=self.carrier.fit(chains.pooled, derive(place, ["carrier"])), history=(*self.history, chains))

    @property
    def chains(self) -> Chains:
        """The chains of the last task.

        Raises:
            PonderError: before the first.
        """
        if not self.history:
            raise PonderError("no task has been learned yet: call update first")
        return self.history[-1]

    def carried(self, n: int) -> np.ndarray:
        """Samples of what is carried on, shape (n, D): if they predict worse than the chains, the carrier has lost the task."""
        return self.belief.sample(n, generator(self.seed, ["carried", len(self.history)]))
