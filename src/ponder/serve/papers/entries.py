"""The catalog as the page lists it: each paper with its latest verdict, the newest verdict first."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from dataclasses import dataclass

from ponder.papers.catalog import Measured, Paper, papers, verdicts

STATES = ("reproduced", "partly", "does not reproduce", "not measured", "not built")
"""What the page can say of a paper."""


@dataclass(frozen=True)
class Entry:
    """A paper and its latest verdict, None if it has none."""

    paper: Paper
    measured: Measured | None

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if not self.paper.built:
            return "not built"
        return self.measured.verdict if self.measured else "not measured"


def entries() -> tuple[Entry, ...]:
    """All papers: those with a verdict by its date, newest first; then those built, then the rest; each by number."""
    known = verdicts()
    listed = [Entry(paper, known.get(paper.slug) if paper.built else None) for paper in papers()]
    listed.sort(key=lambda e: not e.paper.built)
    return tuple(sorted(listed, key=lambda e: e.measured.date if e.measured else "", reverse=True))


def only(listed: Sequence[Entry], wing: str = "", state: str = "") -> tuple[Entry, ...]:
    """The entries of one wing and one state; "" is any."""
    return tuple(e for e in listed if wing in ("", e.paper.wing) and state in ("", e.state))


@functools.cache
def names_of(arxiv: str) -> tuple[str, ...]:
    """The names of the method language whose description cites the paper with this arXiv id."""
    import ponder.methods  # noqa: F401  registers every name
    from ponder.core.terms import REGISTRY

    return tuple(sorted(name for name, maker in REGISTRY.items() if arxiv and arxiv in (inspect.getdoc(maker) or "")))
