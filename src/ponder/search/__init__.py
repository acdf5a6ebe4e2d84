"""Choosing a pipeline: which strategy to use for which question, and which pipeline of a space, learnt from what they did."""

from ponder.search.cache import Cache, from_answers
from ponder.search.compute_optimal import Allocation, ComputeOptimal, PolicyCurve, fixed_curve, spent_for
from ponder.search.difficulty import Difficulty, difficulty
from ponder.search.evaluate import Runs, Searched
from ponder.search.judging import Judged, holdout, judge
from ponder.search.optimisers import OPTIMISERS, Told
from ponder.search.searching import Found, Plan, Table, Trial, halving, search
from ponder.search.template import Choice, Configuration, Space

__all__ = [
    "OPTIMISERS",
    "Allocation",
    "Cache",
    "Choice",
    "ComputeOptimal",
    "Configuration",
    "Difficulty",
    "Found",
    "Judged",
    "Plan",
    "PolicyCurve",
    "Runs",
    "Searched",
    "Space",
    "Table",
    "Told",
    "Trial",
    "difficulty",
    "fixed_curve",
    "from_answers",
    "halving",
    "holdout",
    "judge",
    "search",
    "spent_for",
]
