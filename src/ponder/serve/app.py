"""The web application: start and end, addresses, errors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import ponder
from ponder.core.errors import PonderError
from ponder.serve import metrics
from ponder.serve.config import Config
from ponder.serve.digest.mail import read_server
from ponder.serve.digest.room import DigestSettings
from ponder.serve.engines import Engines
from ponder.serve.errors import GatewayError, body_of, headers_of, status_of
from ponder.serve.gateway import Gateway
from ponder.serve.hosts import KnownHosts
from ponder.serve.page import routes as page
from ponder.serve.papers import routes as papers
from ponder.serve.papers.room import PapersSettings
from ponder.serve.reload import Reloader
from ponder.serve.wire import chat, completions, embeddings, models, responses


def create_app(config: Config | None = None, engines: Engines | None = None, path: str = "") -> FastAPI:
    """The gateway as an ASGI application.

    Args:
        config: the configuration; by default the embedded model on this machine.
        engines: the models that are served; by default those of the configuration.
        path: the configuration's file, which is read again when it changes; "" if there is none.
    """
    config = config or Config()
    gateway = Gateway(config, engines)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(Reloader(path, config, gateway.reconfigure).watch()) if path else None
        yield
        if watch is not None:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        await gateway.close()

    app = FastAPI(title="ponder", version=ponder.__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.gateway = gateway
    for room in (chat, completions, responses, embeddings, models, metrics):
        app.include_router(room.router)
    if config.pages.page:
        app.include_router(page.router)
    if config.pages.papers:
        app.state.papers_settings = _papers(config)
        app.state.digest_settings = _digest(config)
        app.include_router(papers.router)
    app.add_exception_handler(PonderError, _explained)
    app.add_exception_handler(HTTPException, _refused)
    if not (config.keys.file or config.server.open):
        app.add_middleware(KnownHosts, names=config.server.hosts)
    if config.server.cors:
        app.add_middleware(CORSMiddleware, allow_origins=config.server.cors, allow_methods=["GET", "POST"], allow_headers=["*"])

    @app.get("/health", summary="Whether the gateway runs")
    async def health() -> Any:
        return JSONResponse({"status": "ok"})

    @app.get("/ready", summary="Whether the gateway takes requests", responses={503: {"description": "It finishes what it accepted."}})
    async def ready() -> Any:
        going = gateway.admission.draining
        return JSONResponse({"status": "draining" if going else "ok"}, 503 if going else 200)

    return app


def _papers(config: Config) -> PapersSettings:
    return PapersSettings(run=config.pages.reproduce and not config.keys.file, reports=config.pages.reports, encoder=config.pages.encoder)


def _digest(config: Config) -> DigestSettings:
    asked = config.digest
    server = read_server(asked.smtp, asked.sender, os.environ.get("PONDER_SMTP_PASSWORD", "")) if asked.smtp else None
    return DigestSettings(server, asked.url)


async def _explained(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PonderError)
    return JSONResponse(body_of(error), status_of(error), headers_of(error))


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    said = body_of(GatewayError(str(error.detail)))
    said["error"]["type"] = "invalid_request_error"
    return JSONResponse(said, error.status_code, error.headers)
