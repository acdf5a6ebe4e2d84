"""The verbs: what can be done to a population of candidates. Importing this registers all of them."""

from ponder.core.algebra import until
from ponder.core.stepwise import extend, loop, resample, split, start
from ponder.stages.ab_mcts import ab_mcts
from ponder.stages.accept import accepted
from ponder.stages.conditions import confident, reached, settled
from ponder.stages.decide import abstain, argmax, distinct, draw, judged, prune, top, vote
from ponder.stages.gibbs import gibbs
from ponder.stages.hints import hinted
from ponder.stages.logic import formalise, prove, repair
from ponder.stages.mcts import mcts
from ponder.stages.revise import attempts, revise, winners
from ponder.stages.sample import sample, write
from ponder.stages.tempering import tempering
from ponder.stages.weigh import merge, rescore, weigh

__all__ = [
    "ab_mcts",
    "abstain",
    "accepted",
    "argmax",
    "attempts",
    "confident",
    "distinct",
    "draw",
    "extend",
    "formalise",
    "gibbs",
    "hinted",
    "judged",
    "loop",
    "mcts",
    "merge",
    "prove",
    "prune",
    "reached",
    "repair",
    "resample",
    "rescore",
    "revise",
    "sample",
    "settled",
    "split",
    "start",
    "tempering",
    "top",
    "until",
    "vote",
    "weigh",
    "winners",
    "write",
]
