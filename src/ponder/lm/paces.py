"""Paces of engines by name: shipped ones, and those that were profiled here."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError, PonderError
from ponder.core.pace import Pace
from ponder.pull import home

SHIPPED = Path(__file__).with_name("paces.json")


def find(engine: str) -> Pace | None:
    """The pace of an engine: the one that was profiled here, else the shipped one, else None."""
    kept = _path(engine)
    if kept.exists():
        try:
            return Pace.from_dict(json.loads(kept.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(f"the pace of {engine} in {kept} cannot be read; delete it, or profile the engine again: {error}") from error
    data = _shipped().get(engine)
    return None if data is None else Pace.from_dict(data)


def keep(engine: str, pace: Pace) -> Path:
    """Keep an engine's pace for bills to come; its file."""
    path = _path(engine)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(pace.to_dict(), indent=2), encoding="utf-8")
    except OSError as error:
        raise PonderError(f"the pace of {engine} cannot be kept in {path}: {error}") from error
    return path


def attach(engine: Any) -> Any:
    """The engine with its pace, if there is one, so that bills tell its idealized seconds."""
    engine.pace = find(engine.name)
    return engine


def _path(engine: str) -> Path:
    return home() / "paces" / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', engine)}.json"


@functools.cache
def _shipped() -> dict[str, Any]:
    return json.loads(SHIPPED.read_text(encoding="utf-8")) if SHIPPED.exists() else {}
