"""A line a request, written behind: an answer never waits for the disk, and a full disk loses nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from ponder.core.budget import Bill
from ponder.serve.private_file import explained

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id TEXT PRIMARY KEY, began REAL NOT NULL, caller TEXT NOT NULL, model TEXT NOT NULL, method TEXT NOT NULL, status INTEGER NOT NULL,
    seconds REAL NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, cached INTEGER NOT NULL, calls INTEGER NOT NULL,
    engine_seconds REAL NOT NULL, money REAL NOT NULL, requests INTEGER NOT NULL, prompt TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_caller ON requests (caller, began);
"""


@dataclass(frozen=True)
class Line:
    """One request, or several of the same kind where a full disk made it necessary to add them up.

    Attributes:
        id: what makes it one line, however often it is written.
        began: seconds since 1970.
        caller: the key's name.
        model, method: what was asked.
        status: the HTTP status; 499 for a client that hung up.
        seconds: from admission to the end.
        bill: what was spent.
        requests: how many requests it stands for.
        prompt: what was asked, where the configuration says so.
    """

    id: str
    began: float
    caller: str
    model: str
    method: str
    status: int
    seconds: float
    bill: Bill
    requests: int = 1
    prompt: str | None = None

    def __add__(self, other: Line) -> Line:
        seconds, requests = self.seconds + other.seconds, self.requests + other.requests
        return replace(self, seconds=seconds, bill=self.bill + other.bill, requests=requests, prompt=None)


class Ledger:
    """Lines in one SQLite file, written by a thread of its own.

    Args:
        path: the file; "" keeps nothing.
        pending: how many lines wait in memory while the file cannot be written. Beyond that the oldest are added up by caller,
            model, method, status and hour: bills stay exact, single lines are lost.
        retry: seconds until a failed write is tried again.

    Attributes:
        failures: how many writes have failed.
        trouble: what the last failed write said, "" once one has succeeded.

    Raises:
        PonderError: the file cannot be opened.
    """

    def __init__(self, path: str | Path, pending: int = 10_000, retry: float = 1.0) -> None:
        self.path, self.failures, self.trouble = path, 0, ""
        self._pending, self._retry = pending, retry
        self._lines: deque[Line] = deque()
        self._sums: dict[tuple[str, str, str, int, int], Line] = {}
        self._wake = threading.Condition()
        self._writing = False
        self._closed = False
        if not path:
            return
        with explained(f"the ledger {path}"):
            self._db = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
            self._reader = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="ponder-ledger", daemon=True)
        self._thread.start()

    def record(self, line: Line) -> None:
        """Keep a line. It never waits, and never fails."""
        if not self.path:
            return
        with self._wake:
            self._lines.append(line)
            while len(self._lines) > self._pending:
                self._fold(self._lines.popleft())
            self._wake.notify()

    @property
    def pending(self) -> int:
        """How many lines are not written yet."""
        with self._wake:
            return len(self._lines) + len(self._sums)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything is written; False if that did not happen in time."""
        with self._wake:
            return self._wake.wait_for(lambda: not (self._lines or self._sums or self._writing), timeout)

    def spent(self, caller: str, since: float) -> tuple[int, int, float]:
        """What a caller has used in the file since a time (seconds since 1970): requests, tokens, money."""
        if not self.path:
            return 0, 0, 0.0
        query = "SELECT total(requests), total(tokens_in + tokens_out), total(money) FROM requests WHERE caller = ? AND began >= ?"
        with self._reading:
            requests, tokens, money = self._reader.execute(query, (caller, since)).fetchone()
        return int(requests), int(tokens), money

    def lines(self) -> list[Line]:
        """Everything in the file, by time."""
        with self._reading:
            rows = self._reader.execute("SELECT * FROM requests ORDER BY began, id").fetchall()
        return [Line(*row[:7], bill=Bill(*row[7:13]), requests=row[13], prompt=row[14]) for row in rows]

    def close(self, timeout: float = 10.0) -> None:
        """Write what is left and end; what cannot be written by then is lost, and `pending` says how much."""
        if not self.path or self._closed:
            return
        self.flush(timeout)
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join(timeout)
        with self._reading:
            self._reader.close()
        if not self._thread.is_alive():
            self._db.close()

    def _fold(self, line: Line) -> None:
        key = (line.caller, line.model, line.method, line.status, int(line.began // 3600))
        held = self._sums.get(key)
        self._sums[key] = line if held is None else held + line

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._lines or self._sums or self._closed)
                if self._closed:
                    return
                # A sum keeps growing under its id until it is written, so it is taken out before.
                batch = [*self._sums.values(), *self._lines]
                self._sums.clear()
                self._lines.clear()
                self._writing = True
            said = self._write(batch)
            with self._wake:
                self._writing = False
                self.trouble = said
                if said:
                    self.failures += 1
                    self._lines.extendleft(reversed(batch))
                    while len(self._lines) > self._pending:
                        self._fold(self._lines.popleft())
                self._wake.notify_all()
                if said:
                    self._wake.wait_for(lambda: self._closed, self._retry)

    def _write(self, batch: list[Line]) -> str:
        """One transaction; "" if it went well, else why it did not."""
        rows = [_row(line) for line in batch]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(f"INSERT OR IGNORE INTO requests VALUES ({', '.join('?' * 15)})", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return str(error)
        return ""


def _row(line: Line) -> tuple[object, ...]:
    b = line.bill
    bill = (b.tokens_in, b.tokens_out, b.cached, b.calls, b.seconds, b.money)
    return line.id, line.began, line.caller, line.model, line.method, line.status, line.seconds, *bill, line.requests, line.prompt
