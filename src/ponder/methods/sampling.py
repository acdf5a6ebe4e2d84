"""Methods that draw whole solutions independently and choose among them."""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage, until
from ponder.core.terms import Range
from ponder.methods.named import named
from ponder.scorers import Scorer, likelihood, weibull
from ponder.stages import argmax, confident, distinct, prune, sample, vote, weigh

Samples = Annotated[int, Range(1, 100_000), "how many completions to draw"]


@named
def repeated_sampling(n: Samples) -> Stage:
    """n samples, the most frequent answer. Coverage is what it is run for (Brown et al. 2024, arXiv 2407.21787)."""
    return sample(n)


@named
def best_of_n(n: Samples, scorer: Annotated[Scorer, "what tells good from bad"] = likelihood()) -> Stage:
    """The sample with the highest score."""
    return sample(n) | weigh(scorer) | argmax()


@named
def self_consistency(n: Samples) -> Stage:
    """The most frequent answer of n samples (Wang et al. 2022, arXiv 2203.11171)."""
    return sample(n) | vote()


@named
def weighted_vote(n: Samples, scorer: Annotated[Scorer, "the weight of a vote"] = likelihood()) -> Stage:
    """The answer with the largest sum of scores."""
    return sample(n) | weigh(scorer) | vote()


@named
def perplexity_consistency(n: Samples, joint: Annotated[bool, "path probability, not one over the perplexity"] = False) -> Stage:
    """The answer whose distinct sampled paths have the most probability (Zhou et al. 2025, arXiv 2502.00511, sec. 4.1)."""
    return sample(n) | weigh(likelihood(joint)) | distinct() | vote()


@named
def rpc(n: Samples, joint: Annotated[bool, "path probability, not one over the perplexity"] = False) -> Stage:
    """Perplexity consistency after improbable paths are pruned by a Weibull mixture (Zhou et al. 2025, arXiv 2502.00511)."""
    return sample(n) | weigh(likelihood(joint)) | prune(weibull()) | distinct() | vote()


@named
def adaptive_consistency(p: Annotated[float, Range(0.5, 1), "how sure the majority must be"] = 0.95, n: Samples = 40) -> Stage:
    """Samples one by one until the majority is settled by its Beta posterior (Aggarwal et al. 2023, arXiv 2305.11860)."""
    return until(confident(p), sample(1), limit=n) | vote()
