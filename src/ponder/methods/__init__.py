"""The named pipelines of the literature. Importing this makes every name of the text form known."""

import ponder.scorers
import ponder.stages  # noqa: F401
from ponder.core.text import parse
from ponder.methods.named import METHODS, named
from ponder.methods.sampling import (
    adaptive_consistency,
    best_of_n,
    perplexity_consistency,
    repeated_sampling,
    rpc,
    self_consistency,
    weighted_vote,
)

__all__ = [
    "METHODS",
    "adaptive_consistency",
    "best_of_n",
    "named",
    "parse",
    "perplexity_consistency",
    "repeated_sampling",
    "rpc",
    "self_consistency",
    "weighted_vote",
]
