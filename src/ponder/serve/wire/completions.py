"""POST /v1/completions: raw text continued."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ponder.serve.errors import BadRequest
from ponder.serve.gateway import gateway_of
from ponder.serve.wire.answering import reply
from ponder.serve.wire.connection import read_json
from ponder.serve.wire.described import described
from ponder.serve.wire.fields import CompletionBody, ask_of, checked, method_of
from ponder.serve.wire.passthrough import is_plain_upstream, pass_through

router = APIRouter()


class TextShape:
    """Choices as texts."""

    prefix, whole, piece = "cmpl", "text_completion", "text_completion"

    def choice(self, index: int, text: str | None, finish: str, refusal: str | None) -> dict[str, Any]:
        return {"index": index, "text": text or "", "finish_reason": finish, "logprobs": None}

    def opening(self, index: int) -> None:
        return None

    def delta(self, index: int, text: str | None, finish: str | None, refusal: str | None) -> dict[str, Any]:
        return {"index": index, "text": text or "", "finish_reason": finish, "logprobs": None}


@router.post("/v1/completions", summary="Continue a text", **described(CompletionBody))
async def completions(request: Request) -> Response:
    gateway = gateway_of(request)
    caller = gateway.identify(request)
    raw, data = await read_json(request, gateway.config.server.max_body)
    if is_plain_upstream(gateway, data):
        return await pass_through(request, gateway, caller, "/completions", raw, data)
    body: CompletionBody = checked(CompletionBody, data)
    prompt = body.prompt if isinstance(body.prompt, str) else "".join(body.prompt) if len(body.prompt) == 1 else None
    if prompt is None:
        raise BadRequest("prompt must be one text; send a request for each", param="prompt")
    method = gateway.engines.resolve(body.model, method_of(body)).pipeline
    return await reply(request, gateway, caller, body, ask_of(body, prompt, method, caller.name, raw=True), TextShape())
