"""Programs judged by running them on tests, in the sandbox.

A problem that is solved by a program says in its `data` what to run: "tests", pieces of code that pass if they raise nothing; "setup", code
before the tests; "prefix", code before the candidate's own, such as the beginning of the function that it goes on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.problem import Candidate, Problem
from ponder.core.terms import OneOf, Range, registered
from ponder.sandbox import Check, Limits, Outcome, find
from ponder.scorers.base import Scorer, log

BACKENDS = ("auto", "monty", "bubblewrap")

Backend = Annotated[str, OneOf(BACKENDS), "which sandbox runs the programs"]
Seconds = Annotated[float, Range(0.01, 600), "the longest run of a program with its tests"]


def program(problem: Problem, value: str) -> str:
    """The whole program that an answer makes: the problem's prefix, and the answer or the rest of the prefix's last function."""
    prefix = str(problem.data.get("prefix", ""))
    if not prefix:
        return value
    return f"{prefix.rstrip()}\n{value}" if value[:1] in (" ", "\t") else f"{prefix.rstrip()}\n\n\n{value}"


def check_of(problem: Problem, value: str, tests: Sequence[str] | None = None) -> Check:
    """What the sandbox runs to judge an answer.

    Args:
        tests: in place of the problem's own.

    Raises:
        InputError: if there are no tests.
    """
    pieces = tuple(problem.data.get("tests", ())) if tests is None else tuple(tests)
    if not pieces:
        raise InputError(
            f"the problem {problem.id or problem.question[:40]!r} has no tests: Problem(..., data={{'tests': ('assert ...',)}})"
        )
    return Check(program(problem, value), pieces, str(problem.data.get("setup", "")))


def outcomes(problem: Problem, values: Sequence[str | None], backend: str = "auto", seconds: float = 5.0) -> list[Outcome | None]:
    """What came of each answer under the problem's tests, equal answers run once; None for no answer."""
    different = list(dict.fromkeys(v for v in values if v is not None))
    checks = [check_of(problem, v) for v in different]
    ran = dict(zip(different, find(backend).check(checks, Limits(seconds=seconds)), strict=True)) if checks else {}
    return [None if v is None else ran[v] for v in values]


@registered
class tests(Scorer):
    """Whether a candidate's program passes the problem's tests: weight 1 or 0; or the share of the tests that it passes.

    Tests that miss faults accept wrong programs, and no number of candidates mends that (Stroebl et al. 2024, arXiv 2411.17501):
    `ponder worth` says what they cost. Programs run in the sandbox, never here.
    """

    share: Annotated[bool, "the share of the tests that pass, not all or nothing"] = False
    backend: Backend = "auto"
    seconds: Seconds = 5.0

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        found = outcomes(context.problem, [c.value for c in candidates], self.backend, self.seconds)
        beyond = {o.error for o in found if o is not None and o.status == "unsupported"}
        if beyond:
            context.trace.note(f"{len(beyond)} kinds of programs could not be run ({sorted(beyond)[0]}); they count as wrong")
        return log([0.0 if o is None else _share(o) if self.share else float(o.all_passed) for o in found])


def _share(outcome: Outcome) -> float:
    return sum(outcome.passed) / len(outcome.passed) if outcome.passed else 0.0
