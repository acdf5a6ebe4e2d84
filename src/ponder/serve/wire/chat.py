"""POST /v1/chat/completions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ponder.serve.gateway import gateway_of
from ponder.serve.wire.answering import reply
from ponder.serve.wire.connection import read_json
from ponder.serve.wire.described import described
from ponder.serve.wire.fields import ChatBody, ask_of, checked, messages_of, method_of
from ponder.serve.wire.passthrough import is_plain_upstream, pass_through

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
async def chat(request: Request) -> Response:
    gateway = gateway_of(request)
    caller = gateway.identify(request)
    raw, data = await read_json(request, gateway.config.server.max_body)
    if is_plain_upstream(gateway, data):
        return await pass_through(request, gateway, caller, "/chat/completions", raw, data)
    body: ChatBody = checked(ChatBody, data)
    method = gateway.engines.resolve(body.model, method_of(body)).pipeline
    ask = ask_of(body, messages_of(body, method), method, caller.name)
    return await reply(request, gateway, caller, body, ask, ChatShape())
