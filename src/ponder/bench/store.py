"""Where a run lives: one SQLite file that survives a kill at any moment."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError, PonderError
from ponder.lm.recorded import Call

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (place TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replies (content TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    task TEXT NOT NULL, method TEXT NOT NULL, seed INTEGER NOT NULL, problem TEXT NOT NULL, answer TEXT NOT NULL,
    PRIMARY KEY (task, method, seed, problem)
) WITHOUT ROWID;
"""

Key = tuple[str, str, int, str]
"""Task, method, seed, problem id."""


class RunStore:
    """Answers and engine calls of a run, each kept the moment it exists. Also a `ponder.lm.recorded.CallStore`.

    Writes are transactions in write-ahead mode: after a kill the file holds every transaction that had returned and nothing of
    any other.

    Args:
        folder: the run's folder; made if it is not there.

    Raises:
        PonderError: the folder cannot be written, the disk is full, or the file is no run of ponder's.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.path = self.folder / "run.sqlite"
        self._lock = threading.RLock()
        with self._guarded():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=60, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)

    def settle(self, settings: dict[str, Any]) -> None:
        """Keep what the run depends on, or check that it is what an earlier session kept.

        Raises:
            InputError: naming what differs, since answers of different settings must not be mixed.
        """
        with self._transaction():
            for name, value in settings.items():
                text = json.dumps(value, sort_keys=True)
                self._db.execute("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO NOTHING", (name, text))
                stored = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0]
                if stored != text:
                    raise InputError(f"{self.folder} holds a run with {name} {stored}, and {text} was asked for; use another --out folder")

    def find(self, keys: Sequence[tuple[str, str]]) -> list[tuple[str | None, str | None]]:
        with self._guarded():
            return [
                (
                    self._one("SELECT content FROM places WHERE place = ?", place),
                    self._one("SELECT reply FROM replies WHERE content = ?", content),
                )
                for place, content in keys
            ]

    def keep(self, calls: Sequence[Call]) -> None:
        with self._transaction():
            self._db.executemany("INSERT INTO replies VALUES (?, ?) ON CONFLICT DO NOTHING", [(c.content, c.reply) for c in calls])
            self._db.executemany("INSERT INTO places VALUES (?, ?) ON CONFLICT DO NOTHING", [(c.place, c.content) for c in calls])

    def add(self, key: Key, answer: dict[str, Any]) -> None:
        """Keep an answer. A second answer to the same key is refused: it would be counted twice.

        Raises:
            PonderError: the key has an answer already, or the disk is full.
        """
        with self._transaction():
            self._db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", (*key, json.dumps(answer)))

    def answers(self) -> dict[Key, dict[str, Any]]:
        """All answers, by key, in order of key."""
        with self._guarded():
            rows = self._db.execute("SELECT task, method, seed, problem, answer FROM answers ORDER BY 1, 2, 3, 4").fetchall()
        return {(task, method, seed, problem): json.loads(answer) for task, method, seed, problem, answer in rows}

    def keys(self) -> set[Key]:
        """Keys of all answers."""
        with self._guarded():
            return set(self._db.execute("SELECT task, method, seed, problem FROM answers").fetchall())

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _one(self, query: str, value: str) -> str | None:
        row = self._db.execute(query, (value,)).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.DatabaseError as error:
            hint = (
                "free some space and run the same command again; what was stored is safe"
                if "full" in str(error)
                else "is it a run's folder?"
            )
            raise PonderError(f"the run in {self.folder} cannot be read or written: {error}; {hint}") from error
        except OSError as error:
            raise PonderError(f"the run's folder {self.folder} cannot be used: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled back already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
