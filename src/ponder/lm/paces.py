"""Paces of engines by name: those that were profiled here, else shipped ones."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from ponder.core.pace import Pace
from ponder.lm.tuned import read, write

SHIPPED = Path(__file__).with_name("paces.json")


def find(engine: str) -> Pace | None:
    """The pace of an engine: the one that was profiled here, else the shipped one, else None."""
    data = read("paces", engine) or _shipped().get(engine)
    return None if data is None else Pace.from_dict(data)


def keep(engine: str, pace: Pace) -> Path:
    """Keep an engine's pace for bills to come; its file."""
    return write("paces", engine, pace.to_dict())


def attach(engine: Any) -> Any:
    """The engine with its pace, if there is one, so that bills tell its idealized seconds."""
    engine.pace = find(engine.name)
    return engine


@functools.cache
def _shipped() -> dict[str, Any]:
    return json.loads(SHIPPED.read_text(encoding="utf-8"))
