"""LINC's exact part: provers against an independent model finder, and forward chaining against provers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ponder.core.errors import MissingExtra
from ponder.logic.formula import Not, closed
from ponder.logic.mixed import mixed_problem
from ponder.logic.models import follows
from ponder.logic.provers import PROVERS, ProverNotFoundError, check_installed, entails
from ponder.logic.theories import DEEPEST, LABELS, question
from ponder.papers.report import Check, Table

UNITS = (
    (("all x. (P(x) -> Q(x))", "P(A)"), "Q(A)", "True"),
    (("all x. (P(x) -> Q(x))", "P(A)"), "-Q(A)", "False"),
    (("all x. (P(x) -> Q(x))", "P(A)"), "R(A)", "Uncertain"),
    (("P(A) ^ Q(A)", "P(A)"), "Q(A)", "False"),
    (("P(A) ^ Q(A)", "-P(A)"), "Q(A)", "True"),
    ((), "P(A) | -P(A)", "True"),
)


@dataclass
class Agreement:
    """How a prover compares with the model finder, counted over questions (does a conclusion follow).

    Attributes:
        right, wrong: settled by both, with equal and different findings.
        unsettled: the prover gave none.
        open: the finder gave none.
        seconds: the prover's, over all problems.
    """

    right: int = 0
    wrong: int = 0
    unsettled: int = 0
    open: int = 0
    seconds: float = 0.0


@dataclass
class Crosscheck:
    """Provers against the model finder on so many problems; each problem is two questions."""

    problems: int = 0
    labels: Counter[str] = field(default_factory=Counter[str])
    by_prover: dict[str, Agreement] = field(default_factory=dict[str, Agreement])
    disagreements: int = 0
    """Problems on which two provers that both settled it give different labels."""


def installed() -> list[str]:
    """The provers that can be used here."""
    found: list[str] = []
    for name in PROVERS:
        try:
            check_installed(name)
        except (MissingExtra, ProverNotFoundError):
            continue
        found.append(name)
    return found


def crosscheck(n: int, seed: int, provers: Sequence[str], timeout: float = 10.0) -> Crosscheck:
    """Ask n problems, half mixed and half theories, of provers and of the model finder."""
    rng, found = np.random.default_rng([seed, 2310]), Crosscheck(by_prover={name: Agreement() for name in provers})
    for i in range(n):
        if i % 2:
            premises, conclusion = mixed_problem(rng)
        else:
            asked = question(i // 2 % (DEEPEST + 1), LABELS[i // 12 % 3], rng)
            premises, conclusion = asked.theory.formulas, asked.claim.formula
        found.problems += 1
        truth = [follows(premises, goal) for goal in (conclusion, Not(closed(conclusion)))]
        labels: set[str] = set()
        for name, agreement in found.by_prover.items():
            said = entails(premises, conclusion, prover=name, timeout=timeout)
            agreement.seconds += said.seconds
            labels |= {said.label} if said.settled else set()
            for outcome, true in zip(said.outcomes, truth, strict=True):
                settled = outcome in ("proved", "refuted")
                agreement.unsettled += not settled
                agreement.open += settled and true is None
                if settled and true is not None:
                    agreement.right += (outcome == "proved") == true
                    agreement.wrong += (outcome == "proved") != true
        found.disagreements += len(labels) > 1
        found.labels.update(labels)
    return found


def chaining(n: int, seed: int, prover: str) -> int:
    """On how many of n theories a prover gives the label that forward chaining gives."""
    rng = np.random.default_rng([seed, 15164])
    same = 0
    for i in range(n):
        asked = question(i % (DEEPEST + 1), LABELS[i // 6 % 3], rng)
        said = entails(asked.theory.formulas, asked.claim.formula, prover=prover)
        same += said.label == asked.label and said.settled and not said.inconsistent
    return same


def exact_part(problems: int, theories: int, seed: int) -> tuple[list[Check], list[Table]]:
    """Checks that test the implementation, and a table of what the provers did.

    Args:
        problems: for the comparison with the model finder.
        theories: for the comparison of forward chaining with the first prover.
        seed: of both.
    """
    provers = installed()
    right = sum(entails(list(p), c, prover=name).label == label for name in provers for p, c, label in UNITS)
    found = crosscheck(problems, seed, provers)
    wrong = sum(a.wrong for a in found.by_prover.values())
    agreed = sum(a.right for a in found.by_prover.values())
    same = chaining(theories, seed, provers[0])
    contradictory = entails(["P(A)", "-P(A)"], "Q(A)", prover=provers[0])
    checks = [
        Check("unit problems, all provers", f"{right} of {len(UNITS) * len(provers)}", "all", right == len(UNITS) * len(provers), False),
        Check("contradictory premises are reported", str(contradictory.inconsistent), "True", contradictory.inconsistent, False),
        Check(
            f"findings on {problems} problems that differ from the model finder's",
            f"{wrong} of {wrong + agreed} ({', '.join(provers)})",
            "0",
            wrong == 0 and agreed > 0,
            False,
        ),
        Check("problems on which provers contradict each other", found.disagreements, "0", found.disagreements == 0, False),
        Check(f"forward chaining and {provers[0]} agree", f"{same} of {theories} theories", "all", same == theories, False),
    ]
    rows = tuple((name, a.right, a.wrong, a.unsettled, a.open, a.seconds / found.problems) for name, a in found.by_prover.items())
    columns = ("prover", "as the finder", "not as the finder", "unsettled", "finder open", "seconds a problem")
    return checks, [Table(f"Provers against the model finder, {found.problems} problems, two questions each", columns, rows)]
