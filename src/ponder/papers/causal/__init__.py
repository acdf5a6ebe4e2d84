"""Reproductions: causal inference."""
