"""Translate, prove, vote."""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.errors import InputError
from ponder.core.terms import Range
from ponder.methods.named import named
from ponder.scorers.prover import Backend, Seconds
from ponder.stages import argmax
from ponder.stages.logic import By, formalise, prove, repair


@named
def linc(
    n: Annotated[int, Range(1, 100_000), "how many translations"] = 10,
    by: By = "problem",
    backend: Backend = "z3",
    timeout: Seconds = 10.0,
    repairs: Annotated[int, Range(0, 100), "how often a formalisation with errors is shown them and asked for again"] = 0,
    max_tokens: Annotated[int | None, Range(1), "the longest translation, in tokens; by default the run's"] = None,
) -> Stage:
    """Translations into first-order logic, each decided by a prover, then a vote (LINC, Olausson et al. 2023, arXiv 2310.15164).

    Translations with errors have no vote; of equally frequent verdicts the one that came first wins.
    """
    if repairs and by != "problem":
        raise InputError("linc: repairs need by='problem': a sentence by itself has no earlier attempt to be shown")
    drawn = formalise(n, by, max_tokens=max_tokens)
    return (drawn | repair(repairs) if repairs else drawn) | prove(backend, timeout=timeout) | argmax()
