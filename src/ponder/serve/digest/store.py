"""The file that the feed and the digest share: what was seen of the catalog, and who gets the digest."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ponder.pull import home
from ponder.serve.private_file import PrivateFile, explained

_SCHEMA = """
PRAGMA secure_delete=ON; -- a deleted address is overwritten; a write-ahead log would keep it
CREATE TABLE IF NOT EXISTS seen (slug TEXT PRIMARY KEY, verdict TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, slug TEXT NOT NULL, kind TEXT NOT NULL,
    verdict TEXT NOT NULL, before TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS subscribers (
    id TEXT PRIMARY KEY, address TEXT NOT NULL UNIQUE, state TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
    asked REAL NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0, bounces INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stopped (mark TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class DigestStore:
    """One SQLite file that only its owner may read, since it holds addresses. Safe for many threads and processes.

    Args:
        folder: by default `digest` in PONDER_HOME; made if it is not there.

    Raises:
        PonderError: the folder cannot be written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home() / "digest"
        what = f"the digest's file in {self.folder}"
        with explained(what):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = PrivateFile(self.folder / "digest.sqlite", _SCHEMA, what, timeout=60)
        with self._file.guarded() as db:
            db.row_factory = sqlite3.Row

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that no other process writes beside."""
        with self._file.guarded() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """What a query finds."""
        with self._file.guarded() as db:
            return db.execute(query, values).fetchall()

    def secret(self) -> str:
        """What links are signed with: made at the first call, kept beside the file."""
        path = self.folder / "secret"
        with self._file.guarded():
            try:
                made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return path.read_text(encoding="ascii")
            with os.fdopen(made, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
            return path.read_text(encoding="ascii")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
