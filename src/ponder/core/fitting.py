"""Asking a batch of which some may not fit a model's context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ponder.core.errors import ContextOverflow

T = TypeVar("T")
R = TypeVar("R")


def each_that_fits(ask: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R | None]:
    """What `ask` gives for each item, None for those that do not fit the context: a batch that holds one is asked in halves."""
    try:
        return [*ask(items)]
    except ContextOverflow:
        half = len(items) // 2
        if not half:
            return [None]
        return [*each_that_fits(ask, items[:half]), *each_that_fits(ask, items[half:])]
