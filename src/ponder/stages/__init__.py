"""The verbs: what can be done to a population of candidates. Importing this registers all of them."""

from ponder.core.algebra import until
from ponder.core.stepwise import extend, loop, split, start
from ponder.stages.conditions import confident, reached, settled
from ponder.stages.decide import abstain, argmax, distinct, draw, judged, prune, top, vote
from ponder.stages.sample import sample, write
from ponder.stages.weigh import merge, resample, rescore, weigh

__all__ = [
    "abstain",
    "argmax",
    "confident",
    "distinct",
    "draw",
    "extend",
    "judged",
    "loop",
    "merge",
    "prune",
    "reached",
    "resample",
    "rescore",
    "sample",
    "settled",
    "split",
    "start",
    "top",
    "until",
    "vote",
    "weigh",
    "write",
]
