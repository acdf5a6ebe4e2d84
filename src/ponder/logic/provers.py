"""What follows from what: one question, three provers, and an answer that says how sure it is.

Provers run in processes of their own that are ended when time is up, for a formula that nobody has seen can keep any prover busy.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ponder.core.errors import InputError, PonderError, need
from ponder.core.line_worker import LineWorker
from ponder.logic.clauses import Clause, TooLarge, clauses_of
from ponder.logic.formula import Formula, Not, check_signature, closed
from ponder.logic.printing import to_smtlib, to_tptp
from ponder.logic.syntax import Dialect, parse

Outcome = Literal["proved", "refuted", "timeout", "unknown"]
"""Of one question: it follows; it does not, for there is a counterexample; the time was up; the prover gave up for another reason."""
Label = Literal["True", "False", "Uncertain"]

GRACE = 3.0
"""Seconds beyond its time that a prover may take to say so, the start of its process included."""
_STARTING = 30.0
"""Seconds that a process may take to start on a busy machine."""


class ProverNotFoundError(PonderError):
    """A prover's program is not installed. The message names the package."""


@dataclass(frozen=True)
class Entailment:
    """What premises say of a conclusion.

    Attributes:
        label: "True" if they entail it, "False" if they entail its negation, else "Uncertain".
        outcomes: of the two questions: does the conclusion follow, does its negation.
        backend: the prover.
        seconds: both questions took.
    """

    label: Label
    outcomes: tuple[Outcome, Outcome]
    backend: str
    seconds: float

    @property
    def proved(self) -> bool:
        """Whether the conclusion or its negation was proved."""
        return "proved" in self.outcomes

    @property
    def inconsistent(self) -> bool:
        """Whether both were proved: the premises contradict each other and entail everything; the label is then "True"."""
        return self.outcomes == ("proved", "proved")

    @property
    def timed_out(self) -> bool:
        """Whether a question's time was up. An "Uncertain" is then no finding."""
        return "timeout" in self.outcomes

    @property
    def settled(self) -> bool:
        """Whether the label is a finding: something was proved, or neither follows."""
        return self.proved or self.outcomes == ("refuted", "refuted")


def entails(
    premises: Sequence[str | Formula],
    conclusion: str | Formula,
    *,
    prover: str = "z3",
    timeout: float = 10.0,
    dialect: Dialect = "ascii",
) -> Entailment:
    """Whether premises entail a conclusion, its negation, or neither.

    Free variables are universally closed. The two questions are asked one after the other, as in LINC (Olausson et al. 2023, arXiv
    2310.15164, section 2), and both always, so that contradictory premises are seen.

    Args:
        premises, conclusion: formulas, or texts of the dialect. No premises ask whether the conclusion is valid.
        prover: "z3" (extra: logic), "eprover" (a program), or "resolution" (our own, needs nothing).
        timeout: seconds for each question.
        dialect: of texts.

    Raises:
        FolSyntaxError: a text that is no formula.
        SignatureError: a symbol that is used in two ways.
        InputError: another prover, or a timeout that is not above 0.
        MissingExtra, ProverNotFoundError: the prover is not installed.
    """
    check_installed(prover)
    if not 0 < timeout < math.inf:
        raise InputError(f"the timeout must be above 0 seconds, not {timeout!r}")
    given = [parse(f, dialect) if isinstance(f, str) else f for f in (*premises, conclusion)]
    check_signature(given)
    ask, began = PROVERS[prover], time.perf_counter()
    positive = ask(given[:-1], given[-1], timeout)
    negative = ask(given[:-1], Not(closed(given[-1])), timeout)
    label: Label = "True" if positive == "proved" else "False" if negative == "proved" else "Uncertain"
    return Entailment(label, (positive, negative), prover, time.perf_counter() - began)


def check_installed(prover: str) -> None:
    """Raise if a prover cannot be used.

    Raises:
        InputError: there is no such prover.
        MissingExtra, ProverNotFoundError: saying what brings it.
    """
    if prover not in PROVERS:
        raise InputError(f"a prover is one of {', '.join(PROVERS)}, not {prover!r}")
    if prover == "z3":
        need("z3", "logic")
    if prover == "eprover" and shutil.which("eprover") is None:
        raise ProverNotFoundError("eprover is not installed: apt install eprover (Debian, Ubuntu), or use prover='z3' or 'resolution'")


def _eprover(premises: Sequence[Formula], goal: Formula, timeout: float) -> Outcome:
    """The theorem prover E (Schulz), asked in TPTP and answering in SZS ontology."""
    limit = math.ceil(timeout)
    command = ["eprover", "--auto", "--tstp-format", "-s", f"--cpu-limit={limit}", "--memory-limit=2048"]
    try:
        ran = subprocess.run(command, input=to_tptp(premises, goal), capture_output=True, text=True, timeout=timeout + 0.5)
    except subprocess.TimeoutExpired:
        return "timeout"
    status = next((line.split()[3] for line in ran.stdout.splitlines() if line.startswith("# SZS status ")), "")
    found = {"Theorem": "proved", "ContradictoryAxioms": "proved", "CounterSatisfiable": "refuted", "ResourceOut": "timeout"}
    return found.get(status, "unknown")  # pyright: ignore[reportReturnType]


class _Worker(LineWorker):
    """The process that answers for one prover."""

    def __init__(self, prover: str, written: Callable[[Sequence[Formula], Formula], Any]) -> None:
        super().__init__("ponder.logic.worker")
        self._prover, self._written = prover, written

    def __call__(self, premises: Sequence[Formula], goal: Formula, timeout: float) -> Outcome:
        try:
            question = {"prover": self._prover, "problem": self._written(premises, goal), "timeout": timeout}
        except TooLarge:
            return "unknown"
        reply = self.ask(json.dumps(question), timeout + GRACE, _STARTING)
        return "timeout" if reply is None else json.loads(reply) if reply else "unknown"


def _refutation(premises: Sequence[Formula], goal: Formula) -> list[Clause]:
    """Clauses without a model exactly if premises entail a goal."""
    return clauses_of([*premises, Not(closed(goal))])


PROVERS: dict[str, Callable[[Sequence[Formula], Formula, float], Outcome]] = {
    "z3": _Worker("z3", to_smtlib),
    "eprover": _eprover,
    "resolution": _Worker("resolution", _refutation),
}
