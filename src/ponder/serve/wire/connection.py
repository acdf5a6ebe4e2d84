"""A caller's connection: its body read with a limit, its end noticed while the answer is made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from ponder.serve.errors import BadRequest, TooLarge

T = TypeVar("T")


class HungUp(Exception):
    """The caller left; nobody reads an answer."""


async def read_body(request: Request, largest: int, what: str = "request") -> bytes:
    """The body as it came.

    Raises:
        TooLarge: it has more than `largest` bytes.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > largest:
            raise TooLarge(f"a {what} may have {largest} bytes")
    return bytes(body)


async def read_json(request: Request, largest: int) -> tuple[bytes, dict[str, Any]]:
    """The body, as it came and decoded.

    Raises:
        TooLarge: it has more than `largest` bytes.
        BadRequest: it is no JSON object.
    """
    body = await read_body(request, largest)
    try:
        data = json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise BadRequest("the body must be a JSON object")
    return body, data


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; when the caller leaves first, it is cancelled and awaited.

    Raises:
        HungUp: the caller left.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
        raise HungUp
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()


class Left(Response):
    """The answer to somebody who is not there any more: nothing is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        return


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
