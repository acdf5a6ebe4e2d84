"""Plain names of models on other servers: what came goes there, what comes back goes out, untouched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from ponder.core.budget import Bill
from ponder.lm.openai_wire import estimate
from ponder.serve.admission import Caller, Ticket
from ponder.serve.config import Model
from ponder.serve.errors import BadRequest, UpstreamDown
from ponder.serve.wire.connection import HungUp, while_connected

if TYPE_CHECKING:
    from ponder.serve.gateway import Gateway

_CONNECT = 5.0
_TAIL = 65_536
"""Bytes at a reply's end in which its usage is looked for."""


class Upstreams:
    """One client for all servers behind the gateway, and which of them failed last."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None
        self.failed: set[str] = set()

    @property
    def client(self) -> httpx.AsyncClient:
        """Made on first use: its certificates take tens of milliseconds to read."""
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
            self._client = httpx.AsyncClient(follow_redirects=False, limits=limits)
        return self._client

    async def open(self, model: Model, path: str, raw: bytes, data: dict[str, Any]) -> httpx.Response:
        """The reply of the first server that can be reached, its body not read yet.

        Raises:
            UpstreamDown: none can, or the gateway's key is refused.
        """
        names = sorted(model.upstreams or (model.engine,), key=lambda name: name in self.failed)
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if model.key:
            headers["authorization"] = f"Bearer {model.key}"
        for name in names:
            url, _, there = name.partition("#")
            body = raw if data["model"] == there else json.dumps({**data, "model": there}).encode()
            request = self.client.build_request(
                "POST", url.rstrip("/") + path, content=body, headers=headers, timeout=httpx.Timeout(model.timeout, connect=_CONNECT)
            )
            try:
                response = await self.client.send(request, stream=True)
            except httpx.TransportError:
                self.failed.add(name)
                continue
            if response.status_code in (401, 403):
                await response.aclose()  # its text may quote the key
                raise UpstreamDown("the server behind this model refused the gateway's key")
            if response.status_code in (502, 503, 504) and name != names[-1]:
                self.failed.add(name)
                await response.aclose()
                continue
            self.failed.discard(name)
            return response
        raise UpstreamDown(f"no server behind {data['model']!r} can be reached", retry_after=model.check)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def is_plain_upstream(gateway: Gateway, data: dict[str, Any]) -> bool:
    """Whether a body names a model on another server, and asks for nothing of ponder's."""
    name = data.get("model")
    if not isinstance(name, str) or data.get("ponder") is not None or name in gateway.engines.aliases:
        return False
    model = gateway.engines.models.get(name)
    return isinstance(model, Model) and (model.engine.startswith(("http://", "https://")) or bool(model.upstreams))


async def pass_through(request: Request, gateway: Gateway, caller: Caller, path: str, raw: bytes, data: dict[str, Any]) -> Response:
    """The reply that goes through; its usage is billed to the caller."""
    for name, most in (("max_tokens", gateway.config.caps.max_tokens), ("max_completion_tokens", gateway.config.caps.max_tokens)):
        if isinstance(data.get(name), int) and data[name] > most:
            raise BadRequest(f"{name} may be at most {most} here, not {data[name]}", param=name)
    if isinstance(data.get("n"), int) and data["n"] > gateway.config.caps.n:
        raise BadRequest(f"n may be at most {gateway.config.caps.n} here, not {data['n']}", param="n")
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
        longest = self._data.get("max_completion_tokens") or self._data.get("max_tokens") or self._gateway.config.caps.max_tokens
        bound = len(self._raw) + longest * (self._data.get("n") or 1) if isinstance(longest, int) else len(self._raw)
        async with self._gateway.admission.admit(
            self._caller, tokens=bound, model=self._data["model"], prompt=self._raw.decode(errors="replace")
        ) as ticket:
            response = await self._gateway.upstreams.open(model, self._path, self._raw, self._data)
            tail, pieces = b"", 0
            try:
                kept = [(k, v) for k, v in response.headers.raw if k.lower() in (b"content-type", b"retry-after", b"content-length")]
                await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
                async for piece in self._read(response):
                    tail, pieces = (tail + piece)[-_TAIL:], pieces + piece.count(b"\ndata: ")
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                # The end of a reply looks like a hang-up, which cancels what still waits here: it is billed first, and sent last.
                _settle(ticket, model, tail, pieces, self._raw, response.status_code)
                with suppress(Exception):
                    await asyncio.shield(response.aclose())
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @staticmethod
    async def _read(response: httpx.Response) -> AsyncIterator[bytes]:
        """The pieces; an upstream that breaks off ends the reply there, which an incomplete body tells the caller."""
        async for piece in response.aiter_raw():
            yield piece


def _settle(ticket: Ticket, model: Model, tail: bytes, pieces: int, raw: bytes, status: int) -> None:
    """The usage that the reply tells; where it tells none, an estimate by length, or nothing for an error."""
    usage: Any = None
    at = tail.rfind(b'"usage"')
    if at >= 0:
        with suppress(ValueError):
            usage, _ = json.JSONDecoder().raw_decode(tail[at + 7 :].decode(errors="replace").lstrip(" :\n\t"))
    if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
        read, drawn = usage["prompt_tokens"], usage.get("completion_tokens") or 0
    else:
        read, drawn = (estimate(len(raw)), max(pieces, estimate(len(tail)) if not pieces else 0)) if status < 400 else (0, 0)
    price = model.price
    money = (read * price.input + drawn * price.output) / 1e6 if price else 0.0
    ticket.settle(Bill(read, drawn, calls=1, money=money), ticket.status or status)
