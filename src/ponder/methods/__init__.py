"""The named pipelines of the literature. Importing this makes every name of the text form known."""

import ponder.scorers
import ponder.stages  # noqa: F401
from ponder.core.text import parse
from ponder.methods.adaptive import adaptive_best_of_n, pruned_best_of_n
from ponder.methods.confident import confidence_vote, rereading, self_certainty
from ponder.methods.gibbs import parallel_tempering, particle_gibbs
from ponder.methods.layered import archon, generative_selection, mixture_of_agents, plan_search, self_refine
from ponder.methods.linc import linc
from ponder.methods.medprompt import medprompt
from ponder.methods.named import METHODS, named
from ponder.methods.resampling import resample_until_pass
from ponder.methods.sampling import (
    adaptive_consistency,
    best_of_n,
    perplexity_consistency,
    repeated_sampling,
    rpc,
    self_consistency,
    weighted_vote,
)
from ponder.methods.start import hint_infer, tool_reasoning
from ponder.methods.stepwise import beam_search, dvts, entropic_particle_filter, particle_filter, step_beam_search
from ponder.methods.trees import adaptive_branching, revisions, tree_of_thoughts, tree_search

__all__ = [
    "METHODS",
    "adaptive_best_of_n",
    "adaptive_branching",
    "adaptive_consistency",
    "archon",
    "beam_search",
    "best_of_n",
    "confidence_vote",
    "dvts",
    "entropic_particle_filter",
    "generative_selection",
    "hint_infer",
    "linc",
    "medprompt",
    "mixture_of_agents",
    "named",
    "parallel_tempering",
    "parse",
    "particle_filter",
    "particle_gibbs",
    "perplexity_consistency",
    "plan_search",
    "pruned_best_of_n",
    "repeated_sampling",
    "rereading",
    "resample_until_pass",
    "revisions",
    "rpc",
    "self_certainty",
    "self_consistency",
    "self_refine",
    "step_beam_search",
    "tool_reasoning",
    "tree_of_thoughts",
    "tree_search",
    "weighted_vote",
]
