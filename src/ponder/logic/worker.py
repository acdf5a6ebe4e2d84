"""The process that provers run in: a JSON question a line in, an outcome a line out.

A question is `{"prover": "z3" or "resolution", "premises": [...], "goal": ..., "timeout": seconds}`, formulas in the ascii dialect. The
outcome is whether the premises entail the goal: "proved", "refuted" (they do not), "timeout", or "unknown" (given up for another reason).
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from ponder.logic.clauses import TooLarge, clauses_of
from ponder.logic.formula import Formula, Not, closed
from ponder.logic.printing import to_smtlib
from ponder.logic.resolution import refute
from ponder.logic.syntax import parse

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
        premises, goal = [parse(text) for text in question["premises"]], parse(question["goal"])
        return PROVERS[question["prover"]](premises, goal, float(question["timeout"]))
    except (TooLarge, MemoryError, RecursionError):
        return "unknown"


def _resolution(premises: list[Formula], goal: Formula, timeout: float) -> str:
    deadline = time.monotonic() + timeout
    return refute(clauses_of([*premises, Not(closed(goal))]), deadline)


def _z3(premises: list[Formula], goal: Formula, timeout: float) -> str:
    import z3

    solver = z3.Solver()
    solver.set("timeout", max(1, int(timeout * 1000)))
    try:
        solver.from_string(to_smtlib(premises, goal))
        found = str(solver.check())
    except z3.Z3Exception:  # out of memory
        return "unknown"
    if found == "unknown" and solver.reason_unknown() in ("timeout", "canceled"):
        return "timeout"
    return {"unsat": "proved", "sat": "refuted"}.get(found, "unknown")


PROVERS = {"z3": _z3, "resolution": _resolution}

if __name__ == "__main__":
    main()
