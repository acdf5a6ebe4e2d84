"""POST /v1/completions: raw text continued."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ponder.serve.admission import Caller
from ponder.serve.errors import BadRequest
from ponder.serve.gateway import Gateway
from ponder.serve.wire.answering import reply
from ponder.serve.wire.described import described
from ponder.serve.wire.fields import CompletionBody, ask_of, checked, target_of
from ponder.serve.wire.passthrough import or_passed_through

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
@or_passed_through("/completions")
async def completions(request: Request, gateway: Gateway, caller: Caller, data: dict[str, Any]) -> Response:
    body: CompletionBody = checked(CompletionBody, data)
    prompt = body.prompt if isinstance(body.prompt, str) else "".join(body.prompt) if len(body.prompt) == 1 else None
    if prompt is None:
        raise BadRequest("prompt must be one text; send a request for each", param="prompt")
    ask = ask_of(body, prompt, target_of(body, gateway.engines), raw=True)
    return await reply(request, gateway, caller, body, ask, TextShape())
