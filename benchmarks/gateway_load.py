"""Many clients for a long time: errors, latency and memory of the gateway.

    python benchmarks/gateway_load.py [--clients 500] [--seconds 600]

The engine is scripted and answers at once; the gateway is `ponder serve` in a process of its own, with a ledger. Every client asks, waits
for the answer, and asks again, plain or with a method, every fourth streaming, over a connection that it keeps. Prints one JSON object:
`requests`, `errors` by kind, `requests_per_second`, `p50_ms`, `p99_ms`, `longest_ms`, and of the gateway's process every tenth of the time
its memory in MB, threads and files (`samples`), `growth_mb` from the second half's first sample to its last, `cpu_ms_per_request`,
`ledger_lines` (those of requests, which must be `requests`), and `exit`, its status after SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gateway_process import METHODS, SCRIPT, GatewayProcess, body_of, quantile

SAMPLES = 10


class Load:
    """What all clients saw."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.errors: Counter[str] = Counter()

    async def client(self, port: int, number: int, end: float) -> None:
        """Asks until the end; a connection that broke is an error, and is opened again."""
        draw = random.Random(number)
        lines: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while time.monotonic() < end:
            began = time.perf_counter()
            try:
                lines = lines or await asyncio.open_connection("127.0.0.1", port)
                problem = await asyncio.wait_for(self._ask(*lines, draw), 120)
            except (OSError, EOFError, TimeoutError) as error:
                problem, lines = type(error).__name__, None
            self.seconds.append(time.perf_counter() - began)
            if problem:
                self.errors[problem] += 1
        if lines:
            lines[1].close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, draw: random.Random) -> str:
        """One question; what was wrong with the answer, "" if nothing."""
        method, stream = draw.choice(METHODS), draw.random() < 0.25
        body = body_of(f"scripted:{method}" if method else "scripted", draw.randrange(1 << 30), stream=stream)
        writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        status, low = head.split(b" ", 2)[1].decode(), head.lower()
        if b"content-length:" in low:
            reply = await reader.readexactly(int(low.split(b"content-length:")[1].split(b"\r\n")[0]))
        else:
            reply = b""
            while size := int(await reader.readline(), 16):
                reply += await reader.readexactly(size + 2)
            await reader.readline()
        if status != "200":
            return status
        whole = b"data: [DONE]" in reply if stream else b'"finish_reason":"stop"' in reply
        return "" if whole else "incomplete"


async def run(clients: int, seconds: float, folder: Path) -> dict[str, Any]:
    queue = f'[queue]\nwaiting = {2 * clients}\npatience = 120.0\n[models.scripted]\nengine = "{SCRIPT}"\n'
    load, samples = Load(), []
    with GatewayProcess(folder, queue) as gateway:
        end = time.monotonic() + seconds
        asking = [asyncio.create_task(load.client(gateway.port, i, end)) for i in range(clients)]
        for _ in range(SAMPLES):
            await asyncio.sleep(seconds / SAMPLES)
            samples.append((round(gateway.megabytes, 1), gateway.threads, gateway.files))
        await asyncio.gather(*asking)
        cpu, status = gateway.cpu, gateway.stop()
    half = [mb for mb, _, _ in samples[SAMPLES // 2 :]]
    with sqlite3.connect(gateway.ledger) as ledger:
        (lines,) = ledger.execute("SELECT count(*) FROM requests").fetchone()
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": len(load.seconds),
        "errors": dict(load.errors),
        "requests_per_second": round(len(load.seconds) / seconds, 1),
        "p50_ms": round(1e3 * quantile(load.seconds, 0.5), 1),
        "p99_ms": round(1e3 * quantile(load.seconds, 0.99), 1),
        "longest_ms": round(1e3 * max(load.seconds), 1),
        "samples": samples,
        "growth_mb": round(half[-1] - half[0], 1),
        "cpu_ms_per_request": round(1e3 * cpu / len(load.seconds), 2),
        "ledger_lines": lines,
        "exit": status,
        "load_average": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=600.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(run(arguments.clients, arguments.seconds, Path(folder)))))
