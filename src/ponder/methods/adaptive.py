"""Methods that spend by self-evaluation: they stop when a sample is good enough, or give up early on those that are not.

Manvi et al. 2024, arXiv 2410.02725. The scorer is the model itself, asked (`win_or_tie`), or a trained head (`prm(NAME)`).
"""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage, until
from ponder.core.schedules import Schedule, doubling, rising
from ponder.core.terms import OneOf, Range
from ponder.methods.named import named
from ponder.scorers import Scorer, win_or_tie
from ponder.stages import argmax, extend, judged, loop, reached, rescore, sample, start, top, weigh, write

Most = Annotated[int, Range(1, 100_000), "the most samples"]
Judge = Annotated[Scorer, "log-probability that a fresh sample would do no better, or of being right"]


def kept(n: int, keep: float) -> int:
    """How many of n candidates a share of them is: rounded, at least one."""
    return max(1, round(keep * n))


@named
def adaptive_best_of_n(
    n: Most = 16,
    threshold: Annotated[float | None, Range(0, 1), "the score that is good enough to stop; None draws all"] = 0.9,
    scorer: Judge = win_or_tie(),
    temperature: Annotated[float | Schedule | None, Range(0), "of each sample; by default greedy first, then rising"] = rising(),
    batched: Annotated[bool, "draw 1, 1, 2, 4, 8, ... at once: fewer rounds, more samples"] = False,
) -> Stage:
    """Draw until a sample scores well enough, at most n, and take the best (Manvi et al. 2024, section on adaptive sampling).

    A schedule's rounds are samples, or batches of them. Without a threshold and a schedule it is best-of-n. Whoever watches finds
    the number of rounds in the trace's notes.
    """
    if threshold is None and not isinstance(temperature, Schedule):
        return sample(n, temperature=temperature) | weigh(scorer) | argmax()
    many = doubling(n)
    one = sample(many if batched else 1, temperature=temperature) | weigh(scorer)
    return until(reached(threshold), one, limit=many.rounds if batched else n) | judged(scorer) | argmax()


@named
def pruned_best_of_n(
    n: Most = 16,
    keep: Annotated[float, Range(0, 1), "the share that is written to the end; at least one is"] = 0.5,
    at: Annotated[int, Range(1, 100_000), "after how many tokens or steps the others are given up"] = 64,
    scorer: Judge = win_or_tie(),
    unit: Annotated[str, OneOf(("tokens", "steps")), "what `at` counts"] = "tokens",
) -> Stage:
    """Begin n samples, finish those that score best half-way, and take the best (Manvi et al. 2024, section on early pruning).

    The scorer must be able to judge what is not finished. With keep=1 it is best-of-n.
    """
    if kept(n, keep) == n:
        return sample(n) | weigh(scorer) | argmax()
    begin = write(at, n=n) if unit == "tokens" else start(n) | loop(extend(), limit=at)
    finish = sample(1) if unit == "tokens" else loop(extend())
    return begin | rescore(scorer) | top(kept(n, keep)) | finish | rescore(scorer) | argmax()
