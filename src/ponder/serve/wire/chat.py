"""POST /v1/chat/completions."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ponder.core.answer import Answer
from ponder.core.language import Message, Sampling
from ponder.serve.gateway import gateway_of
from ponder.serve.job import Ask, Done, Job

router = APIRouter()


@router.post("/v1/chat/completions", summary="Answer a chat")
async def chat(request: Request) -> JSONResponse:
    data = json.loads(await request.body())
    own = data.get("ponder") or {}
    ask = Ask(
        tuple(Message(m["role"], m["content"]) for m in data["messages"]),
        data["model"],
        own.get("method", ""),
        own.get("budget", ""),
        data.get("seed"),
        Sampling(**{k: data[k] for k in ("temperature", "max_tokens", "top_p") if k in data}),
    )
    job = Job(ask, gateway_of(request))
    return JSONResponse(reply_of(await job.answer(), job))


def reply_of(done: Done, job: Job) -> dict[str, Any]:
    answer = done.answer
    message = {"role": "assistant", "content": answer.text}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": job.ask.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": usage_of(answer),
    }


def usage_of(answer: Answer) -> dict[str, Any]:
    bill = answer.bill
    return {"prompt_tokens": bill.tokens_in, "completion_tokens": bill.tokens_out, "total_tokens": bill.tokens}
