"""The sandbox of pydantic-monty: a small Python of its own, without any way to the machine, in worker processes.

It starts a program in a fraction of a millisecond. It lacks much of Python, and where it is known to give other answers than CPython
(`screen`), or a program needs what it lacks, the outcome is "unsupported".
"""

from __future__ import annotations

import builtins
import contextlib
import os
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ponder.core.errors import InputError, need
from ponder.sandbox.batch import side_by_side
from ponder.sandbox.contract import Calls, Check, Limits, Outcome, Raised, Status
from ponder.sandbox.inside import wire
from ponder.sandbox.names import named_in, without_builtins
from ponder.sandbox.screen import differs

_PACK = """
def {pack}(value, depth=0, room=None, isinstance=isinstance, len=len, abs=abs):
    room = [1000000] if room is None else room
    room[0] -= len(value) if isinstance(value, (str, bytes, list, tuple, set, frozenset, dict)) else 1
    if depth > 100 or room[0] < 0 or isinstance(value, int) and abs(value) >= 1 << 65536:
        return {{'not plain': 0}}
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return value
    if isinstance(value, list):
        return [{pack}(v, depth + 1, room) for v in value]
    if isinstance(value, dict):
        return {{'d': [[{pack}(k, depth + 1, room), {pack}(v, depth + 1, room)] for k, v in value.items()]}}
    if isinstance(value, tuple):
        return {{'t': [{pack}(v, depth + 1, room) for v in value]}}
    if isinstance(value, set):
        return {{'s': [{pack}(v, depth + 1, room) for v in value]}}
    if isinstance(value, frozenset):
        return {{'f': [{pack}(v, depth + 1, room) for v in value]}}
    return {{'not plain': 0}}
"""
"""Values leave the code's session packed, as in `wire`, and not too large: a set of colliding numbers would take long to build here.
The packer is defined before the code, under a name that the code cannot know, and holds the builtins that it needs."""
_STUB = """
def {name}(*args, **kwargs):
    value, changed = _ponder_call('{name}', args, kwargs)
    for place, now in changed:
        was = kwargs[place] if isinstance(place, str) else args[place]
        was.clear()
        if isinstance(was, list):
            was.extend(now)
        else:
            was.update(now)
    return value
"""
_CALL = """
_ponder_value = {name}(*_ponder_args, **_ponder_kwargs)
[{pack}(_ponder_value), {pack}(_ponder_args), {pack}(_ponder_kwargs)]
"""
_LACKING_WORDS = re.compile("monty|not yet support|not supported in this environment|cannot suspend")
_LACKING_TYPES = (NotImplementedError, ImportError, AttributeError)
"""What Monty raises for want of a feature. A program may also raise them by its own fault; another sandbox can tell."""


class _Ended(Exception):
    """A run cannot go on."""

    def __init__(self, status: Status, error: str) -> None:
        self.status: Status = status
        self.error = error


class Monty:
    """pydantic-monty's workers.

    Args:
        workers: programs at a time; None for one a CPU.

    Raises:
        MissingExtra: if pydantic-monty is not installed.
    """

    name = "monty"

    def __init__(self, workers: int | None = None) -> None:
        self._monty = need("pydantic_monty", "code")
        self._count = workers or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="monty")
        self._turns = threading.BoundedSemaphore(self._count)
        self._lock = threading.Lock()
        self._pool: Any = None
        self._running: set[int] = set()

    def check(self, checks: Sequence[Check], limits: Limits = Limits()) -> list[Outcome]:
        """Run each program and its tests. Tests after one that timed out count as failed."""
        return side_by_side(self._threads, lambda check: self._one(check, (), limits), checks, self._kill)

    def calls(self, code: str, calls: Calls, limits: Limits = Limits()) -> Outcome:
        """Run a program and call functions of it, (name, arguments) each; `Outcome.values` are what they gave.

        Raises:
            InputError: if an argument is not plain data, or a name is none.
        """
        for name, args in calls:
            if not name.isidentifier():
                raise InputError(f"a call needs the name of a function, not {name!r}")
            try:
                wire.pack(args)
            except wire.NotPlain as error:
                raise InputError(f"a call's arguments must be plain data: {error}") from None
        return self._one(Check(code), calls, limits)

    def close(self) -> None:
        """End all workers. The sandbox can be used again."""
        for _ in range(self._count):
            self._turns.acquire()
        try:
            if self._pool is not None:
                self._pool.__exit__(None, None, None)
                self._pool = None
        finally:
            for _ in range(self._count):
                self._turns.release()

    def _kill(self) -> None:
        for pid in list(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _one(self, check: Check, calls: Calls, limits: Limits) -> Outcome:
        with self._turns:
            with self._lock:
                if self._pool is None:
                    self._pool = self._monty.Monty(max_processes=2 * self._count)
                    self._pool.__enter__()
            return _Job(self._monty, self._pool, self._running, check, calls, limits).outcome()


class _Job:
    """One program with its tests or calls, from its start to its outcome."""

    def __init__(self, monty: Any, pool: Any, running: set[int], check: Check, calls: Calls, limits: Limits) -> None:
        self._monty, self._pool, self._running, self._check, self._calls, self._limits = monty, pool, running, check, calls, limits
        self._started = time.monotonic()
        self._passed: list[bool] = []
        self._values: list[Any] = []
        self._printed: list[str] = []
        self._room = limits.output
        self._pack = f"_pack_{secrets.token_hex(8)}"
        self._error = ""

    def outcome(self) -> Outcome:
        """Run it all."""
        status: Status = "ok"
        try:
            if why := differs("\n".join([self._check.code, self._check.setup, *self._check.tests])):
                raise _Ended("unsupported", f"Unsupported: {why}")
            with self._session() as code:
                self._run(code)
        except _Ended as end:
            status, self._error = end.status, self._error or end.error
        if status == "unsupported":
            self._passed = []
        seconds = time.monotonic() - self._started
        return Outcome(status, Monty.name, tuple(self._passed), self._error, "".join(self._printed), tuple(self._values), seconds)

    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        seconds = self._limits.seconds
        limits = {"max_feed_duration_secs": seconds, "max_memory": self._limits.memory, "max_total_sleep_secs": seconds}
        limits["max_suspensions"] = 2**31
        policy = {"sleep": "system", "sleep_system_max": float("inf")}
        with self._pool.checkout(limits=limits, os_policy=policy, assert_message_annotations=False) as session:
            worker = session.worker_pid
            self._running.add(worker)
            try:
                yield session
            finally:
                self._running.discard(worker)

    def _run(self, code: Any) -> None:
        self._feed(code, _PACK.format(pack=self._pack))
        raised = self._feed(code, self._check.code + "\nNone")[1]
        if raised is not None:
            raise _Ended("failed", _line(raised))
        for name, args in self._calls:
            value, raised, _ = self._call(code, name, args, {})
            self._values.append(value if raised is None else Raised(_line(raised)))
        if self._check.tests:
            with self._session() as tests:
                try:
                    self._judge(code, tests)
                finally:
                    self._passed += [False] * (len(self._check.tests) - len(self._passed))

    def _judge(self, code: Any, tests: Any) -> None:
        """Run the setup and each test, carrying their calls to the code."""
        for source, inputs in without_builtins(self._defined(code)).values():
            self._drive(tests, source, code, inputs)
        before = self._drive(tests, self._check.setup, code)
        for test in self._check.tests:
            raised = before or self._drive(tests, test, code)
            self._passed.append(raised is None)
            self._error = self._error or (_line(raised) if raised else "")

    def _defined(self, code: Any) -> dict[str, tuple[str, dict[str, Any]]]:
        """For each name of the tests that the code defines, how the tests get it: a piece of source, and what that takes."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for name in named_in(self._check.setup, *self._check.tests) & named_in(self._check.code):
            if hasattr(builtins, name) and f"def {name}(" not in self._check.code:
                continue
            packed, raised = self._feed(code, f"{self._pack}({name})")
            if raised is not None:
                continue
            try:
                found[name] = (f"{name} = _ponder_value", {"_ponder_value": wire.unpack(packed)})
            except wire.NotPlain:
                module = name in sys.stdlib_module_names and f"import {name}" in self._check.code
                found[name] = (f"import {name}" if module else _STUB.format(name=name), {})
        return found

    def _drive(self, tests: Any, source: str, code: Any, inputs: dict[str, Any] | None = None) -> BaseException | None:
        """Run a piece of the tests to its end; what it raised."""
        with self._ends():
            try:
                state = tests.feed_start(source, inputs=inputs, print_callback=lambda stream, text: None)
                while not isinstance(state, self._monty.MontyComplete):
                    if isinstance(state, self._monty.FunctionSnapshot) and state.function_name == "_ponder_call":
                        name, args, kwargs = state.args
                        value, raised, changed = self._call(code, name, args, kwargs)
                        if isinstance(raised, wire.ENDS_LOOPS):
                            raised = RuntimeError(_line(raised))
                        state = state.resume({"exception": raised} if raised is not None else {"return_value": [value, changed]})
                    else:
                        state = state.resume_auto()
            except (self._monty.MontyRuntimeError, self._monty.MontySyntaxError) as error:
                return self._seen(error)
        return None

    def _call(self, code: Any, name: str, args: Any, kwargs: dict[str, Any]) -> tuple[Any, BaseException | None, list[list[Any]]]:
        """A call of the code: its value, or what it raised, and the arguments that it changed as [place, new value]."""
        given = {"_ponder_args": list(args), "_ponder_kwargs": dict(kwargs)}
        before = [wire.pack(v) for v in [*args, *kwargs.values()]]
        answer, raised = self._feed(code, _CALL.format(name=name, pack=self._pack), given)
        if raised is not None:
            return None, raised, []
        with self._ends():
            value, after, named = (wire.unpack(packed) for packed in answer)
            now = [*enumerate(after), *named.items()]
            changed = [[place, new] for (place, new), was in zip(now, before, strict=True) if wire.pack(new) != was]
        return value, None, changed

    def _feed(self, code: Any, source: str, inputs: dict[str, Any] | None = None) -> tuple[Any, BaseException | None]:
        """Run a piece in the code's session: its value, or what it raised."""
        if time.monotonic() - self._started > self._limits.seconds:  # each piece has a clock of its own
            raise _Ended("timeout", f"Timeout: {self._limits.seconds} s")
        with self._ends():
            try:
                return code.feed_run(source, inputs=inputs, print_callback=self._print), None
            except (self._monty.MontyRuntimeError, self._monty.MontySyntaxError) as error:
                return None, self._seen(error)

    def _seen(self, error: Any) -> BaseException:
        """The exception of the program, unless it is the end of the run."""
        raised = error.exception()
        if isinstance(raised, TimeoutError):
            raise _Ended("timeout", f"Timeout: {self._limits.seconds} s")
        if isinstance(raised, MemoryError):
            raise _Ended("memory", _line(raised))
        lacks_builtin = isinstance(raised, NameError) and str(raised).split("'")[1:2] and hasattr(builtins, str(raised).split("'")[1])
        if isinstance(raised, _LACKING_TYPES) or lacks_builtin or _LACKING_WORDS.search(str(raised)):
            raise _Ended("unsupported", f"Unsupported: {_line(raised)}")
        return raised

    @contextlib.contextmanager
    def _ends(self) -> Iterator[None]:
        """A worker that dies ends the run."""
        try:
            yield
        except self._monty.MontyCrashedError as error:
            status = "timeout" if error.timed_out else "crashed"
            raise _Ended(status, f"Crash: {error}"[:500]) from None
        except (self._monty.MontyError, ValueError, TypeError, AttributeError) as error:
            raise _Ended("unsupported", f"Unsupported: {type(error).__name__}: {error}"[:500]) from None

    def _print(self, stream: str, text: str) -> None:
        if self._room > 0:
            self._printed.append(text[: self._room])
            self._room -= len(text)


def _line(raised: BaseException) -> str:
    return f"{type(raised).__name__}: {raised}"[:500] if str(raised) else type(raised).__name__
