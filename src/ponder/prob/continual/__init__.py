"""Learning task after task: exact sequential Bayes, posteriors carried by densities, prototypes with a small memory, and their audit."""

from ponder.prob.continual.audit import accuracy_matrix, average_accuracy, backward_transfer
from ponder.prob.continual.carriers import Carrier, Density, Mixture, mixture
from ponder.prob.continual.chains import HMC, Chains, ChainsFailed
from ponder.prob.continual.flow import Flow, flow
from ponder.prob.continual.linear import LinearBelief
from ponder.prob.continual.network import Network
from ponder.prob.continual.particles import particle_posteriors
from ponder.prob.continual.protocl import ProtoCL
from ponder.prob.continual.prototypes import Prototypes
from ponder.prob.continual.replay import Memory, train
from ponder.prob.continual.sequential import SequentialPosterior

__all__ = [
    "HMC",
    "Carrier",
    "Chains",
    "ChainsFailed",
    "Density",
    "Flow",
    "LinearBelief",
    "Memory",
    "Mixture",
    "Network",
    "ProtoCL",
    "Prototypes",
    "SequentialPosterior",
    "accuracy_matrix",
    "average_accuracy",
    "backward_transfer",
    "flow",
    "mixture",
    "particle_posteriors",
    "train",
]
