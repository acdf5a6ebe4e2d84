"""What the gateway adds to the engine behind it: latency, requests a second, processor time a request.

    python benchmarks/gateway_overhead.py [--requests 600]

The engine is scripted and answers at once, so that all time is overhead. Direct is `generate` of the engine for a plain completion and
`ponder.ask` for a method, in this process, with the same seeds; the gateway is `ponder serve` in its own, with a ledger. Prints a JSON
object for each of two methods at 1 and 16 clients: `direct_p50_ms`, `p50_ms`, `p99_ms`, `added_p50_ms`, `requests_per_second`,
`direct_cpu_ms` and `cpu_ms_per_request` (of the gateway's process), `different` (answers that are not those of the direct call), and the
machine's load average.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ponder
from benchmarks.gateway_process import METHODS, QUESTION, SCRIPT, Client, GatewayProcess, body_of, in_threads, quantile
from ponder.core.language import Message, Request, Sampling
from ponder.lm.load import load

Answered = tuple[int, float, str | None]
"""A seed, the seconds that its answer took, and the answer."""


def direct(method: str, requests: int, clients: int) -> list[Answered]:
    """The same questions without a gateway, over as many threads."""
    engine = load(SCRIPT)

    def one(seed: int) -> str | None:
        if method:
            return ponder.ask(QUESTION, method=method, model=engine, seed=seed).value
        (reply,) = engine.generate([Request((Message("user", QUESTION),), seed=seed)], Sampling())
        return reply.completions[0].text

    def share(seeds: Sequence[int]) -> list[Answered]:
        found: list[Answered] = []
        for seed in seeds:
            began = time.perf_counter()
            answer = one(seed)
            found.append((seed, time.perf_counter() - began, answer))
        return found

    return in_threads(share, range(requests), clients)


def through(gateway: GatewayProcess, method: str, requests: int, clients: int) -> list[Answered]:
    """The questions through the gateway, over as many connections."""

    def share(seeds: Sequence[int]) -> list[Answered]:
        client = Client(gateway.port)
        found: list[Answered] = []
        for seed in seeds:
            body = body_of(f"scripted:{method}" if method else "scripted", seed)
            began = time.perf_counter()
            status, reply = client.chat(body)
            seconds = time.perf_counter() - began
            assert status == 200, reply
            found.append((seed, seconds, reply["ponder"]["value"] if method else reply["choices"][0]["message"]["content"]))
        client.close()
        return found

    return in_threads(share, range(requests), clients)


def measured(gateway: GatewayProcess, method: str, requests: int, clients: int) -> dict[str, Any]:
    through(gateway, method, max(50, 2 * clients), clients)
    own = time.process_time()
    alone = direct(method, requests, clients)
    own = time.process_time() - own
    cpu, began = gateway.cpu, time.perf_counter()
    found = through(gateway, method, requests, clients)
    elapsed, cpu = time.perf_counter() - began, gateway.cpu - cpu
    plain, added = [s for _, s, _ in alone], [s for _, s, _ in found]
    answers = {seed: answer for seed, _, answer in alone}
    return {
        "method": method or "plain",
        "clients": clients,
        "direct_p50_ms": round(1e3 * quantile(plain, 0.5), 2),
        "p50_ms": round(1e3 * quantile(added, 0.5), 2),
        "p99_ms": round(1e3 * quantile(added, 0.99), 2),
        "added_p50_ms": round(1e3 * (quantile(added, 0.5) - quantile(plain, 0.5)), 2),
        "requests_per_second": round(requests / elapsed),
        "direct_cpu_ms": round(1e3 * own / requests, 2),
        "cpu_ms_per_request": round(1e3 * cpu / requests, 2),
        "different": sum(answers[seed] != answer for seed, _, answer in found),
        "load_average": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--requests", type=int, default=600)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder, GatewayProcess(Path(folder)) as gateway:
        for method in METHODS:
            for clients in (1, 16):
                print(json.dumps(measured(gateway, method, requests, clients)), flush=True)
