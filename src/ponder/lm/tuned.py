"""What was measured of an engine on this machine, kept for the next time that it is loaded: its fastest settings, its pace."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError, PonderError
from ponder.pull import home

KINDS = {"tuned": "settings", "paces": "pace"}


def write(kind: str, engine: str, data: Mapping[str, Any]) -> Path:
    """Keep what was measured; its file. Delete it to forget."""
    path = _path(kind, engine)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(data), indent=2), encoding="utf-8")
    except OSError as error:
        raise PonderError(f"the {KINDS[kind]} of {engine} cannot be kept in {path}: {error}") from error
    return path


def read(kind: str, engine: str) -> dict[str, Any] | None:
    """What was kept; None if nothing was.

    Raises:
        InputError: the file cannot be read.
    """
    path = _path(kind, engine)
    if not path.exists():
        return None
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"the {KINDS[kind]} of {engine} in {path} cannot be read; delete it, or measure again: {error}") from error


def keep(engine: str, settings: Mapping[str, Any]) -> Path:
    """Keep an engine's settings; their file."""
    return write("tuned", engine, settings)


def kept(engine: str, kind: type[Any]) -> dict[str, Any]:
    """The settings that are kept for an engine, those that `kind` (a dataclass) has; {} if there are none."""
    names = {f.name for f in dataclasses.fields(kind)}
    return {k: v for k, v in (read("tuned", engine) or {}).items() if k in names}


def _path(kind: str, engine: str) -> Path:
    return home() / kind / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', engine)}.json"
