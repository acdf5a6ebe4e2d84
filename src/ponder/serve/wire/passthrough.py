"""Plain names of models on other servers: what came goes there, what comes back goes out, untouched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from ponder.core.budget import Bill
from ponder.lm.openai_wire import estimate
from ponder.serve.admission import Caller, Ticket
from ponder.serve.config import Model
from ponder.serve.errors import at_most
from ponder.serve.gateway import Gateway, gateway_of
from ponder.serve.wire.connection import HungUp, read_json, while_connected

Handler = Callable[[Request, Gateway, Caller, dict[str, Any]], Awaitable[Response]]

_LENGTHS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
"""Where bodies say how long a completion may be."""

_TAIL = 65_536
"""Bytes at a reply's end in which its usage is looked for."""


def is_plain_upstream(gateway: Gateway, data: dict[str, Any]) -> bool:
    """Whether a body names a model on another server, and asks for nothing of ponder's."""
    name = data.get("model")
    if not isinstance(name, str) or data.get("ponder") is not None or name in gateway.engines.aliases:
        return False
    model = gateway.engines.models.get(name)
    return isinstance(model, Model) and (model.engine.startswith(("http://", "https://")) or bool(model.upstreams))


def or_passed_through(path: str) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """What every address begins with: who calls, the body, and whether it goes through as it is to `path` of another server."""

    def around(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def address(request: Request) -> Response:
            gateway = gateway_of(request)
            caller = gateway.identify(request)
            raw, data = await read_json(request, gateway.config.server.max_body)
            if is_plain_upstream(gateway, data):
                return pass_through(gateway, caller, path, raw, data)
            return await handler(request, gateway, caller, data)

        address.__name__ = handler.__name__
        return address

    return around


def pass_through(gateway: Gateway, caller: Caller, path: str, raw: bytes, data: dict[str, Any]) -> Response:
    """The reply that goes through; its usage is billed to the caller."""
    caps = gateway.config.caps
    for name, most in (*((name, caps.max_tokens) for name in _LENGTHS), ("n", caps.n)):
        if isinstance(data.get(name), int):
            at_most(name, data[name], most)
    return Through(gateway, caller, path, raw, data)


class Through(Response):
    """A reply from another server, handed on piece by piece as it comes."""

    def __init__(self, gateway: Gateway, caller: Caller, path: str, raw: bytes, data: dict[str, Any]) -> None:
        super().__init__()
        self._gateway, self._caller, self._path, self._raw, self._data = gateway, caller, path, raw, data
        # Looked up now: a new configuration may take the model away while the request waits.
        self._model = gateway.engines.models[data["model"]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(HungUp, OSError):
            await while_connected(receive, self._run(send))

    async def _run(self, send: Send) -> None:
        model = self._model
        assert isinstance(model, Model)
        longest = next(filter(None, map(self._data.get, _LENGTHS)), self._gateway.config.caps.max_tokens)
        bound = len(self._raw) + longest * (self._data.get("n") or 1) if isinstance(longest, int) else len(self._raw)
        async with self._gateway.admission.admit(
            self._caller, tokens=bound, model=self._data["model"], prompt=self._raw.decode(errors="replace")
        ) as ticket:
            response = await self._gateway.upstreams.open(model, self._path, self._raw, self._data)
            tail, pieces = b"", 0
            try:
                kept = [(k, v) for k, v in response.headers.raw if k.lower() in (b"content-type", b"retry-after", b"content-length")]
                await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
                async for piece in response.aiter_raw():  # one that breaks off leaves the reply incomplete, which tells the caller
                    tail, pieces = (tail + piece)[-_TAIL:], pieces + piece.count(b"\ndata: ")
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                # The end of a reply looks like a hang-up, which cancels what still waits here: it is billed first, and sent last.
                _settle(ticket, model, tail, pieces, self._raw, response.status_code)
                with suppress(Exception):
                    await asyncio.shield(response.aclose())
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _settle(ticket: Ticket, model: Model, tail: bytes, pieces: int, raw: bytes, status: int) -> None:
    """The usage that the reply tells; where it tells none, an estimate by length, or nothing for an error."""
    usage: Any = None
    at = tail.rfind(b'"usage"')
    if at >= 0:
        with suppress(ValueError):
            usage, _ = json.JSONDecoder().raw_decode(tail[at + 7 :].decode(errors="replace").lstrip(" :\n\t"))
    told = usage if isinstance(usage, dict) else {}
    read, drawn = told.get("prompt_tokens", told.get("input_tokens")), told.get("completion_tokens", told.get("output_tokens"))
    if isinstance(read, int):
        drawn = drawn or 0
    else:
        read, drawn = (estimate(len(raw)), max(pieces, estimate(len(tail)) if not pieces else 0)) if status < 400 else (0, 0)
    price = model.price
    money = (read * price.input + drawn * price.output) / 1e6 if price else 0.0
    ticket.settle(Bill(read, drawn, calls=1, money=money), ticket.status or status)
