"""One process of a bubblewrap sandbox, from outside."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Any

from ponder.core.errors import EngineError
from ponder.sandbox.box import Box, Pipes
from ponder.sandbox.contract import Limits, Status
from ponder.sandbox.inside import wire


class Ended(Exception):
    """A run cannot go on: the clock, or the end of its process."""

    def __init__(self, status: Status) -> None:
        self.status: Status = status


class Run:
    """A process of a box, for one program or its tests: asks and answers, while what it prints is collected."""

    def __init__(self, box: Box, role: str, limits: Limits, deadline: float) -> None:
        self._box = box
        self._pipes: Pipes = box.start(role, limits)
        self._deadline = deadline
        self._room = limits.output
        self._printed = bytearray()
        self._unread = bytearray()
        self.exit_status = 0
        """Of the process, negative for a signal; known when it has ended."""

    def send(self, message: Any) -> None:
        """Send a message."""
        rest = wire.to_bytes(message)
        while rest:
            self._wait(writing=True)
            try:
                rest = rest[os.write(self._pipes.to, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise Ended("crashed") from None

    def hear(self) -> Any:
        """The next message."""
        while len(self._unread) < 4 or len(self._unread) < (size := 4 + int.from_bytes(self._unread[:4], "big")):
            if len(self._unread) >= 4 and int.from_bytes(self._unread[:4], "big") > wire.MAX_BYTES:
                raise Ended("crashed")
            self._wait(writing=False)
            try:
                part = os.read(self._pipes.answers, 2**16)
            except BlockingIOError:
                continue
            if not part:
                raise Ended("crashed")
            self._unread += part
        body = bytes(self._unread[4:size])
        del self._unread[:size]
        try:
            return wire.from_bytes(body)
        except wire.NotPlain:
            raise Ended("crashed") from None

    def _wait(self, writing: bool) -> None:
        """Until the pipe in question is ready. What is printed meanwhile is taken in."""
        poll = select.poll()
        poll.register(self._pipes.printed, select.POLLIN)
        awaited, event = (self._pipes.to, select.POLLOUT) if writing else (self._pipes.answers, select.POLLIN)
        poll.register(awaited, event)
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise Ended("timeout")
            ready = {fd for fd, _ in poll.poll(left * 1000)}
            if self._pipes.printed in ready and not self._take():
                poll.unregister(self._pipes.printed)
            if awaited in ready:
                return

    def _take(self) -> bool:
        """Take in what was printed; False if no more can come."""
        part = os.read(self._pipes.printed, 2**16)
        self._printed += part[: max(0, 4 * self._room - len(self._printed))]
        return bool(part)

    def end(self) -> bool:
        """End the process. True if its box is as new."""
        try:
            self.exit_status, clean = self._box.end()
            with contextlib.suppress(BlockingIOError):
                while self._take():
                    pass
            return clean
        except EngineError:
            return False
        finally:
            self._pipes.close()

    @property
    def printed(self) -> str:
        """What it printed, cut."""
        return self._printed.decode(errors="replace")[: self._room]
