"""POST /v1/chat/completions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ponder.serve.admission import Caller
from ponder.serve.gateway import Gateway
from ponder.serve.wire.answering import reply
from ponder.serve.wire.described import described
from ponder.serve.wire.fields import ChatBody, ask_of, checked, messages_of, target_of
from ponder.serve.wire.passthrough import or_passed_through

router = APIRouter()


class ChatShape:
    """Choices as messages."""

    prefix, whole, piece = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def choice(self, index: int, text: str | None, finish: str, refusal: str | None) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": refusal}
        return {"index": index, "message": message, "finish_reason": finish, "logprobs": None}

    def opening(self, index: int) -> dict[str, Any]:
        return {"index": index, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}

    def delta(self, index: int, text: str | None, finish: str | None, refusal: str | None) -> dict[str, Any]:
        delta = {**({} if text is None else {"content": text}), **({} if refusal is None else {"refusal": refusal})}
        return {"index": index, "delta": delta, "finish_reason": finish}


@router.post("/v1/chat/completions", summary="Answer a chat", **described(ChatBody))
@or_passed_through("/chat/completions")
async def chat(request: Request, gateway: Gateway, caller: Caller, data: dict[str, Any]) -> Response:
    body: ChatBody = checked(ChatBody, data)
    target = target_of(body, gateway.engines)
    ask = ask_of(body, messages_of(body, target.pipeline), target)
    return await reply(request, gateway, caller, body, ask, ChatShape())
