"""What a model knows of a grammar without saying it: log-probabilities of strings, and of the words yes and no."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.core.language import LM, Continuation
from ponder.core.problem import Problem
from ponder.programs.prompts import write_prompt

Floats = NDArray[np.float64]


def implicit(lm: LM, problems: Sequence[Problem], spaced: bool = False) -> Floats:
    """The mean log-probability of the tokens of each asked string as one more of the shown ones, shape (problems,).

    Nothing is asked: the shown strings are written one a line, and the asked one is the next line.

    Args:
        lm: an engine that tells log-probabilities.
        problems: of the task `artificial-grammar`.
        spaced: put spaces between letters, so that models whose tokens hold several letters read one at a time.

    Raises:
        InputError: problems of another task.
    """
    _check(problems)
    write = " ".join if spaced else "".join
    asked = [Continuation("".join(f"{write(s)}\n" for s in p.data["study"]), f"{write(p.data['string'])}\n") for p in problems]
    return np.array([float(np.mean(s.logprobs)) for s in lm.logprobs(asked)])


def verbal(lm: LM, problems: Sequence[Problem]) -> Floats:
    """log P("Yes") - log P("No") as the answer to each question asked directly, shape (problems,)."""
    prompts = [write_prompt(p, "plain")[0] for p in problems]
    asked = [Continuation(prompt, word) for prompt in prompts for word in ("Yes", "No")]
    told = np.array([sum(s.logprobs) for s in lm.logprobs(asked)])
    return told[::2] - told[1::2]


def above_median(readout: Floats, problems: Sequence[Problem]) -> NDArray[np.bool_]:
    """Whether a string is read as a member: above the median of the asked strings of its grammar, of which half are. Strings at the median
    are read all alike, so that as near to half as can be are members."""
    _check(problems)
    grammars = np.array([p.data["grammar"] for p in problems])
    read = np.zeros(len(problems), bool)
    for grammar in set(grammars.tolist()):
        own = grammars == grammar
        values, middle = readout[own], np.median(readout[own])
        cuts = (values > middle, values >= middle)
        read[own] = min(cuts, key=lambda cut: abs(cut.mean() - 0.5))
    return read


def _check(problems: Sequence[Problem]) -> None:
    wrong = next((p for p in problems if not {"study", "string", "grammar"} <= set(p.data)), None)
    if wrong is not None or not problems:
        raise InputError(f"readouts are of problems of the task artificial-grammar, not of {'none' if wrong is None else wrong.id!r}")
