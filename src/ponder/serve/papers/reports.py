"""The reports of reproductions, one folder a paper: those made on this machine, and where there is none, those that come with ponder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError
from ponder.papers.catalog import shipped_reports

MEDIA = {".svg": "image/svg+xml", ".png": "image/png"}


def read_report(folder: Path, slug: str) -> dict[str, Any] | None:
    """The kept report of a paper as `Report.to_dict` made it, its figures as names of files that are there; None if there is none.

    Raises:
        PonderError: there is one that cannot be read.
    """
    path = _place(folder, slug) / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise PonderError(f"the report of {slug} in {path} cannot be read ({error}); run the paper again") from error
    names = [Path(figure).name for figure in report["figures"]]
    return report | {"figures": [name for name in names if figure_path(folder, slug, name)]}


def figure_path(folder: Path, slug: str, name: str) -> Path | None:
    """Where a figure of a kept report is; None if it is not there or `name` is no plain name of a figure."""
    path = _place(folder, slug) / name
    return path if Path(name).name == name and path.suffix in MEDIA and path.is_file() else None


def _place(folder: Path, slug: str) -> Path:
    own = folder / slug
    return own if (own / "report.json").exists() else shipped_reports() / slug


def keep_report(made: Path, folder: Path, slug: str) -> None:
    """Put the folder `made`, which a run has filled, in the place of the paper's earlier report."""
    place, old = folder / slug, folder / f".{slug}.{os.getpid()}.old"
    with contextlib.suppress(FileNotFoundError):
        os.replace(place, old)
    os.replace(made, place)
    shutil.rmtree(old, ignore_errors=True)
