"""From a checked question to a reply, whole or in events; what chats and completions have in common."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Protocol

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from ponder.serve.admission import Caller
from ponder.serve.gateway import Gateway
from ponder.serve.job import Ask, Done, Job, Progress, Token
from ponder.serve.wire import sse
from ponder.serve.wire.connection import HungUp, Left, while_connected
from ponder.serve.wire.fields import Common
from ponder.serve.wire.replies import own_of, progress_of, texts_of, usage_of


class Shape(Protocol):
    """How an address writes its choices."""

    prefix: str
    whole: str
    piece: str

    def choice(self, index: int, text: str | None, finish: str, refusal: str | None) -> dict[str, Any]: ...
    def delta(self, index: int, text: str | None, finish: str | None, refusal: str | None) -> dict[str, Any]: ...
    def opening(self, index: int) -> dict[str, Any] | None: ...


async def reply(request: Request, gateway: Gateway, caller: Caller, body: Common, ask: Ask, shape: Shape) -> Response:
    """Answer, in the way that the body asks for."""
    job = Job(ask, gateway)
    head = {"id": f"{shape.prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model}
    if body.stream:
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return sse.EventStream(_pieces(gateway, caller, job, head, shape, usage), gateway.config.server.keepalive)

    def written(done: Done) -> Response:
        choices = [shape.choice(i, *said) for i, said in enumerate(texts_of(done, job))]
        return JSONResponse(
            {**head, "object": shape.whole, "choices": choices, "usage": usage_of(done.answer), "ponder": own_of(done, job)}
        )

    return await whole(request, gateway, caller, job, written)


async def whole(request: Request, gateway: Gateway, caller: Caller, job: Job, written: Callable[[Done], Response]) -> Response:
    """The reply in one piece, as `written` puts it; nothing for a caller who has left."""

    async def answered() -> Done:
        async with gateway.admitted(job, caller):
            return await job.answer()

    try:
        return written(await while_connected(request.receive, answered()))
    except HungUp:
        return Left()


async def _pieces(
    gateway: Gateway, caller: Caller, job: Job, head: dict[str, Any], shape: Shape, usage: bool
) -> AsyncGenerator[bytes, None]:
    told = [""] * job.ask.n

    def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
        return sse.data({**head, "object": shape.piece, "choices": list(choices), **({"usage": None} if usage else {}), **more})

    async with gateway.admitted(job, caller):
        opened = False
        async with aclosing(job.events()) as events:
            async for event in events:
                if not opened:
                    opened = True
                    for i in range(job.ask.n):
                        if (opening := shape.opening(i)) is not None:
                            yield chunk(opening)
                if isinstance(event, Progress):
                    yield sse.comment(progress_of(event.step))
                elif isinstance(event, Token):
                    told[event.index] += event.text
                    yield chunk(shape.delta(event.index, event.text, None, None))
                else:
                    for i, (text, finish, refusal) in enumerate(texts_of(event, job)):
                        # What an engine has not told while it drew is told now.
                        if (text or "") != told[i]:
                            yield chunk(shape.delta(i, (text or "").removeprefix(told[i]), None, None))
                        last = own_of(event, job) if i == 0 else None
                        yield chunk(shape.delta(i, None, finish, refusal), **({"ponder": last} if last else {}))
                    if usage:
                        yield chunk(usage=usage_of(event.answer))
                    yield sse.END
