"""Causal structure from many environments of two samples each (causal de Finetti, Guo et al. 2023)."""

from ponder.causal.de_finetti.learner import CausalDeFinetti, DagResult, Direction, NoSinkError, bivariate_direction, pairs
from ponder.causal.de_finetti.mechanisms import binary_pair_law, random_dag, simulate_binary, simulate_continuous, structural_distance

__all__ = [
    "CausalDeFinetti",
    "DagResult",
    "Direction",
    "NoSinkError",
    "binary_pair_law",
    "bivariate_direction",
    "pairs",
    "random_dag",
    "simulate_binary",
    "simulate_continuous",
    "structural_distance",
]
