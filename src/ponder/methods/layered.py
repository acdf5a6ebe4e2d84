"""Methods in layers: answers are criticised, ranked, fused, verified and selected by a model that reads several of them at once."""

from __future__ import annotations

from functools import reduce
from operator import add, or_
from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.terms import OneOf, Range
from ponder.methods.named import named
from ponder.stages import critique, fuse, planned, rank, refine, sample, verify, vote
from ponder.stages.rank import BY

Samples = Annotated[int, Range(1, 100_000), "how many answers are drawn"]
Models = Annotated[str, "which of the run's models answer, with commas between; the first by default"]


def in_layer(stages: list[Stage]) -> Stage:
    """Stages side by side on the same population."""
    return reduce(add, stages)


@named
def archon(
    n: Samples = 10,
    k: Annotated[int, Range(1, 1000), "how many the ranker leaves, and how many answers each fusion but the last writes"] = 5,
    fusions: Annotated[int, Range(1, 20), "how many layers of fusion; the last writes one answer"] = 1,
    verified: Annotated[bool, "verify the answers before the last fusion"] = False,
) -> Stage:
    """Critics, rankers and fusers in layers (Archon, Saad-Falcon et al. 2024, arXiv 2409.15254, section 3)."""
    last = verify("reasons") | fuse(1) if verified else fuse(1)
    layers = [critique() | rank(k) | (fuse(k) if i + 1 < fusions else last) for i in range(fusions)]
    return reduce(or_, layers, sample(n))


@named
def mixture_of_agents(
    n: Annotated[int, Range(1, 1000), "how many answers each model gives in a layer"] = 3,
    layers: Annotated[int, Range(1, 20), "how many layers of answers before the last fusion"] = 2,
    models: Models = "",
) -> Stage:
    """Layers of answers, each written with those of the layer before in view, and one fused answer at the end, of the first model
    (Wang et al. 2024, arXiv 2406.04692, section 2)."""
    names = [name.strip() for name in models.split(",")]
    proposed = in_layer([sample(n, model=name) for name in names])
    again = [in_layer([fuse(n, model=name) for name in names])] * (layers - 1)
    return reduce(or_, [*again, fuse(1, model=names[0])], proposed)


@named
def generative_selection(
    n: Samples = 8,
    votes: Annotated[int, Range(1, 100), "how many orders are asked; the answer that most choose wins"] = 1,
    by: Annotated[str, OneOf(BY), "how the model chooses: it names the best, orders the list, or compares pairs"] = "best",
) -> Stage:
    """A model reads all answers and names the best (GenSelect, Toshniwal et al. 2025, arXiv 2507.17797)."""
    return sample(n) | rank(1, by=by, orders=votes)


@named
def self_refine(
    n: Samples = 1,
    times: Annotated[int, Range(1, 1000), "the most rounds of feedback and rewriting"] = 3,
) -> Stage:
    """Feedback and rewriting until the feedback finds no error (Madaan et al. 2023, arXiv 2303.17651); of several answers a vote."""
    return sample(n) | refine(times) | vote()


@named
def plan_search(
    n: Samples = 8,
    observations: Annotated[int, Range(1, 100), "how many observations the plans are made from"] = 4,
) -> Stage:
    """Answers to different plans, and a vote (PlanSearch, Wang et al. 2024, arXiv 2409.03733)."""
    return planned(n, observations) | vote()
