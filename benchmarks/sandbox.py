"""How fast the sandboxes are, and whether they agree: HumanEval's 164 solutions, and mutants of them.

    python benchmarks/sandbox.py speed
    python benchmarks/sandbox.py mutants [PER_PROBLEM]
    python benchmarks/sandbox.py solutions

print JSON. `speed` (a minute): for each backend and one, two and four workers, checks a second of the right solutions, their acceptances by
backend, and for scale what one start of a bubblewrap sandbox costs, which a run in a pool of them does not pay. `mutants` and
`solutions` (half a minute): whether both backends give one verdict, on seeded one-change mutants and on 500 programs that models wrote.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import Any

from ponder.bench.mutants import mutate
from ponder.core.seeds import generator
from ponder.sandbox import Check, Limits, Sandbox
from ponder.sandbox.box import Box
from ponder.sandbox.bubblewrap import Bubblewrap
from ponder.sandbox.finding import Auto
from ponder.sandbox.monty import Monty
from ponder.tasks.code import labelled_solutions, rows

STARTS = 20


def checks() -> list[Check]:
    """HumanEval's own solutions with its tests, one test a problem."""
    return [Check(p["prompt"] + p["canonical_solution"], (f"{p['test']}\ncheck({p['entry_point']})",)) for p in rows("humaneval")]


def speed() -> dict[str, Any]:
    """Checks a second, on a machine whose load is said too."""
    with open("/proc/loadavg") as load:
        figures: dict[str, Any] = {"load": load.read().split()[0]}
    for workers in (1, 2, 4):
        monty, bubblewrap = Monty(workers), Bubblewrap(workers)
        for box in (monty, bubblewrap, Auto(monty, bubblewrap)):
            figures[f"{box.name}, {workers} workers"] = _timed(box)
        monty.close()
        bubblewrap.close()
    started = time.perf_counter()
    for _ in range(STARTS):
        Box().close()
    figures["seconds to start and end one bubblewrap sandbox"] = round((time.perf_counter() - started) / STARTS, 4)
    return figures


def _timed(box: Sandbox) -> dict[str, Any]:
    box.check(checks()[:8])  # the workers start
    started = time.perf_counter()
    outcomes = box.check(checks(), Limits(seconds=20))
    seconds = time.perf_counter() - started
    accepted = Counter(outcome.backend for outcome in outcomes if outcome.all_passed)
    return {"checks_per_second": round(len(outcomes) / seconds, 1), "accepted": dict(accepted)}


def mutants(each: int) -> dict[str, Any]:
    """Verdicts on `each` seeded mutants of every solution."""
    programs = []
    for problem, check in zip(rows("humaneval"), checks(), strict=True):
        made = {mutate(check.code, generator(0, [problem["task_id"], i])) for i in range(each)}
        programs += [Check(code, check.tests) for code in sorted(filter(None, made))]
    return _agreement(programs)


def solutions() -> dict[str, Any]:
    """Verdicts on 500 programs that models wrote."""
    tests = {problem["task_id"]: check.tests for problem, check in zip(rows("humaneval"), checks(), strict=True)}
    return _agreement([Check(solution.code, tests[solution.task_id]) for solution in labelled_solutions()])


def _agreement(programs: list[Check]) -> dict[str, Any]:
    limits = Limits(seconds=4)
    small, full = Monty().check(programs, limits), Bubblewrap().check(programs, limits)
    counts: Counter[str] = Counter()
    differing = []
    for check, a, b in zip(programs, small, full, strict=True):
        counts["unsupported" if a.status == "unsupported" else "same" if a.all_passed == b.all_passed else "differing"] += 1
        if a.status != "unsupported" and a.all_passed != b.all_passed:
            differing.append({"code": check.code, "monty": [a.status, a.error], "bubblewrap": [b.status, b.error]})
    passing = sum(outcome.all_passed for outcome in full)
    return {
        "programs": len(programs),
        **counts,
        "pass": passing,
        "statuses": Counter(o.status for o in full),
        "where they differ": differing,
    }


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["speed"]:
            print(json.dumps(speed(), indent=1))
        case ["mutants", *rest]:
            print(json.dumps(mutants(int(rest[0]) if rest else 5), indent=1))
        case ["solutions"]:
            print(json.dumps(solutions(), indent=1))
        case _:
            sys.exit("usage: python benchmarks/sandbox.py speed | mutants [PER_PROBLEM] | solutions")
