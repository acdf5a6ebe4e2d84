"""The process that provers run in: a JSON question a line in, an outcome a line out.

A question is `{"prover": "z3", "problem": SMT-LIB, "timeout": seconds}`, or the same with "resolution" and clauses. Both ask whether there
is no model. The outcome is "proved" (there is none), "refuted" (there is one), "timeout", or "unknown" (given up for another reason).
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from ponder.logic.resolution import refute

MEMORY = 2 * 1024**3
"""Bytes of address space that the process may have."""


def main() -> None:
    """Answer questions until standard input ends."""
    limit_memory()
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints must not look like an outcome
    for line in sys.stdin:
        print(json.dumps(outcome(json.loads(line))), file=out, flush=True)


def limit_memory() -> None:
    """Hold this process to `MEMORY`, where the system can."""
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def outcome(question: dict[str, Any]) -> str:
    """What a prover says of one question."""
    try:
        return PROVERS[question["prover"]](question["problem"], float(question["timeout"]))
    except (MemoryError, RecursionError):
        return "unknown"


def _resolution(clauses: list[Any], timeout: float) -> str:
    return refute(_tuples(clauses), time.monotonic() + timeout)


def _tuples(value: Any) -> Any:
    """Lists as tuples, at every depth."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _z3(text: str, timeout: float) -> str:
    import z3

    solver = z3.Solver()
    solver.set("timeout", max(1, int(timeout * 1000)))
    try:
        solver.from_string(text)
        found = str(solver.check())
    except z3.Z3Exception:  # out of memory
        return "unknown"
    if found == "unknown" and solver.reason_unknown() in ("timeout", "canceled"):
        return "timeout"
    return {"unsat": "proved", "sat": "refuted"}.get(found, "unknown")


PROVERS = {"z3": _z3, "resolution": _resolution}

if __name__ == "__main__":
    main()
