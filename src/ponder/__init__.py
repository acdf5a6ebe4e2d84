"""ponder spends inference compute where it pays.

>>> import ponder
>>> ponder.ask("What is 7 * 8?", method="sample(16) | vote()", budget="600 tokens")

Names are imported when they are first used, so that `import ponder` is light.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "ask": "ponder.front",
    "method": "ponder.methods",
    "load": "ponder.lm.load",
    "Answer": "ponder.core.answer",
    "Budget": "ponder.core.budget",
    "Candidate": "ponder.core.problem",
    "Meter": "ponder.core.budget",
    "Population": "ponder.core.population",
    "Price": "ponder.core.budget",
    "Problem": "ponder.core.problem",
    "PonderError": "ponder.core.errors",
    "Sampling": "ponder.core.language",
}

__all__ = ["__version__", *sorted(_HOMES)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ponder' has no attribute {name!r}")
    module = importlib.import_module(_HOMES[name])
    return getattr(module, "parse" if name == "method" else name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
