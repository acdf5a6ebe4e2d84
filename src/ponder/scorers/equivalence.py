"""When two answers are one."""

from __future__ import annotations

import atexit
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from ponder.core.errors import need

PATIENCE = 20.0
"""Seconds that one comparison may take, the worker's start included."""
LONGEST = 300
"""Characters of an expression that is compared as mathematics; longer ones are compared as texts."""
_LOCK = threading.Lock()


def group_values(values: Sequence[str], equal: str = "same") -> dict[str, str]:
    """A representative for every value: values with the same representative are one answer.

    "same" keeps every canonical value apart. "math" also unites values that `math-verify` finds equal, closed under transitivity,
    so that the result does not depend on order. The representative is the class's smallest value.

    Raises:
        MissingExtra: "math" without math-verify.
    """
    parent = {value: value for value in values}
    if equal == "math":
        need("math_verify", "math")
        for a, b in combinations(sorted(parent), 2):
            if _root(parent, a) != _root(parent, b) and same_expression(a, b):
                low, high = sorted((_root(parent, a), _root(parent, b)))
                parent[high] = low
    return {value: _root(parent, value) for value in parent}


def _root(parent: dict[str, str], value: str) -> str:
    while parent[value] != value:
        value = parent[value]
    return value


@lru_cache(maxsize=100_000)
def same_expression(a: str, b: str) -> bool:
    """True if two LaTeX or plain expressions are equal as mathematics, in either direction.

    math-verify's time limits are alarms, which only a process's main thread may set, and sympy can work for ever on a hostile
    power. So it runs in a process of its own, which is ended when it takes longer than `PATIENCE` seconds: verdicts do not
    depend on the caller's thread, and what takes too long is not equal.
    """
    if a == b:
        return True
    if max(len(a), len(b)) > LONGEST:
        return False
    need("math_verify", "math")
    with _LOCK:
        return _worker.same(a, b)


class _Worker:
    """One process that compares expressions, started on first use."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def same(self, a: str, b: str) -> bool:
        process = self._running()
        reply = queue.SimpleQueue[str]()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([a, b]) + "\n")
            process.stdin.flush()
            threading.Thread(target=lambda out: reply.put(out.readline()), args=(process.stdout,), daemon=True).start()
            return reply.get(timeout=PATIENCE).strip() == "true"
        except (queue.Empty, OSError):
            self.stop()
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", "ponder.scorers.mathworker"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return self._process


_worker = _Worker()
atexit.register(_worker.stop)
