"""The sandbox of full CPython: a pool of workers, each with one bubblewrap sandbox for tested code and one for tests."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ponder.core.errors import InputError
from ponder.sandbox.batch import side_by_side
from ponder.sandbox.box import Box, check_that_it_works
from ponder.sandbox.contract import Calls, Check, Limits, Outcome, Raised, Status
from ponder.sandbox.inside import wire
from ponder.sandbox.names import named_in, without_builtins
from ponder.sandbox.run import Ended, Run


class Bubblewrap:
    """Full CPython behind namespaces, limits and a filter of system calls.

    Args:
        workers: programs at a time; None for one a CPU.

    Raises:
        MissingExtra: if bubblewrap is not installed.
        EngineError: if it may not make a sandbox here.
    """

    name = "bubblewrap"

    def __init__(self, workers: int | None = None) -> None:
        check_that_it_works()
        count = workers or os.cpu_count() or 1
        self._workers = [_Worker() for _ in range(count)]
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in self._workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="sandbox")

    def check(self, checks: Sequence[Check], limits: Limits = Limits()) -> list[Outcome]:
        """Run each program and its tests. Tests after one that timed out count as failed."""
        return side_by_side(self._threads, lambda check: self._one(check, (), limits), checks, self._kill)

    def calls(self, code: str, calls: Calls, limits: Limits = Limits()) -> Outcome:
        """Run a program and call functions of it, (name, arguments) each; `Outcome.values` are what they gave.

        Raises:
            InputError: if an argument is not plain data.
        """
        try:
            packed = [(name, wire.pack(args)) for name, args in calls]
        except wire.NotPlain as error:
            raise InputError(f"a call's arguments must be plain data: {error}") from None
        return self._one(Check(code), packed, limits)

    def close(self) -> None:
        """End all workers. The sandbox can be used again."""
        for worker in [self._free.get() for _ in self._workers]:
            worker.close()
            self._free.put(worker)

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def _one(self, check: Check, calls: Sequence[tuple[str, Any]], limits: Limits) -> Outcome:
        worker = self._free.get()
        try:
            worker.prepare("code", *(["tests"] if check.tests else []))
            return _Job(worker, check, calls, limits).outcome()
        finally:
            self._free.put(worker)


class _Worker:
    """Two boxes, started when they are first needed and replaced when something was left in them."""

    def __init__(self) -> None:
        self._boxes: dict[str, Box] = {}

    def prepare(self, *roles: str) -> None:
        """Start the boxes that are missing or have died."""
        for role in roles:
            if role in self._boxes and not self._boxes[role].alive:
                self._boxes.pop(role).close()
            if role not in self._boxes:
                self._boxes[role] = Box()

    @contextlib.contextmanager
    def run(self, role: str, limits: Limits, deadline: float) -> Iterator[Run]:
        """A process in the box of that role, for as long as the context lasts."""
        box = self._boxes[role]
        clean = False
        try:
            run = Run(box, role, limits, deadline)
            try:
                yield run
            finally:
                clean = run.end()
        finally:
            if not clean:
                self._boxes.pop(role).close()

    def kill(self) -> None:
        """End what runs, at once, from another thread."""
        for box in list(self._boxes.values()):
            box.kill()

    def close(self) -> None:
        """End both boxes."""
        while self._boxes:
            self._boxes.popitem()[1].close()


class _Job:
    """One program with its tests or calls, from its start to its outcome."""

    def __init__(self, worker: _Worker, check: Check, calls: Sequence[tuple[str, Any]], limits: Limits) -> None:
        self._worker, self._check, self._calls, self._limits = worker, check, calls, limits
        self._started = time.monotonic()
        self._deadline = self._started + limits.seconds
        self._passed: list[bool] = []
        self._values: list[Any] = []
        self._error = ""

    def outcome(self) -> Outcome:
        """Run it all."""
        with self._worker.run("code", self._limits, self._deadline) as code:
            try:
                status = self._run(code)
            except Ended as end:
                status = end.status
        if status == "crashed" and code.exit_status == -signal.SIGXCPU:
            status = "timeout"
        if not self._error and status != "ok":
            self._error = f"Timeout: {self._limits.seconds} s" if status == "timeout" else f"Crash: exit status {code.exit_status}"
        seconds = time.monotonic() - self._started
        return Outcome(status, Bubblewrap.name, tuple(self._passed), self._error, code.printed, tuple(self._values), seconds)

    def _run(self, code: Run) -> Status:
        names = sorted(named_in(self._check.setup, *self._check.tests))
        code.send({"code": self._check.code, "names": names})
        reply = _dict(code.hear())
        if "raised" in reply:
            self._error = _line(reply["raised"])
            return "memory" if self._error.startswith("MemoryError") else "failed"
        for name, args in self._calls:
            answer = self._ask(code, {"name": name, "args": args, "kwargs": {"d": []}})
            self._values.append(_value(answer))
        if self._check.tests:
            defined = _dict(reply.get("defined"))
            with self._worker.run("tests", self._limits, self._deadline) as tests:
                self._judge(code, tests, without_builtins({name: defined[name] for name in names if name in defined}))
        return "ok"

    def _judge(self, code: Run, tests: Run, defined: dict[str, Any]) -> None:
        """Carry calls from the tests to the code and back, until each test has its verdict."""
        nonce = secrets.token_hex(16)
        count = len(self._check.tests)
        try:
            tests.send({"nonce": nonce, "setup": self._check.setup, "tests": self._check.tests, "defined": defined})
            while len(self._passed) < count:
                said = _dict(tests.hear())
                if said.pop("nonce", None) != nonce:
                    raise Ended("crashed")
                if "call" in said:
                    tests.send(self._ask(code, said["call"]))
                else:
                    self._passed.append(said["passed"] is True)
                    self._error = self._error or said["error"]
                    tests.send({})
        finally:
            self._passed += [False] * (count - len(self._passed))

    def _ask(self, code: Run, call: dict[str, Any]) -> dict[str, Any]:
        """What the code answers to a call. Running out of memory ends the run: nothing that comes after it could be relied on."""
        code.send(call)
        reply = _dict(code.hear())
        if _dict(reply.get("raised")).get("kind") == "MemoryError":
            self._error = self._error or _line(reply["raised"])
            raise Ended("memory")
        return reply


def _dict(said: Any) -> dict[str, Any]:
    """What a process said, if it is of the right shape: the code's process can say anything."""
    return said if isinstance(said, dict) else {}


def _line(raised: Any) -> str:
    return str(_dict(raised).get("line", "RuntimeError"))[:500]


def _value(answer: dict[str, Any]) -> Any:
    if "raised" in answer:
        return Raised(_line(answer["raised"]))
    try:
        return wire.unpack(answer.get("value"))
    except wire.NotPlain as error:
        return Raised(f"NotPlain: {error}")
