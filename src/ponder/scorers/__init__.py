"""Verifiers and reward models: what tells good candidates from bad ones. Importing this registers all of them."""

from ponder.scorers.ask import judge, self_eval
from ponder.scorers.base import Scorer
from ponder.scorers.code_tests import tests
from ponder.scorers.confidence import borda, certainty, confidence, heaviest, minmax
from ponder.scorers.generated_tests import generated_tests
from ponder.scorers.procedure import procedure
from ponder.scorers.process import lookahead, odds, prm, raw
from ponder.scorers.prover import prover
from ponder.scorers.round_trip import round_trip
from ponder.scorers.selfeval import win_or_tie
from ponder.scorers.simple import likelihood, matches, random
from ponder.scorers.weibull import weibull

__all__ = [
    "Scorer",
    "borda",
    "certainty",
    "confidence",
    "generated_tests",
    "heaviest",
    "judge",
    "likelihood",
    "lookahead",
    "matches",
    "minmax",
    "odds",
    "prm",
    "procedure",
    "prover",
    "random",
    "raw",
    "round_trip",
    "self_eval",
    "tests",
    "weibull",
    "win_or_tie",
]
