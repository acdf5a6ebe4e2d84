"""Holdouts that survive being asked again and again, and the mechanisms behind them."""

from ponder.trust.holdout.accounting import epsilon_of, epsilon_of_rho, required_n, transfer_error
from ponder.trust.holdout.ledger import Entry, Ledger
from ponder.trust.holdout.thresholdout import Estimate, FreshParts, Holdout, NaiveHoldout, SparseValidate, halves

__all__ = [
    "Entry",
    "Estimate",
    "FreshParts",
    "Holdout",
    "Ledger",
    "NaiveHoldout",
    "SparseValidate",
    "epsilon_of",
    "epsilon_of_rho",
    "halves",
    "required_n",
    "transfer_error",
]
