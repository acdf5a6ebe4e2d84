"""What a prover says of a formalisation that a model wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, Range, registered
from ponder.logic.provers import PROVERS, Entailment, Label, check_installed, entails
from ponder.programs.formalise import FormalisationError, formulas_of
from ponder.scorers.base import Scorer, log

Backend = Annotated[str, OneOf(tuple(PROVERS)), "z3 (extra: logic), eprover (a program) or resolution (needs nothing)"]
Seconds = Annotated[float, Range(0.01, 3600), "for each of the two questions"]


@dataclass(frozen=True)
class Verdict:
    """What became of a formalisation.

    Attributes:
        label: "True", "False" or "Uncertain"; None if it cannot be used.
        failure: why not: "empty", "syntax", "signature", or "cut" (the text ended too early); "" if it can.
        message: the failure in words.
        entailment: what the prover found; None after a failure.
    """

    label: Label | None
    failure: str = ""
    message: str = ""
    entailment: Entailment | None = None


def verdict(candidate: Candidate, backend: str = "z3", timeout: float = 10.0) -> Verdict:
    """What a prover says of the formalisation that is a candidate's text; equal texts are proved once.

    Raises:
        MissingExtra, ProverNotFoundError: the prover is not installed.
    """
    if candidate.finish == "length":
        return Verdict(None, "cut", "the text reached the limit of tokens")
    return _verdict(candidate.text, backend, timeout)


@lru_cache(maxsize=20_000)
def _verdict(text: str, backend: str, timeout: float) -> Verdict:
    try:
        formulas = formulas_of(text)
    except FormalisationError as error:
        return Verdict(None, error.kind, str(error))
    found = entails(formulas[:-1], formulas[-1], prover=backend, timeout=timeout)
    return Verdict(found.label, entailment=found)


@registered
class prover(Scorer):
    """Weight 1 for a formalisation that a prover can use, whatever it finds; 0 for one with errors. `prove` reads the label, too."""

    backend: Backend = "z3"
    timeout: Seconds = 10.0

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        check_installed(self.backend)
        return log([float(verdict(c, self.backend, self.timeout).label is not None) for c in candidates])
