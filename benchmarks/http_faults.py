"""The HTTP engine against a server that fails: does every bill agree with what the server says it served, does nothing hang?

    python benchmarks/http_faults.py [--requests 2000] [--seed 0]

Prints one JSON object: requests, wrong_bills (replies whose tokens, in or out, are not those of the server's record of the replies
that were used), missing_samples, hangs, errors by type, retries, faults injected by name, estimated (replies without a usage that
can be true), connections_left_busy, seconds. Nothing leaves this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.lm.faulty_server import LOST, FaultyServer

from ponder.core.errors import PonderError
from ponder.core.language import Message, Reply, Request, Sampling
from ponder.lm.http import HTTP

FAULTS = {
    "429": 0.04,
    "429 with Retry-After": 0.04,
    "500": 0.04,
    "503": 0.03,
    "cut body": 0.03,
    "bad JSON": 0.03,
    "stall": 0.02,
    "null text": 0.02,
    "no choices": 0.02,
    "one choice": 0.05,
    "surplus choice": 0.05,
    "negative usage": 0.05,
    "no usage": 0.05,
}
HANG = 60.0
"""Seconds after which a call counts as hanging."""


def run(requests: int, seed: int = 0, stall: float = 0.5, callers: int = 32) -> dict[str, Any]:
    """Send requests of 1, 2 or 4 samples, half raw and half chat, from several threads, and compare the bills."""
    errors: Counter[str] = Counter()
    hangs = wrong = missing = 0
    began = time.perf_counter()
    with FaultyServer(FAULTS, seed=seed) as server, ThreadPoolExecutor(callers) as pool:
        lm = HTTP(server.url, "words", api_key="", concurrency=callers, timeout=stall, retries=9, sleep=lambda seconds: None)
        asked = [_request(i) for i in range(requests)]
        calls = [(r, pool.submit(lm.generate, [r], Sampling(temperature=1.0, max_tokens=12))) for r in asked]
        replies: list[tuple[Request, Reply]] = []
        for request, call in calls:
            try:
                replies.append((request, call.result(HANG)[0]))
            except TimeoutError:
                hangs += 1
                server.release.set()
            except PonderError as error:
                errors[type(error).__name__] += 1
        seconds = time.perf_counter() - began
        used = server.used()
        for request, reply in replies:
            missing += request.n - len(reply.completions)
            wrong += not _agrees(reply, used[_shown(request)])
        connections = lm._caller._client._transport.connections.connections  # the pool's own view of itself
        busy = sum(not c.is_idle() for c in connections if not c.is_closed())
        lm.close()
        return {
            "requests": requests,
            "http_requests": len(server.served),
            "wrong_bills": wrong,
            "missing_samples": missing,
            "hangs": hangs,
            "errors": dict(errors),
            "retries": lm.retried,
            "faults": dict(sorted(Counter(s.fault for s in server.served if s.fault).items())),
            "lost_replies": sum(s.fault in LOST for s in server.served),
            "estimated": lm.usage_estimated,
            "connections_left_busy": busy,
            "seconds": round(seconds, 2),
        }


def _request(i: int) -> Request:
    text = f"Question {i}: what is {i} + {i}?"
    return Request(text if i % 2 else (Message("user", text),), n=(1, 2, 4)[i % 3], seed=i)


def _shown(request: Request) -> str:
    return request.prompt if isinstance(request.prompt, str) else "\n".join(f"{m.role}: {m.content}" for m in request.prompt)


def _agrees(reply: Reply, used: list[Any]) -> bool:
    """Tokens out are always checked: where the usage is missing, log-probabilities tell them, of all but a surplus choice's.
    Tokens in are checked where the server told them in every reply used."""
    told = all(s.fault not in ("no usage", "negative usage") for s in used)
    out = reply.tokens_out == sum(s.completion_tokens for s in used)
    return out and (not told or reply.prompt_tokens == sum(s.prompt_tokens for s in used))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.requests, arguments.seed)))
