"""Holdouts that survive being asked again and again, and the mechanisms behind them."""

from ponder.trust.holdout.accounting import epsilon_of, epsilon_of_rho, required_n, transfer_error
from ponder.trust.holdout.ledger import Entry, Ledger
from ponder.trust.holdout.multiplicative import MultiplicativeWeights
from ponder.trust.holdout.queries import StatisticalQueries, attack_accuracy
from ponder.trust.holdout.scorer import HoldoutScorer
from ponder.trust.holdout.thresholdout import Estimate, FreshParts, Holdout, NaiveHoldout, SparseValidate, halves

__all__ = [
    "Entry",
    "Estimate",
    "FreshParts",
    "Holdout",
    "HoldoutScorer",
    "Ledger",
    "MultiplicativeWeights",
    "NaiveHoldout",
    "SparseValidate",
    "StatisticalQueries",
    "attack_accuracy",
    "epsilon_of",
    "epsilon_of_rho",
    "halves",
    "required_n",
    "transfer_error",
]
