"""What a released model says about the make-up of its training set: the game, attacks, and the leak as a number of records."""

from ponder.trust.distribution_inference.black_box import Answers, BlackBox, KLAttack, LossTest, PerPointThreshold, ThresholdTest
from ponder.trust.distribution_inference.census import read_census
from ponder.trust.distribution_inference.game import AttackReport, DistributionInferenceGame, Played, pooled, report
from ponder.trust.distribution_inference.graphs import clustered_graph, graph_records, zipf_graph
from ponder.trust.distribution_inference.leakage import (
    exact_accuracy,
    n_leaked,
    n_leaked_degrees,
    n_leaked_regression,
    samples_needed,
)
from ponder.trust.distribution_inference.networks import Networks, train_networks
from ponder.trust.distribution_inference.records import Records, check_disjoint, two_parties, with_ratio
from ponder.trust.distribution_inference.white_box import Meta, PermutationInvariantMetaClassifier

__all__ = [
    "Answers",
    "AttackReport",
    "BlackBox",
    "DistributionInferenceGame",
    "KLAttack",
    "LossTest",
    "Meta",
    "Networks",
    "PerPointThreshold",
    "PermutationInvariantMetaClassifier",
    "Played",
    "Records",
    "ThresholdTest",
    "check_disjoint",
    "clustered_graph",
    "exact_accuracy",
    "graph_records",
    "n_leaked",
    "n_leaked_degrees",
    "n_leaked_regression",
    "pooled",
    "read_census",
    "report",
    "samples_needed",
    "train_networks",
    "two_parties",
    "with_ratio",
    "zipf_graph",
]
