"""Server-sent events: lines of data, comment lines that keep a connection alive, and their end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from fastapi import Response
from starlette.types import Receive, Scope, Send

from ponder.core.errors import PonderError
from ponder.serve.errors import body_of
from ponder.serve.wire.connection import HungUp, while_connected

T = TypeVar("T")

END = b"data: [DONE]\n\n"
SILENCE = b": waiting\n\n"


def data(value: Any, event: str = "") -> bytes:
    """One event, with its name if it has one."""
    return (
        (f"event: {event}\n".encode() if event else b"")
        + b"data: "
        + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        + b"\n\n"
    )


def comment(value: Any) -> bytes:
    """A line that clients skip."""
    return b": " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


async def paced(events: AsyncGenerator[T, None], seconds: float) -> AsyncGenerator[T | None, None]:
    """The events, and None after every so many seconds of silence."""
    upcoming = asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait((upcoming,), timeout=seconds)
            if not done:
                yield None
                continue
            try:
                event = upcoming.result()
            except StopAsyncIteration:
                return
            yield event
            upcoming = asyncio.ensure_future(anext(events))
    finally:
        upcoming.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
            await upcoming


class EventStream(Response):
    """A reply in pieces. When the caller leaves, the pieces' generator is closed at once.

    An error before the first piece is an ordinary error reply; a later one is an event of OpenAI's shape, and the end.

    Args:
        pieces: what is sent.
        silence: seconds without a piece after which a comment line is sent.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], silence: float) -> None:
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._pieces, self._silence = pieces, silence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(HungUp, OSError):
            await while_connected(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        begun = False
        try:
            async with aclosing(paced(self._pieces, self._silence)) as pieces:
                async for piece in pieces:
                    if not begun:
                        begun = True
                        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await send({"type": "http.response.body", "body": SILENCE if piece is None else piece, "more_body": True})
        except PonderError as error:
            if not begun:
                raise
            await send({"type": "http.response.body", "body": data(body_of(error)), "more_body": True})
        finally:
            await self._pieces.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
