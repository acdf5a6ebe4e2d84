"""What has been asked of a holdout and what of its budget is spent, in a file: a second process goes on with the same budget."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError, PonderError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS questions (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL, source TEXT NOT NULL, spent INTEGER NOT NULL, digest TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS by_name ON questions (name) WHERE name <> '';
"""


@dataclass(frozen=True)
class Entry:
    """One question and its answer.

    Attributes:
        number: 0 for the first question of all.
        name: what the asker called it; "" for a question without a name.
        value: what was answered.
        source: where the answer came from.
        spent: budget spent once it was answered.
    """

    number: int
    name: str
    value: float
    source: str
    spent: int


class Ledger:
    """Questions in the order in which they were answered. Several processes may hold the same file: their questions take turns.

    Args:
        path: the file; None keeps the ledger in memory, where it ends with the process.

    Raises:
        PonderError: the file cannot be used.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.RLock()
        with self._guarded():
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            name = ":memory:" if self.path is None else self.path
            self._db = sqlite3.connect(name, timeout=60, check_same_thread=False, isolation_level=None)
            self._db.executescript(_SCHEMA)

    def settle(self, given: Mapping[str, Any], otherwise: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what the answers depend on, or check it against what was kept.

        Args:
            given: the settings; None takes what was kept.
            otherwise: what a new ledger keeps for each setting that is None.

        Returns:
            The settings as the ledger holds them.

        Raises:
            InputError: a setting differs from the one that the ledger was opened with, a larger budget for instance.
        """
        kept: dict[str, Any] = {}
        with self.together():
            for name, value in given.items():
                first = json.dumps(otherwise.get(name) if value is None else value)
                self._db.execute("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO NOTHING", (name, first))
                stored = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0]
                if value is not None and stored != first:
                    raise InputError(
                        f"the ledger {self.path} was opened with {name} {stored}, and {first} is given: what a holdout has told "
                        "cannot be taken back; use the same settings, or fresh holdout rows with a ledger of their own"
                    )
                kept[name] = json.loads(stored)
        return kept

    def answer(self, name: str, digest: str, decide: Callable[[int, int], tuple[float, str, int]]) -> Entry:
        """Answer a question once: a name that was asked before gets its old answer and spends nothing.

        Args:
            name: the question's name, or "".
            digest: what tells one question's scores from another's.
            decide: the question's number and what is spent so far -> value, source, cost. What it raises leaves the ledger as it was.

        Raises:
            InputError: the name was asked before, of other scores.
        """
        with self.together():
            if name:
                old = self._db.execute("SELECT * FROM questions WHERE name = ?", (name,)).fetchone()
                if old is not None:
                    if old[5] != digest:
                        raise InputError(f"the question {name!r} was asked before, of other scores: give it another name")
                    return Entry(*old[:5])
            last = self._db.execute("SELECT number, spent FROM questions ORDER BY number DESC LIMIT 1").fetchone()
            number, spent = (0, 0) if last is None else (last[0] + 1, last[1])
            value, source, cost = decide(number, spent)
            self._db.execute("INSERT INTO questions VALUES (?, ?, ?, ?, ?, ?)", (number, name, value, source, spent + cost, digest))
            return Entry(number, name, value, source, spent + cost)

    def entries(self) -> list[Entry]:
        """Everything that was answered, in order."""
        with self._guarded():
            rows = self._db.execute("SELECT number, name, value, source, spent FROM questions ORDER BY number").fetchall()
        return [Entry(*row) for row in rows]

    @property
    def spent(self) -> int:
        """Budget spent so far."""
        with self._guarded():
            return int(self._db.execute("SELECT COALESCE(MAX(spent), 0) FROM questions").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.DatabaseError, OSError) as error:
            raise PonderError(f"the ledger {self.path} cannot be read or written: {error}") from error

    @contextmanager
    def together(self) -> Iterator[None]:
        """Questions that are kept all or not at all, in one write."""
        with self._guarded():
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
