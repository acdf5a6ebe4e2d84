"""Engines for the HTTP tests: against a url, or with replies made up on the spot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from ponder.core.language import Message, Sampling
from ponder.lm.http import HTTP

KEY = "sk-secret-0123456789"
WARM = Sampling(temperature=1.0, max_tokens=8)
CHAT = (Message("system", "Be brief."), Message("user", "What is old?"))


def engine(url: str = "http://127.0.0.1:1/v1", **options: Any) -> HTTP:
    return HTTP(url, "words", **{"api_key": "", "sleep": lambda seconds: None} | options)


def canned(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> HTTP:
    return engine(transport=httpx.MockTransport(answer), **options)


def saying(data: Any, **options: Any) -> HTTP:
    return canned(lambda request: httpx.Response(200, json=data), **options)


def choice(text: Any = "yes", logprobs: Any = None, **fields: Any) -> dict[str, Any]:
    return {"text": text, "logprobs": logprobs, "finish_reason": "stop", **fields}


def idle(lm: HTTP) -> bool:
    """Whether no connection is in use and no work is queued."""
    pool: Any = lm._caller._client._transport
    return all(c.is_idle() or c.is_closed() for c in pool.connections.connections) and lm._threads._work_queue.empty()
