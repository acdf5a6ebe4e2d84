"""Reproductions: sampling and search."""
