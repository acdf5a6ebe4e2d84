"""Cause and effect: interventions on string diagrams, causal structure from grouped data and from data with dropouts, connectomes."""
