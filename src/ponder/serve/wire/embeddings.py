"""POST /v1/embeddings: only servers behind the gateway have them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from ponder.serve.admission import Caller
from ponder.serve.errors import BadRequest, Unsupported
from ponder.serve.gateway import Gateway
from ponder.serve.wire.described import described
from ponder.serve.wire.passthrough import or_passed_through

router = APIRouter()


class EmbeddingsBody(BaseModel):
    """The body of a request for embeddings; what else it holds goes to the server behind."""

    model_config = ConfigDict(extra="allow")
    model: str
    input: str | list[str] | list[int] | list[list[int]]


@router.post("/v1/embeddings", summary="Embed texts", **described(EmbeddingsBody))
@or_passed_through("/embeddings")
async def embeddings(request: Request, gateway: Gateway, caller: Caller, data: dict[str, Any]) -> Response:
    if not isinstance(data.get("model"), str):
        raise BadRequest("model must be a text", param="model")
    gateway.engines.resolve(data["model"])
    raise Unsupported(f"{data['model'][:200]!r} has no embeddings here; only models on other servers may have", param="model")
