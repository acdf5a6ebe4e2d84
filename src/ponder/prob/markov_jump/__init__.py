"""Continuous-time Markov chains: simulation, what follows from the rates, and fitting to sparse and noisy observations."""

from ponder.prob.markov_jump.chain import (
    checked_rates,
    entropy_production,
    flashing_ratchet,
    hellinger,
    mean_first_passage,
    ratchet_parameters,
    relaxation_times,
    simulate,
    stationary,
    transition_matrix,
)
from ponder.prob.markov_jump.choosing import ChosenRates, infer_rates
from ponder.prob.markov_jump.fitting import JumpFit, fit, log_likelihood
from ponder.prob.markov_jump.network import RateEstimate, RateNetwork, shipped
from ponder.prob.markov_jump.panel import Panel
from ponder.prob.markov_jump.prior import JumpPrior, JumpTasks

__all__ = [
    "ChosenRates",
    "JumpFit",
    "JumpPrior",
    "JumpTasks",
    "Panel",
    "RateEstimate",
    "RateNetwork",
    "checked_rates",
    "entropy_production",
    "fit",
    "flashing_ratchet",
    "hellinger",
    "infer_rates",
    "log_likelihood",
    "mean_first_passage",
    "ratchet_parameters",
    "relaxation_times",
    "shipped",
    "simulate",
    "stationary",
    "transition_matrix",
]
