"""Runs of a procedure: the states that an answer lists, read from JSON, and compared step by step (ProcBench, arXiv 2410.03117).

An answer is {"intermediate": [...], "final": ...}: the states after every step but the last, and the one after the last. Two states
are one by the type of the *right* one: strings as texts, integers as numbers ("07" is 7), lists element by element as texts. A right
state that is an empty list equals nothing, as published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ponder.core.errors import InputError

_TRIES = 50
"""How many opening braces are tried, the last ones first: reading takes time linear in the text."""
_WHOLE = re.compile(r"\s{0,9}[-+]?\d{1,4000}\s{0,9}", re.ASCII)


@dataclass(frozen=True)
class Steps:
    """States after each step.

    Attributes:
        intermediate: those after every step but the last.
        final: the one after the last step.
    """

    intermediate: tuple[Any, ...]
    final: Any

    @classmethod
    def of(cls, given: Any) -> Steps:
        """Steps out of a mapping with the keys "intermediate" and "final".

        Raises:
            InputError: it is none, or a key is missing or of the wrong kind.
        """
        if not isinstance(given, Mapping):
            raise InputError(f'steps are a mapping with the keys "intermediate" and "final", not {given!r:.80}')
        steps = cast("Mapping[str, Any]", given)
        for key in ("intermediate", "final"):
            if key not in steps:
                raise InputError(f"steps need the key {key!r}; there are {', '.join(map(str, steps)) or 'none'}")
        intermediate = _elements(steps["intermediate"])
        if intermediate is None:
            raise InputError(f'"intermediate" must be a list of states, not {steps["intermediate"]!r:.80}')
        return cls(tuple(intermediate), steps["final"])

    @property
    def states(self) -> tuple[Any, ...]:
        """All states after the initial one."""
        return (*self.intermediate, self.final)

    def to_json(self) -> str:
        """One line of JSON that keeps the types of the states."""
        return json.dumps({"intermediate": list(self.intermediate), "final": self.final})


def parse_steps(text: str) -> Steps | None:
    """The last JSON object of a text that holds "intermediate" (a list) and "final"; None if there is none.

    The text around it does not matter, be it reasoning or a code fence. The object must be JSON: nothing is repaired.
    """
    decoder = json.JSONDecoder(parse_constant=_refuse)
    at = len(text)
    for _ in range(_TRIES):
        at = text.rfind("{", 0, at)
        if at < 0:
            return None
        try:
            found, _end = decoder.raw_decode(text, at)
            steps = Steps.of(found)
            return Steps(tuple(map(flat, steps.intermediate)), flat(steps.final))
        except (ValueError, RecursionError):  # of them InputError: an object without the keys
            continue
    return None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def flat(state: Any) -> Any:
    """A decoded state as it is if it is a scalar or a list of scalars; anything else is None, which equals no right state."""
    deep = isinstance(state, dict) or any(isinstance(element, list | dict) for element in _elements(state) or ())
    return None if deep else cast("Any", state)


def _elements(value: Any) -> list[Any] | None:
    """A list as one; None for everything else."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def read_steps(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The states of the last {"intermediate": [...], "final": ...}, numbers written as texts: 7 and "7" are one answer."""
    found = parse_steps(text)
    return None if found is None else Steps(tuple(_as_text(s) for s in found.intermediate), _as_text(found.final)).to_json()


def _as_text(state: Any) -> Any:
    if state is None:
        return None
    elements = _elements(state)
    return _written(state) if elements is None else list(map(_written, elements))


def _written(value: Any) -> str:
    """A value as a text; whole numbers without a decimal point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def equal(right: Any, given: Any) -> bool:
    """Whether a given state is the right one, by the type of the right one.

    Raises:
        InputError: the right state is neither a string nor an integer nor a list.
    """
    if given is None:
        return False
    if isinstance(right, str):
        return right == _written(given)
    if isinstance(right, int) and not isinstance(right, bool):
        return _WHOLE.fullmatch(_written(given)) is not None and int(_written(given)) == right
    wanted, elements = _elements(right), _elements(given)
    if wanted is not None:
        return bool(wanted) and elements is not None and list(map(_written, wanted)) == list(map(_written, elements))
    raise InputError(f"a right state is a string, an integer or a list, not {right!r:.80}")


def matching(right: Sequence[Any], given: Sequence[Any]) -> int:
    """How many states at the beginning of `given` are the right ones, one after the other."""
    shorter = min(len(right), len(given))
    return next((i for i in range(shorter) if not equal(right[i], given[i])), shorter)


def prefix_match_length(right: Steps, given: Steps | None) -> int:
    """PML: right states before the first wrong one. The final state counts once, as the last. None, an unreadable answer, has 0."""
    return 0 if given is None else matching(right.states, given.states)


def prefix_accuracy(right: Steps, given: Steps | None) -> float:
    """PA: PML over the longer of both runs, so that states too many cost as much as states too few."""
    return 0.0 if given is None else prefix_match_length(right, given) / max(len(right.states), len(given.states))


def sequential_match(right: Steps, given: Steps | None) -> float:
    """SM: 1 if every state is right and there is none too many, else 0."""
    return float(prefix_accuracy(right, given) == 1)


def final_match(right: Steps, given: Steps | None) -> float:
    """FM: 1 if the final state is right, whatever came before, else 0."""
    return float(given is not None and equal(right.final, given.final))


def matched_share(right: Steps, given: Steps | None) -> float:
    """PML as a share of the right run's length; unlike PA it does not mind states too many."""
    return prefix_match_length(right, given) / len(right.states)


METRICS: dict[str, Callable[[Steps, Steps | None], float]] = {
    "sm": sequential_match,
    "pa": prefix_accuracy,
    "fm": final_match,
    "pml": matched_share,
}
"""Credit in [0, 1] by name; "pml" is the prefix match length as a share of the length."""
