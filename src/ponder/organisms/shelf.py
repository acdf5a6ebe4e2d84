"""The organisms that are shipped with ponder. What is said of each comes from its weights file, so there is no second list."""

from __future__ import annotations

from pathlib import Path

from ponder.core.errors import InputError, did_you_mean
from ponder.organisms.card import Card, read_card

WEIGHTS = Path(__file__).parent / "weights"


def shelf() -> tuple[Card, ...]:
    """All shipped organisms, by name.

    Raises:
        EngineError: if a shipped file is damaged.
    """
    return tuple(read_card(path) for path in sorted(WEIGHTS.glob("*.safetensors")))


def find(name: str) -> Card:
    """The organism of a name on the shelf, or of a path that ends in .safetensors.

    Raises:
        InputError: there is none, with the nearest name that there is.
        EngineError: its file is damaged.
    """
    if name.endswith(".safetensors"):
        return read_card(Path(name))
    names = [path.stem for path in sorted(WEIGHTS.glob("*.safetensors"))]
    if name not in names:
        hint = did_you_mean(name, names, f"there are {', '.join(names) or 'none'}, or give a path that ends in .safetensors")
        raise InputError(f"no organism is called {name!r}; {hint}")
    return read_card(WEIGHTS / f"{name}.safetensors")
