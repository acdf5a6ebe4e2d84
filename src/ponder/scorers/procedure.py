"""A run of a procedure compared with the right one, state by state: an exact process reward, for solutions whole or begun."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.problem import Candidate
from ponder.core.steps import Steps, equal, flat, matching, parse_steps, prefix_accuracy
from ponder.core.terms import registered
from ponder.scorers.base import Scorer, log

_LIST = re.compile(r'"intermediate"\s{0,9}:\s{0,9}\[\s{0,9}')
_NEXT = re.compile(r"\s{0,99}([,\]])\s{0,99}")
_FINAL = re.compile(r'"final"\s{0,9}:\s{0,9}')


@runtime_checkable
class Executable(Protocol):
    """An instance of a procedure that runs itself."""

    def states(self) -> Sequence[Any]:
        """The initial state and the state after every step."""
        ...


@registered
class procedure(Scorer):
    """Weight 1 while every state that a candidate lists is right, 0 from the first wrong state on.

    The right states come from executing the instance in `problem.data["procedure"]`, so this is an oracle: it knows what the answer
    is, though no gold answer is read. It is the best that a process reward model could be on such problems (ProcBench, arXiv 2410.03117).
    A finished candidate must be complete; a begun one is judged by the states that it has written out.
    """

    share: Annotated[bool, "the share of states before the first wrong one instead of all or nothing; at the end, prefix accuracy"] = False

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        executable = context.problem.data.get("procedure")
        if not isinstance(executable, Executable):
            raise InputError("procedure needs a problem whose data holds a 'procedure' to execute, such as those of the task procbench")
        _, *intermediate, final = executable.states()
        right = Steps(tuple(intermediate), final)
        credits = [self._credit(right, c) for c in candidates]
        return log(credits if self.share else [float(credit == 1) for credit in credits])

    def _credit(self, right: Steps, candidate: Candidate) -> float:
        if candidate.finished:
            return prefix_accuracy(right, parse_steps(candidate.text))
        written, final = begun(candidate.text)
        same = matching(right.intermediate, written)
        if final:
            same += same == len(written) == len(right.intermediate) and equal(right.final, final[0])
        return same / (len(written) + len(final)) if written or final else 1.0


def begun(text: str) -> tuple[list[Any], list[Any]]:
    """What is written out in an answer that may end anywhere: intermediate states, and the final one (none or one).

    A number counts only when something follows it, for it may not be whole.
    """
    starts = list(_LIST.finditer(text))
    at, mark = (starts[-1].end(), ",") if starts else (len(text), "")
    found: list[Any] = []
    while mark == "," and (read := _state(text, at)) is not None:
        state, at, mark = read
        found.append(state)
    closing = _FINAL.search(text, at) if mark == "]" or text[at : at + 1] == "]" else None
    last = _state(text, closing.end()) if closing else None
    return found, [] if last is None else [last[0]]


def _state(text: str, at: int) -> tuple[Any, int, str] | None:
    """A whole state at a place, the place behind it and what follows it there: a comma, a bracket or nothing."""
    try:
        state, end = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    behind = _NEXT.match(text, end)
    if not isinstance(state, str | list) and not text[end:].strip():
        return None
    return flat(state), behind.end() if behind else end, behind[1] if behind else ""
