"""Settings that tuning found for an engine on this machine, kept for the next time that it is loaded."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError, PonderError
from ponder.pull import home


def keep(engine: str, settings: Mapping[str, Any]) -> Path:
    """Keep an engine's settings; their file. Delete it to go back to the engine's own."""
    path = _path(engine)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(settings), indent=2), encoding="utf-8")
    except OSError as error:
        raise PonderError(f"the settings of {engine} cannot be kept in {path}: {error}") from error
    return path


def kept(engine: str, kind: type[Any]) -> dict[str, Any]:
    """The settings that are kept for an engine, those that `kind` (a dataclass) has; {} if there are none.

    Raises:
        InputError: the file cannot be read.
    """
    path = _path(engine)
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {k: v for k, v in found.items() if k in {f.name for f in dataclasses.fields(kind)}}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"the settings of {engine} in {path} cannot be read; delete it, or tune again: {error}") from error


def _path(engine: str) -> Path:
    return home() / "tuned" / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', engine)}.json"
