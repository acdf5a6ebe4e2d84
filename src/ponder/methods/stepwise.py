"""Methods that weigh and choose between the steps of a solution."""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.errors import InputError
from ponder.core.resampling import Resampler, systematic
from ponder.core.schedules import Schedule, entropic
from ponder.core.terms import OneOf, Range
from ponder.methods.named import named
from ponder.scorers import Scorer, lookahead, odds, prm, raw
from ponder.stages import argmax, distinct, draw, extend, loop, resample, rescore, start, top, vote, weigh

Particles = Annotated[int, Range(1, 100_000), "how many particles"]
Width = Annotated[int, Range(1, 1000), "children of each kept candidate"]
Scoring = Annotated[Scorer, "what judges a solution so far, by log-probability"]
SELECT = {"argmax": argmax, "vote": vote, "draw": draw}
Select = Annotated[str, OneOf(tuple(SELECT)), "how the answer is chosen from the last particles"]


def weighing(scorer: Scorer, weighting: str, temperature: float | Schedule = 1.0, again: bool = False) -> Stage:
    """The weights of card 18's definitions: "logit", "softmax" and "product" are new factors, "ratio" lets the last odds alone count."""
    factor = {"logit": odds(scorer), "ratio": odds(scorer), "softmax": raw(scorer), "product": scorer}[weighting]
    return weigh(factor, ratio=weighting == "ratio", temperature=temperature, again=again)


Weighting = Annotated[
    str,
    OneOf(("logit", "softmax", "product", "ratio")),
    "what a score multiplies a weight by: its odds, exp(score), the score, or its odds over those of the step before",
]


@named
def particle_filter(
    n: Particles,
    scorer: Scoring = prm(),
    weighting: Weighting = "logit",
    scheme: Annotated[Resampler, "how survivors are drawn"] = systematic(),
    ess: Annotated[float, Range(0, 1), "resample only when the effective share of the particles falls below this"] = 1.0,
    temperature: Annotated[float | Schedule, Range(1e-9), "of the weights; a number or a schedule over steps"] = 1.0,
    finished: Annotated[str, OneOf(("once", "again")), "how often finished particles are weighed: again is as the authors' code"] = "once",
    select: Select = "argmax",
) -> Stage:
    """Sequential Monte Carlo over reasoning steps (Puri et al. 2025, arXiv 2502.01618, Algorithm 1)."""
    body = resample(scheme, ess=ess) | extend() | weighing(scorer, weighting, temperature, finished == "again")
    return start(n) | loop(body) | SELECT[select]()


@named
def entropic_particle_filter(n: Particles, scorer: Scoring = prm(), select: Select = "argmax") -> Stage:
    """A particle filter that heats its weights while they would degenerate early (as in its-hub)."""
    return particle_filter(n, scorer, temperature=entropic(), select=select)


@named
def beam_search(
    n: Particles,
    width: Width = 4,
    scorer: Scoring = prm(),
    ahead: Annotated[int, Range(0, 100), "steps of greedy lookahead before a score is read"] = 0,
) -> Stage:
    """Keep the n / width best of n prefixes at every step, then vote by score (Snell et al. 2024, arXiv 2408.03314, section 5.2)."""
    kept = _kept(n, width)
    ranked = lookahead(scorer, ahead) if ahead else scorer
    return start(kept) | extend(width) | loop(rescore(ranked) | top(kept) | extend(width)) | rescore(scorer) | vote()


@named
def dvts(n: Particles, width: Width = 4, scorer: Scoring = prm()) -> Stage:
    """Diverse verifier tree search: n / width beams that each keep their best child (Beeching et al. 2024)."""
    return start(_kept(n, width)) | extend(width) | loop(rescore(scorer) | top(1, each=True) | extend(width)) | rescore(scorer) | vote()


@named
def step_beam_search(
    beam: Annotated[int, Range(1, 1000), "how many states are kept"] = 1,
    branching: Width = 5,
    scorer: Annotated[Scorer, "the value of a state"] = prm(),
) -> Stage:
    """Step-level beam search by a value, the finished path of the largest value wins (Chen et al. 2024, arXiv 2405.03553, section 3.4)."""
    grow = rescore(scorer) | distinct() | top(beam) | extend(branching)
    return start(beam) | extend(branching) | loop(grow) | rescore(scorer) | argmax()


def _kept(n: int, width: int) -> int:
    if n % width:
        raise InputError(f"n must be a multiple of width: {n} candidates cannot be {width} children of each kept one")
    return n // width
