"""Self-invoking code: write a function, then a second one that builds on it (HumanEval Pro, Yu et al. 2024, arXiv 2412.21199)."""

from ponder.tasks.self_invoking.records import Item, generated, read_items

__all__ = ["Item", "generated", "read_items"]
