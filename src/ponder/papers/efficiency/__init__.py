"""Reproductions: spending less per token."""
