"""Reproductions: benchmarks and surveys."""
