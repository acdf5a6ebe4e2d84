"""Halfspaces learned under noise by a learner that tests its own assumption and may refuse."""

from ponder.trust.halfspaces.learner import Accepted, Refused, Rejected, TesterLearner
from ponder.trust.halfspaces.local_tests import Outcome, global_tests
from ponder.trust.halfspaces.targets import Gaussian, Sampled

__all__ = ["Accepted", "Gaussian", "Outcome", "Refused", "Rejected", "Sampled", "TesterLearner", "global_tests"]
