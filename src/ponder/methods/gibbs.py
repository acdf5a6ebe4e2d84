"""Methods that run a particle filter over steps again and again, keeping a trajectory each time."""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.errors import InputError
from ponder.core.resampling import multinomial
from ponder.core.terms import Range
from ponder.methods.named import named
from ponder.methods.stepwise import SELECT, Scoring, Select, Weighting, weighing
from ponder.scorers import prm
from ponder.stages import extend, gibbs, resample, tempering
from ponder.stages.gibbs import Ancestors
from ponder.stages.tempering import Chains, Hottest

Total = Annotated[int, Range(2, 100_000), "how many particles in all; each sweep has an equal part of them, at least 2"]
Sweeps = Annotated[int, Range(1, 100_000), "how many sweeps (of each chain), the first included"]
Burn = Annotated[int, Range(0), "how many sweeps are left out of the result; sweeps - 1 keeps the last alone"]


@named
def particle_gibbs(
    n: Total,
    sweeps: Sweeps = 4,
    scorer: Scoring = prm(),
    weighting: Weighting = "logit",
    ancestors: Ancestors = False,
    burn: Burn = 0,
    select: Select = "argmax",
) -> Stage:
    """Particle filters that each keep a trajectory of the one before (Puri et al. 2025, arXiv 2502.01618, Algorithm 2)."""
    body = resample(multinomial()) | extend() | weighing(scorer, weighting)
    return gibbs(body, _share(n, sweeps, "sweeps"), sweeps, ancestors, burn) | SELECT[select]()


@named
def parallel_tempering(
    n: Total,
    sweeps: Sweeps = 2,
    chains: Chains = 2,
    hottest: Hottest = 2.0,
    scorer: Scoring = prm(),
    weighting: Weighting = "logit",
    ancestors: Ancestors = False,
    burn: Burn = 0,
    select: Select = "argmax",
) -> Stage:
    """Particle Gibbs in chains of several temperatures that exchange their trajectories (Puri et al. 2025, Algorithm 3)."""
    body = resample(multinomial()) | extend() | weighing(scorer, weighting)
    share = _share(n, sweeps * chains, "sweeps * chains")
    return tempering(body, share, sweeps, chains, hottest, ancestors, burn) | SELECT[select]()


def _share(n: int, parts: int, name: str) -> int:
    if n % parts or n // parts < 2:
        raise InputError(f"n must be a multiple of {name} and at least twice that: {n} are not {parts} equal parts of 2 or more")
    return n // parts
