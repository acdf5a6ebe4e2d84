"""The server process: on SIGTERM what was accepted is finished, and what is new is refused."""

from __future__ import annotations

import asyncio
from types import FrameType

import uvicorn
from fastapi import FastAPI

from ponder.serve.gateway import Gateway


class Server(uvicorn.Server):
    """uvicorn that drains: the first signal lets the gateway finish while it still answers 503, a second one ends it at once."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        super().__init__(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=10))
        self._gateway: Gateway = app.state.gateway
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # pyright: ignore[reportArgumentType]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._gateway.admission.draining or self._loop is None:
            super().handle_exit(sig, frame)
        else:
            self._gateway.admission.draining = True
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._draining = asyncio.ensure_future(self._gateway.drain())
        self._draining.add_done_callback(lambda _: setattr(self, "should_exit", True))
