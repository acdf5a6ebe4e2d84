"""A thousand clients that hang up at random moments: does the engine stop, does anything leak, is every bill recorded?

    python benchmarks/gateway_hangups.py [--clients 1000] [--seed 0]

The engine gives one word every 20 ms, 100 of them. Each client leaves between 0 and 0.5 s after it has sent its question, plain or with a
method, streaming or not; a tenth stays. Prints one JSON object: `hung_up` and `answered` as clients saw it, `statuses` in the ledger,
`never_began` (left before it was their turn: no line and no cost), `late` (engine work for a client that had left more than
1 s before) and `longest_s` of it, `unbilled` (engine calls whose tokens are in no line, or in two: drawn minus billed), and what was there
before and after of jobs, running and waiting requests, reserved tokens, threads and file descriptors.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.serve.live import Live, serving

from ponder.core.budget import Allowance
from ponder.core.language import Reply, Request, Sampling
from ponder.lm.scripted import Scripted
from ponder.serve.app import create_app
from ponder.serve.config import Config, Ledger, Queue
from ponder.serve.engines import Engines

METHODS = ("", "sample(1)|vote()", "sample(3)|vote()")
WORD = 0.02
TEXTS = {" ".join([word] * 99 + ["56."]): share for word, share in (("so", 0.7), ("then", 0.3))}
RUNNING = 48


class Watched(Scripted):
    """Notes for each question, by the number in it, when the engine last worked and how many tokens it has given."""

    def __init__(self) -> None:
        super().__init__(TEXTS, latency=100 * WORD, sleep=self._pause)
        self.last: dict[int, float] = {}
        self.tokens: Counter[int] = Counter()
        self._mine = threading.local()

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        prompt = requests[0].prompt
        self._mine.number = number = int((prompt if isinstance(prompt, str) else prompt[-1].content).split("#")[1].split()[0])
        replies = super().generate(requests, sampling, allowance)
        self.tokens[number] += sum(r.prompt_tokens + r.tokens_out for r in replies)
        return replies

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)
        self.last[self._mine.number] = time.monotonic()


@dataclass(frozen=True)
class Caller:
    """One client: leaves `patience` seconds after it has asked; None stays."""

    number: int
    method: str
    stream: bool
    patience: float | None

    @property
    def request(self) -> bytes:
        model = f"scripted:{self.method}" if self.method else "scripted"
        messages = [{"role": "user", "content": f"#{self.number} What is 7 * 8?"}]
        body = json.dumps({"model": model, "messages": messages, "stream": self.stream, "seed": self.number}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def call(self, address: tuple[str, int]) -> tuple[float | None, bool]:
        """When it left, None for one that stayed; and whether it has a whole answer."""
        with socket.create_connection(address, timeout=120) as line:
            line.sendall(self.request)
            end = None if self.patience is None else time.monotonic() + self.patience
            got = b""
            try:
                while end is None or (left := end - time.monotonic()) > 0:
                    line.settimeout(120 if end is None else left)
                    piece = line.recv(65536)
                    if not piece:
                        return None, b"data: [DONE]" in got or b'"finish_reason"' in got
                    got += piece
            except TimeoutError:
                pass
        return time.monotonic(), False


def callers(clients: int, seed: int) -> list[Caller]:
    draw = random.Random(seed)
    return [
        Caller(i, draw.choice(METHODS), draw.random() < 0.5, None if draw.random() < 0.1 else draw.uniform(0.0, 0.5))
        for i in range(clients)
    ]


def held(live: Live) -> dict[str, int]:
    """What a gateway holds while it works, and should not afterwards."""
    door = live.gateway.admission
    counts = {"jobs": len(live.gateway.jobs), "running": door.queue.in_flight, "waiting": door.queue.depth, "waits": len(door._waits)}
    return {**counts, "threads": threading.active_count(), "files": len(os.listdir("/proc/self/fd"))}


def run(clients: int, seed: int, folder: Path) -> dict[str, Any]:
    engine = Watched()
    config = Config(queue=Queue(running=RUNNING, waiting=clients), ledger=Ledger(file=str(folder / "ledger.sqlite")))
    app = create_app(config, Engines({"scripted": engine}))
    with serving(app) as url:
        live = Live(url, app, engine)  # pyright: ignore[reportArgumentType]
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        # Threads and connections that are made once and kept are no leak.
        warm = [Caller(-1 - i, METHODS[i % 3], bool(i % 2), None) for i in range(RUNNING)]
        _all(warm, address)
        _quiet(live)
        engine.tokens.clear()
        first = len(_lines(live))
        before = held(live)
        asked = callers(clients, seed)
        seen = dict(zip((c.number for c in asked), _all(asked, address), strict=True))
        quiet = _quiet(live)
        lines = _lines(live)[first:]
        after = held(live)
    delays = [engine.last[n] - left for n, (left, _) in seen.items() if left is not None and n in engine.last]
    drawn, billed = sum(engine.tokens.values()), sum(line.bill.tokens for line in lines)
    return {
        "clients": clients,
        "hung_up": sum(left is not None for left, _ in seen.values()),
        "answered": sum(whole for _, whole in seen.values()),
        "broken": sum(left is None and not whole for left, whole in seen.values()),
        "statuses": dict(Counter(line.status for line in lines)),
        "never_began": clients - len(lines),
        "late": sum(delay > 1.0 for delay in delays),
        "longest_s": round(max(delays), 3),
        "unbilled": drawn - billed,
        "twice": len(lines) - len({line.id for line in lines}),
        "became_quiet": quiet,
        "before": before,
        "after": after,
    }


def _all(asked: list[Caller], address: tuple[str, int]) -> list[tuple[float | None, bool]]:
    with ThreadPoolExecutor(64) as pool:
        return list(pool.map(lambda c: c.call(address), asked))


def _quiet(live: Live) -> bool:
    return (
        live.until(lambda: not any(held(live)[k] for k in ("jobs", "running", "waiting", "waits")), 20)
        and live.gateway.admission.ledger.flush()
    )


def _lines(live: Live) -> list[Any]:
    return live.gateway.admission.ledger.lines()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(arguments.clients, arguments.seed, Path(folder))))
