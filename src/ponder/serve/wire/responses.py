"""POST /v1/responses: a chat in OpenAI's later shape. Nothing is kept: every request brings its whole conversation."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ponder.serve.admission import Caller
from ponder.serve.errors import BadRequest
from ponder.serve.gateway import Gateway
from ponder.serve.job import Done, Job, Progress, Token
from ponder.serve.wire import sse
from ponder.serve.wire.answering import whole
from ponder.serve.wire.described import described
from ponder.serve.wire.fields import ChatBody, Own, Turn, ask_of, checked, messages_of, target_of, valid
from ponder.serve.wire.passthrough import or_passed_through
from ponder.serve.wire.replies import own_of, progress_of, texts_of

router = APIRouter()

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "text": ({}, {"format": {"type": "text"}}),
    "truncation": ("disabled",),
    "include": ([],),
    "background": (False,),
    "max_tool_calls": (),
}
"""Fields of this shape only, and the values that ask for nothing."""


class ResponsesBody(BaseModel):
    """The body of a request for a response; other fields of a chat's sampling may stand in it too."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str = Field(description="As in a chat.", min_length=1)
    input: str | list[Turn] = Field(description="The question, or the whole conversation.", min_length=1)
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    stream: bool | None = None
    ponder: Own | None = None


def as_chat(data: dict[str, Any]) -> dict[str, Any]:
    """The body of the chat that asks the same.

    Raises:
        BadRequest: the conversation stands in a chat's field.
    """
    if "messages" in data:
        raise BadRequest("a response's conversation stands in `input`, not in `messages`", param="messages")
    rest = {
        name: value
        for name, value in data.items()
        if not any(value == neutral and isinstance(value, bool) == isinstance(neutral, bool) for neutral in NEUTRAL.get(name, ()))
    }
    turns, instructions, longest = rest.pop("input", None), rest.pop("instructions", None), rest.pop("max_output_tokens", None)
    messages = [{"role": "user", "content": turns}] if isinstance(turns, str) else [_turn(turn) for turn in turns or []]
    system = [{"role": "system", "content": instructions}] if instructions else []
    return rest | {"messages": system + messages} | ({} if longest is None else {"max_completion_tokens": longest})


def _turn(turn: dict[str, Any]) -> dict[str, Any]:
    """A message with its parts as a chat names them; what a reply of ours adds to a message is left behind."""
    kinds = ("input_text", "output_text")
    parts = turn["content"]
    if isinstance(parts, list):
        parts = [{"type": "text", "text": part.get("text")} if part.get("type") in kinds else part for part in parts]
    own = {"id", "status"} | ({"type"} if turn.get("type") == "message" else set())
    return {name: value for name, value in turn.items() if name not in own} | {"content": parts}


@router.post("/v1/responses", summary="Answer in the shape of the Responses API", **described(ResponsesBody))
@or_passed_through("/responses")
async def responses(request: Request, gateway: Gateway, caller: Caller, data: dict[str, Any]) -> Response:
    asked: ResponsesBody = valid(ResponsesBody, data)
    body: ChatBody = checked(ChatBody, as_chat(data))
    target = target_of(body, gateway.engines)
    job = Job(ask_of(body, messages_of(body, target.pipeline), target), gateway)
    shape = ResponseShape(asked)
    if body.stream:
        return sse.EventStream(_events(gateway, caller, job, shape), gateway.config.server.keepalive)
    return await whole(request, gateway, caller, job, lambda done: JSONResponse(shape.ended(done, job)))


class ResponseShape:
    """One response: its fields, before and after it is answered."""

    def __init__(self, body: ResponsesBody) -> None:
        self.message = f"msg_{uuid.uuid4().hex}"
        self.fields: dict[str, Any] = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "model": body.model,
            "error": None,
            "incomplete_details": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "temperature": body.temperature,
            "top_p": body.top_p,
            "metadata": {},
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "tool_choice": "none",
            "tools": [],
        }

    def begun(self) -> dict[str, Any]:
        return self.fields | {"status": "in_progress", "output": [], "usage": None}

    def ended(self, done: Done, job: Job) -> dict[str, Any]:
        text, finish, refusal = texts_of(done, job)[0]
        status, bill = "incomplete" if finish == "length" else "completed", done.answer.bill
        return self.fields | {
            "status": status,
            "incomplete_details": {"reason": "max_output_tokens"} if finish == "length" else None,
            "output": [self.item(status, self.part(text, refusal))],
            "usage": {
                "input_tokens": bill.tokens_in,
                "input_tokens_details": {"cached_tokens": bill.cached},
                "output_tokens": bill.tokens_out,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": bill.tokens,
            },
            "ponder": own_of(done, job),
        }

    def item(self, status: str, *parts: dict[str, Any]) -> dict[str, Any]:
        return {"id": self.message, "type": "message", "role": "assistant", "status": status, "content": list(parts)}

    def part(self, text: str | None, refusal: str | None) -> dict[str, Any]:
        return _text_part(text or "") if refusal is None else {"type": "refusal", "refusal": refusal}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


async def _events(gateway: Gateway, caller: Caller, job: Job, shape: ResponseShape) -> AsyncGenerator[bytes, None]:
    numbers = itertools.count()

    def event(kind: str, **more: Any) -> bytes:
        return sse.data({"type": f"response.{kind}", "sequence_number": next(numbers)} | more, event=f"response.{kind}")

    place = {"item_id": shape.message, "output_index": 0, "content_index": 0}
    told, opened = "", False

    def opening(part: dict[str, Any]) -> bytes:
        return event("output_item.added", output_index=0, item=shape.item("in_progress")) + event("content_part.added", **place, part=part)

    async with gateway.admitted(job, caller):
        yield event("created", response=shape.begun()) + event("in_progress", response=shape.begun())
        async with aclosing(job.events()) as events:
            async for told_now in events:
                if isinstance(told_now, Progress):
                    yield sse.comment(progress_of(told_now.step))
                elif isinstance(told_now, Token):
                    if not opened:
                        opened = True
                        yield opening(_text_part(""))
                    told += told_now.text
                    yield event("output_text.delta", **place, delta=told_now.text, logprobs=[])
                else:
                    text, _, refusal = texts_of(told_now, job)[0]
                    kind, said = ("output_text", text or "") if refusal is None else ("refusal", refusal)
                    last = shape.ended(told_now, job)
                    item = last["output"][0]
                    (part,) = item["content"]
                    if not opened:
                        yield opening(part | {"text" if refusal is None else "refusal": ""})
                    # What an engine has not told while it drew is told now.
                    if left := said.removeprefix(told):
                        yield event(f"{kind}.delta", **place, delta=left, **({"logprobs": []} if refusal is None else {}))
                    yield event(f"{kind}.done", **place, **({"text": said, "logprobs": []} if refusal is None else {"refusal": said}))
                    yield event("content_part.done", **place, part=part)
                    yield event("output_item.done", output_index=0, item=item)
                    yield event(str(last["status"]), response=last)
