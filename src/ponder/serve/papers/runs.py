"""The run button: quick reproductions as processes of their own, one at a time, from a bounded queue."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ponder.core.errors import PonderError
from ponder.serve.errors import GatewayError
from ponder.serve.papers.reports import keep_report

Command = Callable[[str, Path], Sequence[str]]
"""The command line that reproduces the paper of a slug into a folder."""

_TAIL = 4000
_KILLED = "stopped: it took longer than {:.0f} s"


class QueueFull(GatewayError):
    """As many reproductions wait as the queue holds."""

    status, kind, code = 429, "rate_limit_error", "queue_full"


@dataclass(frozen=True)
class Run:
    """One press of the button.

    Attributes:
        slug: the paper.
        state: where it stands.
        asked, started, ended: seconds since the epoch; 0 if not yet.
        problem: why it failed, one line; "" if it did not.
    """

    slug: str
    state: Literal["queued", "running", "done", "failed"] = "queued"
    asked: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    problem: str = ""

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed")

    def seconds(self, now: float) -> float:
        """How long it has run so far, or ran in all."""
        return (self.ended or now) - self.started if self.started else 0.0


def quick_reproduction(slug: str, folder: Path) -> list[str]:
    """What `ponder papers run SLUG --quick --out FOLDER` is for this very Python."""
    return [sys.executable, "-c", "from ponder.cli import main; main()", "papers", "run", slug, "--quick", "--out", str(folder)]


class Runs:
    """A queue of reproductions and the thread that runs them, which ends when nothing is left to do.

    Args:
        folder: where reports are kept, see `ponder.serve.papers.reports`.
        limit: how many may wait or run.
        seconds: how long one may take before it is stopped.
        command: makes the command line; by default the quick reproduction.
    """

    def __init__(self, folder: Path, limit: int = 8, seconds: float = 1800.0, command: Command = quick_reproduction) -> None:
        self._folder, self._limit, self._seconds, self._command = folder, limit, seconds, command
        self._lock = threading.Lock()
        self._latest: dict[str, Run] = {}
        self._queue: list[str] = []
        self._working = self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._numbers = itertools.count(1)

    def submit(self, slug: str) -> Run:
        """Queue a paper; if it waits or runs already, that run is given.

        Raises:
            QueueFull: nothing more may wait.
        """
        with self._lock:
            latest = self._latest.get(slug)
            if latest and not latest.over:
                return latest
            if self._closed or len([run for run in self._latest.values() if not run.over]) >= self._limit:
                raise QueueFull(f"{self._limit} reproductions wait already; try again when one is done", retry_after=60)
            self._latest[slug] = Run(slug, asked=time.time())
            self._queue.append(slug)
            if not self._working:
                self._working = True
                self._thread = threading.Thread(target=self._work, name="ponder-papers", daemon=True)
                self._thread.start()
            return self._latest[slug]

    def latest(self, slug: str) -> Run | None:
        """The latest run of a paper since the server started."""
        with self._lock:
            return self._latest.get(slug)

    def ahead(self, slug: str) -> int:
        """How many runs come before a paper that waits; 0 if it does not wait."""
        with self._lock:
            return self._queue.index(slug) + 1 if slug in self._queue else 0

    def join(self, timeout: float | None = None) -> None:
        """Wait until nothing waits or runs."""
        thread = self._thread
        if thread:
            thread.join(timeout)

    def close(self) -> None:
        """Take nothing more, forget what waits, stop what runs."""
        with self._lock:
            self._closed = True
            for slug in self._queue:
                self._latest[slug] = replace(self._latest[slug], state="failed", ended=time.time(), problem="the server went down")
            self._queue.clear()
            if self._process:
                _kill(self._process)
        self.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._working = False
                    return
                slug = self._queue.pop(0)
                self._latest[slug] = replace(self._latest[slug], state="running", started=time.time())
            try:
                problem = self._reproduce(slug)
            except (OSError, PonderError) as error:
                problem = f"the report could not be kept: {error}"
            with self._lock:
                state = "failed" if problem else "done"
                self._latest[slug] = replace(self._latest[slug], state=state, ended=time.time(), problem=problem)

    def _reproduce(self, slug: str) -> str:
        """Run the command, keep what it made; what went wrong in one line, "" if nothing did."""
        made = self._folder / f".run.{os.getpid()}.{next(self._numbers)}"
        made.mkdir(parents=True, exist_ok=True)
        log = made / "log.txt"
        try:
            code = self._waited(self._command(slug, made), log)
            if code == 0 and (made / slug / "report.json").is_file():
                keep_report(made / slug, self._folder, slug)
                return ""
            return _KILLED.format(self._seconds) if code is None else _last_line(log) or f"it ended with code {code} and no report"
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _waited(self, command: Sequence[str], log: Path) -> int | None:
        """The exit code; None if the time was up."""
        with log.open("wb") as said:
            with self._lock:
                if self._closed:
                    return -signal.SIGKILL
                self._process = process = subprocess.Popen(
                    list(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
                )
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, 10)  # answers to callers come first
            try:
                return process.wait(self._seconds)
            except subprocess.TimeoutExpired:
                _kill(process)
                return None
            finally:
                with self._lock:
                    self._process = None


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(log: Path) -> str:
    with log.open("rb") as said:
        said.seek(max(0, log.stat().st_size - _TAIL))
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else ""
