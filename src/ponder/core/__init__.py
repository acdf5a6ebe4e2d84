"""Populations, stages, budgets and answers. Imports nothing else of ponder."""
