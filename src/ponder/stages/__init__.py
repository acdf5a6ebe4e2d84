"""The verbs: what can be done to a population of candidates. Importing this registers all of them."""

from ponder.core.algebra import until
from ponder.core.stepwise import extend, loop, resample, split, start
from ponder.stages.ab_mcts import ab_mcts
from ponder.stages.accept import accepted
from ponder.stages.choices import shuffled
from ponder.stages.conditions import confident, reached, settled
from ponder.stages.critique import critique
from ponder.stages.decide import abstain, argmax, distinct, draw, judged, prune, top, vote
from ponder.stages.dfs import dfs
from ponder.stages.fuse import fuse
from ponder.stages.gibbs import gibbs
from ponder.stages.hints import hinted
from ponder.stages.logic import formalise, prove, repair
from ponder.stages.mcts import mcts
from ponder.stages.plans import planned
from ponder.stages.rank import rank
from ponder.stages.refine import refine
from ponder.stages.revise import attempts, revise, winners
from ponder.stages.sample import sample, write
from ponder.stages.tempering import tempering
from ponder.stages.unit_tests import unit_tests
from ponder.stages.verify import verify
from ponder.stages.vote_calls import vote_calls
from ponder.stages.weigh import merge, rescore, weigh

__all__ = [
    "ab_mcts",
    "abstain",
    "accepted",
    "argmax",
    "attempts",
    "confident",
    "critique",
    "dfs",
    "distinct",
    "draw",
    "extend",
    "formalise",
    "fuse",
    "gibbs",
    "hinted",
    "judged",
    "loop",
    "mcts",
    "merge",
    "planned",
    "prove",
    "prune",
    "rank",
    "reached",
    "refine",
    "repair",
    "resample",
    "rescore",
    "revise",
    "sample",
    "settled",
    "shuffled",
    "split",
    "start",
    "tempering",
    "top",
    "unit_tests",
    "until",
    "verify",
    "vote",
    "vote_calls",
    "weigh",
    "winners",
    "write",
]
