"""Ununlearning: what a definition in the context gives back to a model that has forgotten, and filters against it."""

from ponder.trust.unlearning.filters import ContextFilter, Verdict, defined_in
from ponder.trust.unlearning.probe import ConceptCard, Effect, area, balanced_accuracy, probe, recovery, text_probe
from ponder.trust.unlearning.theory import Theory
from ponder.trust.unlearning.world import ConceptWorld, Questions

__all__ = [
    "ConceptCard",
    "ConceptWorld",
    "ContextFilter",
    "Effect",
    "Questions",
    "Theory",
    "Verdict",
    "area",
    "balanced_accuracy",
    "defined_in",
    "probe",
    "recovery",
    "text_probe",
]
