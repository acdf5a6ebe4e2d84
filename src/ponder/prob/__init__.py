"""Probabilistic programs, their inference as compositions of stages, and classical processes."""
