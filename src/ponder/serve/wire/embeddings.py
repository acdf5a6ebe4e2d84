"""POST /v1/embeddings: only servers behind the gateway have them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from ponder.serve.errors import BadRequest, Unsupported
from ponder.serve.gateway import gateway_of
from ponder.serve.wire.connection import read_json
from ponder.serve.wire.described import described
from ponder.serve.wire.passthrough import is_plain_upstream, pass_through

router = APIRouter()


class EmbeddingsBody(BaseModel):
    """The body of a request for embeddings; what else it holds goes to the server behind."""

    model_config = ConfigDict(extra="allow")
    model: str
    input: str | list[str] | list[int] | list[list[int]]


@router.post("/v1/embeddings", summary="Embed texts", **described(EmbeddingsBody))
async def embeddings(request: Request) -> Response:
    gateway = gateway_of(request)
    caller = gateway.identify(request)
    raw, data = await read_json(request, gateway.config.server.max_body)
    if is_plain_upstream(gateway, data):
        return await pass_through(request, gateway, caller, "/embeddings", raw, data)
    if not isinstance(data.get("model"), str):
        raise BadRequest("model must be a text", param="model")
    gateway.engines.resolve(data["model"])
    raise Unsupported(f"{data['model'][:200]!r} has no embeddings here; only models on other servers may have", param="model")
