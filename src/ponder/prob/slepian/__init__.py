"""How long a smooth stationary Gaussian process stays on one side of zero: the independent interval approximation and its simulation."""

from ponder.prob.slepian.law import ExcursionLaw, InvalidApproximation, NotDifferentiable, excursion_law
from ponder.prob.slepian.simulation import Excursions, simulate_excursions

__all__ = ["ExcursionLaw", "Excursions", "InvalidApproximation", "NotDifferentiable", "excursion_law", "simulate_excursions"]
