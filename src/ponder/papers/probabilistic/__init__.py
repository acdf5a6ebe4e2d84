"""Reproductions: probabilistic inference."""
