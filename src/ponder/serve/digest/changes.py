"""What changed in the catalog: new entries, new verdicts, changed verdicts, each kept with the time it was noticed."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ponder.core.errors import InputError
from ponder.serve.digest.store import DigestStore
from ponder.serve.papers.entries import Entry

Kind = Literal["new entry", "new verdict", "changed verdict"]


@dataclass(frozen=True)
class Change:
    """One thing that happened to an entry.

    Attributes:
        id: changes are counted from 1 in the order in which they were noticed.
        at: when, in seconds since the epoch.
        slug: the paper.
        kind: what happened.
        verdict, before: the verdict now and before; "" for none.
    """

    id: int
    at: float
    slug: str
    kind: Kind
    verdict: str
    before: str

    @property
    def says(self) -> str:
        """The change in a few words."""
        if self.kind == "changed verdict":
            return f"{self.verdict} (before: {self.before})"
        return self.verdict or "new in the catalog"


def notice(store: DigestStore, entries: Sequence[Entry], now: float | None = None) -> None:
    """Keep what changed since the last call.

    At the first call there is nothing to compare with: the verdicts that are there count as new on the days they were measured, and
    the entries themselves as known.
    """
    now = time.time() if now is None else now
    with store.writing() as db:
        seen: dict[str, str] = dict(db.execute("SELECT slug, verdict FROM seen").fetchall())
        changes: list[tuple[float, str, Kind, str, str]] = []
        for entry in entries:
            slug, verdict = entry.paper.slug, entry.measured.verdict if entry.measured else ""
            before = seen.get(slug, "")
            at = now if seen or not entry.measured else _day(entry.measured.date)
            if verdict != before and verdict:
                changes.append((at, slug, "changed verdict" if before else "new verdict", verdict, before))
            elif seen and slug not in seen:
                changes.append((at, slug, "new entry", "", ""))
            # A verdict that is gone (this machine's own was deleted) is no news; the last one known stays for comparison.
            db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (slug, verdict or before))
        changes.sort(key=lambda change: change[0])
        db.executemany("INSERT INTO changes (at, slug, kind, verdict, before) VALUES (?, ?, ?, ?, ?)", changes)


def newest(store: DigestStore, most: int = 100) -> list[Change]:
    """The latest changes, the newest first."""
    return [Change(**row) for row in store.rows("SELECT * FROM changes ORDER BY at DESC, id DESC LIMIT ?", most)]


def last_id(store: DigestStore) -> int:
    """The id of the last change that was noticed; 0 if none was."""
    return store.rows("SELECT coalesce(max(id), 0) AS last FROM changes")[0]["last"]


def since(store: DigestStore, change: int = 0, date: str = "") -> list[Change]:
    """The net changes after the one with the id `change`, and from the day `date` on: one a paper, the newest first.

    A paper whose verdict changed and changed back is left out.

    Raises:
        InputError: `date` is not written YYYY-MM-DD.
    """
    rows = store.rows("SELECT * FROM changes WHERE id > ? AND at >= ? ORDER BY id", change, _day(date) if date else 0.0)
    net: dict[str, Change] = {}
    for row in rows:
        new = Change(**row)
        old = net.get(new.slug)
        if old:
            kind: Kind = "new verdict" if old.kind == "new entry" else old.kind
            new = Change(new.id, new.at, new.slug, kind, new.verdict, old.before)
        net[new.slug] = new
    told = [c for c in net.values() if c.kind == "new entry" or c.verdict != c.before]
    return sorted(told, key=lambda c: (c.at, c.id), reverse=True)


def _day(date: str) -> float:
    try:
        return datetime.datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=datetime.UTC).timestamp()
    except ValueError as error:
        raise InputError(f"a date is written YYYY-MM-DD, as 2026-11-24, not {date!r}") from error
