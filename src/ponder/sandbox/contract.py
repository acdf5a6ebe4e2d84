"""What every sandbox does: run hostile code under limits, and say whether it does what tests ask, so that it cannot forge the verdict.

Tested code and tests never share an interpreter. Tests run in one of their own, where each function of the tested code is a stub: a call
sends plain data to the interpreter that has the code, and plain data comes back. So the code cannot override what the tests compare with,
and what it prints, returns or raises is data to them. Nothing of this process is visible to either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ponder.core.errors import InputError

Status = Literal["ok", "failed", "timeout", "memory", "crashed", "unsupported"]
"""How a run ended: by itself; with an exception; at a limit of time or of memory; by the death of its process; or not at all, because the
backend lacks a feature that the code needs (another backend may have it)."""


Calls = Sequence[tuple[str, tuple[Any, ...]]]
"""Functions to call: (name, arguments) each."""


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    Attributes:
        seconds: of the wall, for the code and its tests together.
        memory: bytes.
        output: characters of what is printed that are kept; more ends nothing, it is dropped.
    """

    seconds: float = 5.0
    memory: int = 512 * 2**20
    output: int = 20_000

    def __post_init__(self) -> None:
        if not self.seconds > 0 or self.memory < 2**24 or self.output < 0:
            raise InputError(f"a run needs seconds above 0, at least 16 MiB of memory and an output limit of at least 0, not {self}")


@dataclass(frozen=True)
class Check:
    """Hostile code and the tests that it should pass.

    Attributes:
        code: a whole program. Its top level is run once.
        tests: pieces of trusted code, each of which passes if it raises nothing. They see the code's functions (as stubs that take and
            give plain data: None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict of such) and its plain data, but
            no name of it that hides a builtin, unless that is all they use of it. Lists, dicts and sets that a call changes are changed.
        setup: trusted code that is run before the tests, where they run. What it defines hides names of the code: helper functions of
            the tests belong here, lest the code bring its own.
    """

    code: str
    tests: tuple[str, ...] = ()
    setup: str = ""


@dataclass(frozen=True)
class Raised:
    """In place of a value: the exception that a call raised, as "ValueError: ..."."""

    error: str


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        status: see `Status`; of code with tests "ok" if the code ran and every test was tried, whatever they gave.
        backend: which sandbox ran it.
        passed: for each test whether it passed; () if there was none or the code itself failed.
        error: the first thing that went wrong, as "NameError: name 'x' is not defined"; "" if nothing did.
        output: what the code printed, cut at the limit.
        values: for `calls`, the value of each call.
        seconds: of the wall.
    """

    status: Status
    backend: str
    passed: tuple[bool, ...] = ()
    error: str = ""
    output: str = ""
    values: tuple[Any, ...] = ()
    seconds: float = 0.0

    @property
    def all_passed(self) -> bool:
        """True if there was at least one test and each one passed."""
        return self.status == "ok" and bool(self.passed) and all(self.passed)

    @property
    def kind(self) -> str:
        """The exception's name in `error`; "" if there is none."""
        return self.error.partition(":")[0]


class Sandbox(Protocol):
    """A place to run hostile code. Safe for use from several threads; takes batches, and works on as many at once as it has workers."""

    name: str

    def check(self, checks: Sequence[Check], limits: Limits = Limits()) -> list[Outcome]:
        """Run each program and its tests. Tests after one that timed out count as failed."""
        ...

    def calls(self, code: str, calls: Calls, limits: Limits = Limits()) -> Outcome:
        """Run a program and call functions of it, (name, arguments) each; `Outcome.values` are what they gave.

        A call that raised gives a `Raised` in its place.
        """
        ...

    def close(self) -> None:
        """End all workers. The sandbox can be used again."""
        ...
