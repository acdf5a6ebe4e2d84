"""Which sandbox serves here."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

from ponder.core.errors import EngineError, InputError, MissingExtra, did_you_mean
from ponder.sandbox.bubblewrap import Bubblewrap
from ponder.sandbox.contract import Calls, Check, Limits, Outcome, Sandbox
from ponder.sandbox.monty import Monty

_MAKERS = {"monty": Monty, "bubblewrap": Bubblewrap}


class Auto:
    """Both: what monty accepts is accepted, and CPython decides about everything else.

    Monty is faster, but not quite Python: it may fail a right program. Runs without tests, whose output or values are wanted, go to CPython
    alone.
    """

    name = "auto"

    def __init__(self, fast: Sandbox, exact: Sandbox) -> None:
        self._fast, self._exact = fast, exact

    def check(self, checks: Sequence[Check], limits: Limits = Limits()) -> list[Outcome]:
        """Run each program and its tests."""
        outcomes: dict[int, Outcome] = {}
        first = [i for i, check in enumerate(checks) if check.tests]
        tried = self._fast.check([checks[i] for i in first], limits)
        outcomes.update({i: outcome for i, outcome in zip(first, tried, strict=True) if outcome.all_passed})
        rest = [i for i in range(len(checks)) if i not in outcomes]
        outcomes.update(zip(rest, self._exact.check([checks[i] for i in rest], limits), strict=True))
        return [outcomes[i] for i in range(len(checks))]

    def calls(self, code: str, calls: Calls, limits: Limits = Limits()) -> Outcome:
        """Run a program and call functions of it."""
        return self._exact.calls(code, calls, limits)

    def close(self) -> None:
        """End all workers."""
        self._fast.close()
        self._exact.close()


def find(name: str = "auto") -> Sandbox:
    """The sandbox of that name, one for the whole process: "monty", "bubblewrap", or "auto" for both or the one that works here.

    Raises:
        InputError: for an unknown name.
        MissingExtra: if what it needs is not installed; says how to install it.
        EngineError: if it is installed, but cannot work here; says why.
    """
    if name != "auto" and name not in _MAKERS:
        raise InputError(f"no sandbox is called {name!r}: {did_you_mean(name, _MAKERS, 'one of auto, ' + ', '.join(_MAKERS))}")
    return _found(name, os.getpid())


@functools.cache
def _found(name: str, process: int) -> Sandbox:
    """The sandbox of a process: one that forks leaves its own behind."""
    if name != "auto":
        return _MAKERS[name]()
    found, errors = [], []
    for each in _MAKERS:
        try:
            found.append(_found(each, process))
        except (MissingExtra, EngineError) as error:
            errors.append(str(error))
    if not found:
        raise MissingExtra("hostile code needs a sandbox, and there is none: " + "; or ".join(errors))
    return Auto(*found) if len(found) == 2 else found[0]
