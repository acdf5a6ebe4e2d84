"""GET /v1/models: what there is to ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from ponder.serve.gateway import gateway_of

router = APIRouter()


@router.get("/v1/models", summary="The models and aliases")
async def models(request: Request) -> dict[str, Any]:
    engines = gateway_of(request).engines
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "ponder"} for name in engines.names]
    return {"object": "list", "data": listed}
