"""A SQLite file that holds secrets: its owner alone may read it, several threads and processes may use it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ponder.core.errors import PonderError


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Failures of files and of SQLite as one of ponder's errors, which says that `what` cannot be used."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise PonderError(f"{what} cannot be used: {error}") from error


class PrivateFile:
    """An open file.

    Args:
        path: made if it is not there.
        schema: statements that make its tables.
        what: how errors call it.
        timeout: seconds to wait for another process that writes.

    Attributes:
        db: the connection, to be used inside `guarded` alone.

    Raises:
        PonderError: it cannot be used.
    """

    def __init__(self, path: Path, schema: str, what: str, timeout: float) -> None:
        self._what, self._lock = what, threading.RLock()
        with explained(what):
            path.touch(mode=0o600)
            self.db = sqlite3.connect(path, timeout=timeout, check_same_thread=False, isolation_level=None)
            self.db.executescript(schema)

    @contextmanager
    def guarded(self) -> Iterator[sqlite3.Connection]:
        """The connection for one thread at a time; its failures are ponder's errors."""
        with self._lock, explained(self._what):
            yield self.db

    def close(self) -> None:
        with self._lock:
            self.db.close()
