"""API keys: made, listed, revoked; only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from ponder.core.errors import InputError, did_you_mean
from ponder.serve.limits import parse_limits
from ponder.serve.private_file import PrivateFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, limits TEXT NOT NULL, made REAL NOT NULL, revoked REAL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Key:
    """What is kept of a key.

    Attributes:
        id: the part of it that is no secret.
        name: whose it is; the ledger's caller.
        limits: its own limits as text, "" for the configuration's.
        made: when, in seconds since 1970.
        revoked: when it was revoked, None if it is good.
    """

    id: str
    name: str
    limits: str
    made: float
    revoked: float | None


class KeyStore:
    """The keys in one SQLite file, which several processes may open.

    A key reads "ponder-ID-SECRET" with 192 random bits in its secret, so a plain SHA-256 of it cannot be searched through.

    Args:
        path: the file; made, readable by its owner alone, if it is not there.

    Raises:
        PonderError: the file cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = PrivateFile(Path(path), _SCHEMA, f"the keys in {path}", timeout=10)

    def add(self, name: str, limits: str = "") -> str:
        """Make a key; its text is told here and nowhere again.

        Raises:
            InputError: the name is taken or empty, or the limits cannot be read.
        """
        if not name.strip() or any(not c.isprintable() for c in name):
            raise InputError(f"a key needs a printable name, not {name!r}")
        parse_limits(limits)
        id, hidden = secrets.token_hex(6), secrets.token_hex(24)
        with self._file.guarded() as db:
            try:
                row = (id, name, _hash(hidden), limits, time.time())
                db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)", row)
            except sqlite3.IntegrityError:
                raise InputError(f"there is a key called {name!r} already; revoked names are not used again") from None
        return f"ponder-{id}-{hidden}"

    def all(self) -> list[Key]:
        """Every key that was made, the oldest first."""
        with self._file.guarded() as db:
            return [Key(*row) for row in db.execute("SELECT id, name, limits, made, revoked FROM keys ORDER BY made, name")]

    def revoke(self, name: str) -> None:
        """Refuse a key from now on, by its name or its id. Revoking twice is harmless.

        Raises:
            InputError: there is no such key.
        """
        known = [n for key in self.all() for n in (key.name, key.id)]
        if name not in known:
            raise InputError(f"there is no key called {name!r}; {did_you_mean(name, known, '`ponder keys list` shows them')}")
        with self._file.guarded() as db:
            db.execute("UPDATE keys SET revoked = coalesce(revoked, ?) WHERE name = ? OR id = ?", (time.time(), name, name))

    def find(self, text: str) -> Key | None:
        """The key that a caller has sent; None if it is none of these, or revoked."""
        head, _, rest = text.partition("-")
        id, _, hidden = rest.partition("-")
        if head != "ponder" or not text.isascii():
            return None
        with self._file.guarded() as db:
            row = db.execute("SELECT id, name, limits, made, revoked, hash FROM keys WHERE id = ?", (id,)).fetchone()
        if row is None or row[4] is not None or not hmac.compare_digest(row[5], _hash(hidden)):
            return None
        return Key(*row[:5])

    def close(self) -> None:
        self._file.close()


def _hash(hidden: str) -> str:
    return hashlib.sha256(hidden.encode()).hexdigest()
