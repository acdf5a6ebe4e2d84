"""A gateway on a real socket, and an engine that says what it saw."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from ponder.core.budget import Allowance
from ponder.core.language import Reply, Request, Sampling
from ponder.lm.scripted import Scripted
from ponder.serve.app import create_app
from ponder.serve.config import Config
from ponder.serve.engines import Engines

ANSWERS = {"7 * 8 is 56. The answer is 56.": 0.7, "I think that the answer is 54.": 0.3}


class Seen(Scripted):
    """Remembers requests; with `slow` set, each of its tokens takes that many seconds."""

    def __init__(self, answers: Any = None, slow: float = 0.0) -> None:
        waits = {"latency": slow * 1000, "sleep": lambda seconds: time.sleep(slow)} if slow else {}
        super().__init__(answers or ANSWERS, **waits)
        self.seen: list[tuple[Request, Sampling]] = []

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        self.seen += [(r, sampling) for r in requests]
        return super().generate(requests, sampling, allowance)


@dataclass
class Live:
    """A gateway that runs."""

    url: str
    app: Any
    engine: Seen
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"

    @property
    def gateway(self) -> Any:
        return self.app.state.gateway

    def until(self, true: Any, seconds: float = 5.0) -> bool:
        """Whether something becomes true in time."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An ASGI application on a free port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False))
    started = threading.Event()

    async def run() -> None:
        task = asyncio.ensure_future(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        started.set()
        await task

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def gateway(config: Config | None = None, slow: float = 0.0, answers: Any = None, more: Mapping[str, Any] | None = None) -> Iterator[Live]:
    """A gateway whose model `scripted` is an engine that remembers; `a:b` is a second name with a colon."""
    engine = Seen(answers, slow)
    config = config or Config()
    models = {**{n: m for n, m in config.models.items() if n != "smollm2"}, "scripted": engine, "a:b": engine, **(more or {})}
    app = create_app(config, Engines(models, config.aliases))
    with serving(app) as url:
        yield Live(url, app, engine)
