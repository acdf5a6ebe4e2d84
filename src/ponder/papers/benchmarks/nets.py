"""Nets of these reproductions that are no engines: their tokens stand on a page, or are pairs of letters."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open

from ponder.organisms.card import Card, Config, read_tensors
from ponder.organisms.net import Net


def shipped(recipe: str) -> list[Path]:
    """The shipped nets of a recipe, which differ in their seeds."""
    return sorted((Path(__file__).parent / "weights").glob(f"{recipe}-*.safetensors"))


def load_net(path: Path) -> Net:
    """The net of a file."""
    with safe_open(str(path), framework="numpy") as file:
        config = Config(**json.loads(file.metadata()["config"]))
    card = Card(path, config)
    return Net(card, read_tensors(card))
