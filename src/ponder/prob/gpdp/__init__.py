"""Harvesting under unknown dynamics: a Gaussian process or parametric models learn them, dynamic programming plans."""

from ponder.prob.gpdp.dynamics import MODELS, TRAINING, Fishery, Model, allen, myers, ricker
from ponder.prob.gpdp.parametric import Fit, criteria, fit_parametric, parametric_transitions
from ponder.prob.gpdp.planning import Plan, harvest_problem, policy_iteration, simulate_harvest, value_iteration
from ponder.prob.gpdp.regression import GPPosterior, GPSamples, fit_gp, gp_posterior, log_marginal

__all__ = [
    "MODELS",
    "TRAINING",
    "Fishery",
    "Fit",
    "GPPosterior",
    "GPSamples",
    "Model",
    "Plan",
    "allen",
    "criteria",
    "fit_gp",
    "fit_parametric",
    "gp_posterior",
    "harvest_problem",
    "log_marginal",
    "myers",
    "parametric_transitions",
    "policy_iteration",
    "ricker",
    "simulate_harvest",
    "value_iteration",
]
