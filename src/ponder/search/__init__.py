"""Choosing a pipeline: which strategy to use for which question, learnt from what strategies did before."""

from ponder.search.cache import Cache, from_answers
from ponder.search.compute_optimal import Allocation, ComputeOptimal, PolicyCurve, fixed_curve, spent_for
from ponder.search.difficulty import Difficulty, difficulty

__all__ = [
    "Allocation",
    "Cache",
    "ComputeOptimal",
    "Difficulty",
    "PolicyCurve",
    "difficulty",
    "fixed_curve",
    "from_answers",
    "spent_for",
]
