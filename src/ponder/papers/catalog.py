"""The catalog: one entry for each paper that ponder works from, and the latest verdict measured for those that are built."""

from __future__ import annotations

import contextlib
import datetime
import difflib
import functools
import importlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError, PonderError
from ponder.papers.report import Report, Verdict
from ponder.pull import home

WINGS = (
    "sampling and search",
    "spending less per token",
    "learning to think",
    "probabilistic inference",
    "causal inference",
    "validity and trust",
    "benchmarks and surveys",
)
"""The parts of the field that papers are sorted into."""


@dataclass(frozen=True)
class Measured:
    """A verdict and how it was measured.

    Attributes:
        verdict: what the checks of the reproduction gave.
        date: the day of the run, UTC, as YYYY-MM-DD.
        seed, quick, seconds, command: as in the report it came from.
    """

    verdict: Verdict
    date: str
    seed: int
    quick: bool
    seconds: float
    command: str

    def __str__(self) -> str:
        return f"{self.verdict} ({'quick, ' if self.quick else ''}seed {self.seed}, {self.date})"


@dataclass(frozen=True)
class Paper:
    """One paper.

    Attributes:
        number: its place in the catalog, from 1.
        slug: its name in the catalog and on the command line.
        title: as published (the first version where it was renamed).
        authors: the first author, and whether there are others.
        year: of publication.
        arxiv: the arXiv id; "" if there is none.
        wing: one of `WINGS`.
        claim: the central claim in our words. Its figures are the paper's, not measured here.
        code: the module with `reproduce`; "" if the paper is not built.
    """

    number: int
    slug: str
    title: str
    authors: str
    year: int
    arxiv: str
    wing: str
    claim: str
    code: str

    @property
    def built(self) -> bool:
        return bool(self.code)

    @property
    def state(self) -> str:
        """The latest verdict that was measured; "not measured" or "not built" if there is none."""
        if not self.built:
            return "not built"
        measured = verdicts().get(self.slug)
        return measured.verdict if measured else "not measured"

    def reproduce(self, quick: bool = True, seed: int = 0, out: Path | None = None) -> Report:
        """Run the paper's reproduction; figures and data go to the folder `out`, if given.

        Raises:
            PonderError: if the paper is not built.
        """
        if not self.built:
            built = ", ".join(p.slug for p in papers() if p.built)
            raise PonderError(f"{self.slug} is not built: it is in the catalog, but has no reproduction yet. Built: {built}")
        return importlib.import_module(self.code).reproduce(quick=quick, seed=seed, out=out)


@functools.cache
def papers() -> tuple[Paper, ...]:
    """All papers, in order of their numbers."""
    entries = tomllib.loads(_shipped("catalog.toml"))["paper"]
    return tuple(Paper(**entry) for entry in entries)


def find(key: str | int) -> Paper:
    """The paper of a slug or a number; case, and `-` for `_`, do not count.

    Raises:
        InputError: with the nearest slugs.
    """
    text = str(key).strip()
    if text.isdecimal():
        number = int(text)
        if not 1 <= number <= len(papers()):
            raise InputError(f"papers are numbered 1 to {len(papers())}, and {number} was asked for")
        return papers()[number - 1]
    known = {_plain(p.slug): p for p in papers()}
    if _plain(text) in known:
        return known[_plain(text)]
    near = difflib.get_close_matches(_plain(text), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(known[n].slug for n in near)}?" if near else "`ponder papers` lists all"
    raise InputError(f"no paper is called {text!r}; {hint}")


def _plain(slug: str) -> str:
    return slug.strip().lower().replace("_", "-")


def verdicts() -> dict[str, Measured]:
    """The latest verdict of each paper that was run: those shipped with ponder, replaced by those measured on this machine.

    Raises:
        PonderError: if this machine's file cannot be read; the message names it.
    """
    return _measured(json.loads(_shipped("verdicts.json"))) | _own()


def shipped_reports() -> Path:
    """The folder of the reports that come with ponder: a folder a paper with `report.json` and its figures."""
    return Path(str(resources.files("ponder.papers").joinpath("reports")))


def _own() -> dict[str, Measured]:
    path = _verdict_file()
    try:
        return _measured(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PonderError(f"the measured verdicts in {path} cannot be read ({error}); delete the file to start afresh") from error


def record(report: Report) -> Measured:
    """Remember a report's verdict as the latest of its paper on this machine.

    Raises:
        InputError: if the report is of no paper in the catalog.
        PonderError: if the file cannot be written.
    """
    slug = find(report.slug).slug
    verdict = report.verdict
    if verdict is None:
        raise InputError(f"the report of {slug} has no verdict")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    measured = Measured(verdict, today, report.seed, report.quick, round(report.seconds, 1), report.command)
    kept = {name: asdict(m) for name, m in (_own() | {slug: measured}).items()}
    path = _verdict_file()
    part = path.with_name(f"verdicts.{os.getpid()}.part")  # renamed when whole, so that a run killed here leaves the old file as it was
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(dict(sorted(kept.items())), indent=2), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise PonderError(f"the verdict of {slug} could not be kept in {path}: {error}") from error
    return measured


def _measured(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Measured]:
    return {slug: Measured(**fields) for slug, fields in data.items()}


def _verdict_file() -> Path:
    return home() / "verdicts.json"


def _shipped(name: str) -> str:
    return resources.files("ponder.papers").joinpath(name).read_text(encoding="utf-8")
