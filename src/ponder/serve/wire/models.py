"""GET /v1/models: what there is to ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from ponder.serve.errors import UnknownModel
from ponder.serve.gateway import gateway_of

router = APIRouter()


@router.get("/v1/models", summary="The models and aliases")
async def models(request: Request) -> dict[str, Any]:
    gateway = gateway_of(request)
    gateway.identify(request)
    return {"object": "list", "data": [_entry(name) for name in gateway.engines.names]}


@router.get("/v1/models/{name:path}", summary="One of them")
async def model(name: str, request: Request) -> dict[str, Any]:
    gateway = gateway_of(request)
    gateway.identify(request)
    if name not in gateway.engines.names:
        raise UnknownModel(f"the model {name[:200]!r} does not exist here", param="model")
    return _entry(name)


def _entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "ponder"}
