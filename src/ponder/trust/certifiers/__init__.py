"""Gates that certify or abstain, the attacks that make them abstain, what that costs, and what an owner can see of it."""

from ponder.trust.certifiers.backdoor import AbstentionBackdoor, Patch, Poisoned, suppression_loss
from ponder.trust.certifiers.defences import (
    ConformalAlarm,
    LoadMonitor,
    cluster_scores,
    collision,
    label_disagreement,
    patch_search,
    spectral_scores,
)
from ponder.trust.certifiers.gates import Availability, Costs, Gate, Gated, Served, availability, serve
from ponder.trust.certifiers.intervals import IntervalCertifier, UnsupportedLayer, bounds, interval_loss, lower_margin
from ponder.trust.certifiers.smoothing import SmoothingCertifier

__all__ = [
    "AbstentionBackdoor",
    "Availability",
    "ConformalAlarm",
    "Costs",
    "Gate",
    "Gated",
    "IntervalCertifier",
    "LoadMonitor",
    "Patch",
    "Poisoned",
    "Served",
    "SmoothingCertifier",
    "UnsupportedLayer",
    "availability",
    "bounds",
    "cluster_scores",
    "collision",
    "interval_loss",
    "label_disagreement",
    "lower_margin",
    "patch_search",
    "serve",
    "spectral_scores",
    "suppression_loss",
]
