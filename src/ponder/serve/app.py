"""The web application: start and end, addresses, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import ponder
from ponder.core.errors import PonderError
from ponder.lm.load import DEFAULT
from ponder.serve.engines import Engines
from ponder.serve.errors import body_of, headers_of, status_of
from ponder.serve.gateway import Gateway
from ponder.serve.wire import chat, models


def create_app(engines: Engines | None = None) -> FastAPI:
    """The gateway as an ASGI application.

    Args:
        engines: the models that are served; by default the embedded one.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.gateway.close()

    app = FastAPI(title="ponder", version=ponder.__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.gateway = Gateway(engines or Engines({DEFAULT: DEFAULT}))
    for room in (chat, models):
        app.include_router(room.router)
    app.add_exception_handler(PonderError, _explained)

    @app.get("/health", summary="Whether the gateway takes requests")
    async def health() -> Any:
        going = app.state.gateway.draining
        return JSONResponse({"status": "draining" if going else "ok"}, 503 if going else 200)

    return app


async def _explained(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PonderError)
    return JSONResponse(body_of(error), status_of(error), headers_of(error))
