"""Reproductions: learning to think."""
