"""Reproductions: validity and trust."""
