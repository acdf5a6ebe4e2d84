"""False positives of real programs: 500 labelled solutions of HumanEval problems under the plain tests."""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import wilson
from ponder.papers.report import Check, Table
from ponder.papers.sampling.flaws_parts import Checked, fit_part, reward_part
from ponder.sandbox import Limits, find
from ponder.scorers.code_tests import check_of
from ponder.tasks.code import Solution, humaneval_problem, rows

LIMITS = Limits(seconds=2.0)
EACH = 6
"""Solutions of a problem that curves are made of; problems with fewer are left out."""
MOST = 40
"""Solutions of a model that a ceiling of its own is made of."""
COUNTED = 62
"""Wrong solutions that passed the plain tests when the data were first opened, give or take what limits of time decide."""
Bools = NDArray[np.bool_]


def solutions_part(solutions: list[Solution], seed: int) -> tuple[list[Check], list[Table]]:
    """What the plain tests let through, by model, and the curves over problems with enough solutions."""
    passed, _ = verdicts(solutions, "tests")
    right = np.array([s.right for s in solutions])
    wrong, fluke = int((~right).sum()), int((passed & ~right).sum())
    where = len({s.task_id for s, p in zip(solutions, passed, strict=True) if p and not s.right})
    checks = [
        Check(f"wrong programs of {wrong} that pass HumanEval's tests", fluke, f"{COUNTED} +- 5", abs(fluke - COUNTED) <= 5, False),
        Check("problems with such a program", where, "above 0", where > 0),
        Check("false discovery rate of accepted programs, lower end", _ends(passed & ~right, passed)[1], "above 0", fluke > 0),
    ]
    shown, told = verdicts(solutions, "shown")
    facts = [(f"HumanEval's tests: {what}", *counts) for what, *counts in _errors(passed, right)]
    facts += [(f"examples of the docstring: {what}", *counts) for what, *counts in _errors(shown[told], right[told])]
    columns = ("checker, what", "count", "of", "share", "low", "high")
    table = Table("Programs of language models under two checkers, the weaker one where docstrings have examples", columns, tuple(facts))
    c, problems = by_problem(solutions, passed)
    name = f"{problems} problems x {EACH} programs"
    _, _, rewards = reward_part(c, name, seed)
    _, fits = fit_part(c, name)
    return checks, [table, by_model(solutions, passed), rewards, fits, style(solutions, passed)]


def _errors(passed: Bools, right: Bools) -> list[tuple[Any, ...]]:
    """A checker's errors: (what, count, of how many, share, ends of its 95% interval)."""
    pairs = {
        "accepted programs that are wrong": (passed & ~right, passed),
        "wrong programs that are accepted": (passed & ~right, ~right),
        "right programs that are rejected": (~passed & right, right),
    }
    return [(what, int(part.sum()), int(whole.sum()), *_ends(part, whole)) for what, (part, whole) in pairs.items()]


def _ends(part: Bools, whole: Bools) -> tuple[float, float, float]:
    found = wilson(int(part.sum()), int(whole.sum()))
    return found.value, found.low, found.high


def verdicts(solutions: list[Solution], tests: str) -> tuple[Bools, Bools]:
    """Which solutions pass the tests of HumanEval ("tests") or its docstrings' examples ("shown"), and to which these apply, shape (n,).

    Run in the sandbox with 2 seconds each. A problem without examples lets nothing be said.
    """
    problems = {row["task_id"]: humaneval_problem(row) for row in rows("humaneval")}
    told = np.array([bool(problems[s.task_id].data[tests]) for s in solutions])
    checks = [check_of(problems[s.task_id], s.code, problems[s.task_id].data[tests]) for s, t in zip(solutions, told, strict=True) if t]
    passed = np.zeros(len(solutions), dtype=bool)
    passed[told] = [o.all_passed for o in find().check(checks, LIMITS)]
    return passed, told


def by_problem(solutions: list[Solution], passed: Bools) -> tuple[Checked, int]:
    """The first `EACH` solutions of every problem that has so many and no right one rejected, and how many problems those are."""
    verdicts: dict[str, list[tuple[bool, bool]]] = {}
    for s, p in zip(solutions, passed, strict=True):
        verdicts.setdefault(s.task_id, []).append((bool(p), s.right))
    kept = np.array([v[:EACH] for v in verdicts.values() if len(v) >= EACH])
    kept = kept[~(kept[:, :, 1] & ~kept[:, :, 0]).any(axis=1)]
    return Checked(kept[:, :, 0], kept[:, :, 1]), len(kept)


def by_model(solutions: list[Solution], passed: Bools) -> Table:
    """Share of right ones among all and among accepted programs, for models with enough of them."""
    counts = {m: sum(s.model == m for s in solutions) for m in sorted({s.model for s in solutions})}
    found = []
    for model in sorted((m for m in counts if counts[m] >= MOST), key=lambda m: -counts[m]):
        own = np.array([s.model == model for s in solutions])
        right = np.array([s.right for s in solutions])
        found.append((model, counts[model], float(right[own].mean()), *_ends(own & passed & right, own & passed)))
    return Table(f"Models with {MOST} labelled programs", ("model", "programs", "right", "right if accepted", "low", "high"), tuple(found))


def style(solutions: list[Solution], passed: Bools) -> Table:
    """How accepted programs are written, right ones and false positives; nobody had asked for a style."""
    groups = {"right": [s for s, p in zip(solutions, passed, strict=True) if p and s.right]}
    groups["false positive"] = [s for s, p in zip(solutions, passed, strict=True) if p and not s.right]
    found = []
    for name, members in groups.items():
        kept = [f for f in map(features, members) if f is not None]
        snake = wilson(sum(f[0] for f in kept), len(kept))
        short = wilson(sum(f[1] for f in kept), len(kept))
        lines = float(np.median([f[2] for f in kept]))
        commented = wilson(sum(f[3] for f in kept), len(kept))
        ends = (f"{v.value:.2f} ({v.low:.2f} to {v.high:.2f})" for v in (snake, short, commented))
        found.append((name, len(kept), *ends, lines))
    columns = ("accepted programs", "n", "all names in snake case", "all lines up to 79", "with a comment", "median lines")
    return Table("Style of accepted programs, 95% intervals", columns, tuple(found))


def features(solution: Solution) -> tuple[bool, bool, int, bool] | None:
    """Names it assigns in snake case, no line over 79 characters, lines that are not blank, any comment; None if it does not parse."""
    try:
        tree = ast.parse(solution.code)
    except SyntaxError:
        return None
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    lines = [line for line in solution.code.splitlines() if line.strip()]
    snake = all(re.fullmatch(r"_*[a-z0-9_]*", name) for name in names)
    return snake, all(len(line) <= 79 for line in lines), len(lines), any(re.match(r"\s*#|.*\s#\s", line) for line in lines)
