"""A process of our own that answers a line with a line, for work that may hang, run out of memory or die."""

from __future__ import annotations

import atexit
import queue
import subprocess
import sys
import threading
from typing import IO


class LineWorker:
    """A module run as a process, started on first use and again after it was ended. One question at a time.

    Args:
        module: what is run. It reads a line and writes one, until its input ends.
    """

    def __init__(self, module: str) -> None:
        self._module, self._lock = module, threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.stop)

    def ask(self, line: str, patience: float, starting: float = 0.0) -> str | None:
        """The worker's line; "" if it died; None, and the worker is ended, if none comes in time.

        Args:
            line: the question, without a line break.
            patience: seconds to wait.
            starting: seconds more if the process has to be started first.
        """
        with self._lock:
            fresh = self._process is None or self._process.poll() is not None
            if fresh:
                command = [sys.executable, "-m", self._module]
                pipe = subprocess.PIPE
                self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
            return self._reply(line, patience + (starting if fresh else 0.0))

    def _reply(self, line: str, patience: float) -> str | None:
        process, heard = self._process, queue.SimpleQueue[str]()
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            threading.Thread(target=_hear, args=(process.stdout, heard), daemon=True).start()
            return heard.get(timeout=patience)
        except queue.Empty:
            self.stop()
            return None
        except OSError:
            self.stop()
            return ""

    def stop(self) -> None:
        """End the process. The next question starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _hear(out: IO[str], heard: queue.SimpleQueue[str]) -> None:
    heard.put(out.readline())
