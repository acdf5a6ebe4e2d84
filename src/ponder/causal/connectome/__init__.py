"""Dynamic functional connectomes: which groups of units change together, and when (Dyballa et al. 2024)."""

from ponder.causal.connectome.affinity import Affinity, differential_affinity
from ponder.causal.connectome.blocks import Partition, WeightedSBM
from ponder.causal.connectome.factorisation import CPResult, NonnegativeCP, RankChoice, choose_rank, factor_match_score
from ponder.causal.connectome.motifs import Motif, dynamic_connectome

__all__ = [
    "Affinity",
    "CPResult",
    "Motif",
    "NonnegativeCP",
    "Partition",
    "RankChoice",
    "WeightedSBM",
    "choose_rank",
    "differential_affinity",
    "dynamic_connectome",
    "factor_match_score",
]
