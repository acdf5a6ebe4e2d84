"""All recipes by name, without loading what they need."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ponder.core.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from ponder.train.recipes import Made

RECIPES = {
    "chain-small": "recipes:policy",
    "chain": "recipes:policy",
    "chain-large": "recipes:policy",
    "countdown": "recipes:policy",
    "countdown-head": "judges:countdown_head",
    "chain-outcome": "judges:chain_outcome",
    "chain-selfeval": "judges:chain_selfeval",
    "chain-value": "judges:chain_value",
    "chain-revise": "revise:chain_revise",
    "family": "family:counter",
    "procedures": "procedures:follower",
    "products": "products:make",
    "two-modes": "two_modes:two_modes",
    "logic-formula": "logic:organism",
    "logic-answer": "logic:organism",
    "jump-rates": "jump_rates:make",
}
"""Recipe to its module in this package and its function there."""

ALSO = {
    "chain": "chain-reward-1 to chain-reward-4",
    "countdown": "countdown-reward",
    "products": "products-rft, products-start-0 and products-start",
}
"""What else a recipe writes."""


def recipe(name: str) -> Callable[[Made], list[Path]]:
    """The function that follows a recipe.

    Raises:
        InputError: no recipe has that name.
        MissingExtra: torch is not installed.
    """
    if name not in RECIPES:
        raise InputError(f"no recipe is called {name!r}; {did_you_mean(name, RECIPES, 'there are ' + ', '.join(RECIPES))}")
    module, function = RECIPES[name].split(":")
    return getattr(import_module(f"ponder.train.{module}"), function)


def make(asked: Made) -> list[Path]:
    """Follow a recipe; the files it wrote.

    Raises:
        InputError: no recipe has that name.
    """
    return recipe(asked.name)(asked)
