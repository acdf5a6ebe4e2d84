"""Components of Archon's architectures, as their JSON gives them (Saad-Falcon et al. 2024, arXiv 2409.15254, section 3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError, did_you_mean

OURS = "ponder"
"""The type of a component that Archon has none for: its `stage` is a method's text."""
KINDS = ("generator", "critic", "ranker", "fuser", "verifier", "unit_test_generator", "unit_test_evaluator", OURS)
SINGLE = ("critic", "ranker", "verifier", "unit_test_generator", "unit_test_evaluator")
_NUMBERS = ("samples", "top_k", "first_k", "unit_test_cap", "max_tokens")
KNOWN = {"type", "model", "model_type", "temperature", "use_critiques", "prompt", "orders", "stage", *_NUMBERS}


@dataclass(frozen=True)
class Component:
    """One component of a layer, as its JSON gives it.

    Attributes:
        kind: one of `KINDS`.
        settings: its other keys.
    """

    kind: str
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"no component is of type {self.kind!r}; {did_you_mean(self.kind, KINDS, 'there are ' + ', '.join(KINDS))}")
        for name in _NUMBERS:
            value = self.settings.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{self.kind}: {name} must be a whole number of at least 1, not {value!r}")

    @property
    def model(self) -> str:
        return str(self.settings.get("model", ""))

    def get(self, name: str, default: Any = None) -> Any:
        """A setting, or the default where it is not given or null."""
        value = self.settings.get(name)
        return default if value is None else value

    @property
    def outputs(self) -> int | None:
        """How many candidates it leaves at most; None for as many as it is given."""
        own = {"generator": ("samples", 1), "fuser": ("samples", 1), "ranker": ("top_k", None), "verifier": ("first_k", None)}
        name, default = own.get(self.kind, ("top_k", 1) if self.kind == "unit_test_evaluator" else ("", None))
        return self.get(name, default)


def loaded(config: str | Path) -> Any:
    """What a text of JSON, or a file of it, holds.

    Raises:
        InputError: it is no JSON, or cannot be read.
    """
    try:
        text = Path(config).read_text(encoding="utf-8") if isinstance(config, Path) or not config.lstrip().startswith("{") else config
        return json.loads(text)
    except (OSError, ValueError) as error:
        raise InputError(f"an architecture must be JSON, or a file of it; {str(config)[:60]!r} cannot be read: {error}") from None


def components(layer: Any) -> list[Any]:
    """The components of a layer; Archon's first configurations put them under "models".

    Raises:
        InputError: it is no list.
    """
    inner = layer.get("models") if isinstance(layer, Mapping) else layer
    if not isinstance(inner, list):
        raise InputError(f"a layer is a list of components, not {layer!r:.80}")
    return inner


def component(config: Any) -> Component:
    """One component of its JSON.

    Raises:
        InputError: it is no object with a type that there is, or a number in it is below 1.
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("type"), str):
        raise InputError(f"a component is an object with a 'type', not {config!r:.80}")
    return Component(config["type"], {k: v for k, v in config.items() if k != "type"})
