"""Faults under load: is an accepted request ever lost or billed twice?

    python benchmarks/gateway_faults.py [--clients 24] [--seconds 6] [--delay 0.05]

The gateway is `ponder serve` in a process of its own, before two upstreams in this one that take `--delay` seconds an answer. Half of the
requests go through untouched, half are sample(3)|vote(). In turn, each for `--seconds`:

  upstream_dies   one of two upstreams breaks its connections and is gone, comes back; then both are gone and come back
  disk_full       the gateway's process may not write to any file for a third of the time
  reload          a changed configuration and SIGHUP five times a second, every third one no TOML
  sigterm         SIGTERM in the middle, then the process must end by itself

Prints a JSON object each: `outcomes` that clients saw by status (`refused`: no connection; `broken`: sent, and no reply; `no JSON`: a
failure that is not explained), `lost` (answers that no ledger line of status 200 has), `unasked` (such lines that no client has an answer
for), `lines` by status, `failed_but_billed`, `upstreams` (answers of each), threads and files before and after where the process lives on,
`exit`. Matched are method, tokens in and tokens out, of the reply's usage and of the line; every question has another number of tokens.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gateway_process import Client, GatewayProcess, free_port

METHOD = "sample(3)|vote()"
Key = tuple[str, int, int]
"""Method, tokens in, tokens out."""


class Upstream:
    """A server on a port of its own that can die, breaking its connections, and return."""

    def __init__(self, delay: float) -> None:
        self.port, self.delay, self.answers = free_port(), delay, 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def name(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1#there"

    def start(self) -> None:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._say({"data": []})

            def do_POST(self) -> None:
                mine = upstream._server
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                time.sleep(upstream.delay)
                if upstream._server is not mine or mine is None:
                    self.close_connection = True
                    return
                upstream.answers += 1
                number, n = int(body["messages"][-1]["content"].split("#")[1].split()[0]), body.get("n", 1)
                message = {"role": "assistant", "content": "The answer is 56."}
                choices = [{"index": i, "message": message, "finish_reason": "stop"} for i in range(n)]
                self._say({"choices": choices, "usage": {"prompt_tokens": 10 + number, "completion_tokens": 4 * n}})

            def _say(self, value: Any) -> None:
                said = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Silent(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Silent(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def die(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class Clients:
    """Clients that ask until told to stop, and what they saw."""

    def __init__(self, gateway: GatewayProcess, clients: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.answers: Counter[Key] = Counter()
        self._gateway, self._numbers, self._end = gateway, itertools.count(1), threading.Event()
        self._pool = ThreadPoolExecutor(clients)
        self._work = [self._pool.submit(self._ask) for _ in range(clients)]

    def stop(self) -> None:
        self._end.set()
        for work in self._work:
            work.result()
        self._pool.shutdown()

    def _ask(self) -> None:
        client: Client | None = None
        while not self._end.is_set():
            number = next(self._numbers)
            method = METHOD if number % 2 else ""
            model = f"pair:{method}" if method else "pair"
            body = json.dumps({"model": model, "messages": [{"role": "user", "content": f"#{number} What is 7 * 8?"}], "seed": number})
            try:
                if client is None or client.left:
                    client = Client(self._gateway.port)
                    client.connection.connect()
            except OSError:
                client = None
                self.outcomes["refused"] += 1
                time.sleep(0.1)
                continue
            try:
                status, reply = client.chat(body.encode())
            except (OSError, HTTPException, ValueError) as error:
                client = None
                self.outcomes["no JSON" if isinstance(error, ValueError) else "broken"] += 1
                continue
            self.outcomes[str(status)] += 1
            if status == 200:
                self.answers[method, reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]] += 1
            else:
                time.sleep(0.05)


class Bench:
    """The upstreams and the gateway's configuration."""

    def __init__(self, clients: int, seconds: float, delay: float) -> None:
        self.clients, self.seconds = clients, seconds
        self.upstreams = (Upstream(delay), Upstream(delay))

    def table(self, price: float = 1.0) -> str:
        names = ", ".join(f'"{u.name}"' for u in self.upstreams)
        return f"[models.pair]\nupstreams = [{names}]\ncheck = 0.3\nretries = 1\nprice_in = {price}\n"

    def run(self, fault: Callable[[GatewayProcess, float], dict[str, Any]]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder, GatewayProcess(Path(folder), self.table()) as gateway:
            served = [u.answers for u in self.upstreams]
            clients = Clients(gateway, self.clients)
            time.sleep(self.seconds / 6)
            before = (gateway.threads, gateway.files)
            told = fault(gateway, self.seconds * 5 / 6)
            if gateway.process.poll() is None:
                told.update(threads_files=[before, (gateway.threads, gateway.files)])
            clients.stop()
            told["exit"] = gateway.stop()
            with sqlite3.connect(gateway.ledger) as ledger:
                rows = ledger.execute("SELECT method, status, tokens_in, tokens_out FROM requests").fetchall()
        lines = Counter((method, read, drawn) for method, status, read, drawn in rows if status == 200)
        return {
            "fault": fault.__name__,
            "outcomes": dict(clients.outcomes),
            "lost": (clients.answers - lines).total(),
            "unasked": (lines - clients.answers).total(),
            "lines": dict(Counter(status for _, status, _, _ in rows)),
            "failed_but_billed": sum(status >= 500 and bool(read + drawn) for _, status, read, drawn in rows),
            "upstreams": [u.answers - before for u, before in zip(self.upstreams, served, strict=True)],
            **told,
        }

    def upstream_dies(self, gateway: GatewayProcess, seconds: float) -> dict[str, Any]:
        one, other = self.upstreams
        for dying in ((one,), (one, other)):
            for upstream in dying:
                upstream.die()
            time.sleep(seconds / 6)
            for upstream in dying:
                upstream.start()
            answered = one.answers
            time.sleep(seconds / 3)
            if one.answers == answered:
                return {"returned": False}
        return {"returned": True}

    def disk_full(self, gateway: GatewayProcess, seconds: float) -> dict[str, Any]:
        most = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (0, most[1]))
        time.sleep(seconds / 3)
        waiting = self._pending(gateway)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, most)
        time.sleep(seconds / 3)
        return {"pending_while_full": waiting, "pending_later": self._pending(gateway)}

    def reload(self, gateway: GatewayProcess, seconds: float) -> dict[str, Any]:
        end, times = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            times += 1
            gateway.configure("no TOML [" if times % 3 == 0 else self.table(1.0 + times))
            gateway.signal(signal.SIGHUP)
            time.sleep(0.2)
        return {"reloads": times}

    def sigterm(self, gateway: GatewayProcess, seconds: float) -> dict[str, Any]:
        time.sleep(seconds / 3)
        began = time.monotonic()
        gateway.stop()
        return {"ended_after_s": round(time.monotonic() - began, 2)}

    @staticmethod
    def _pending(gateway: GatewayProcess) -> float:
        text = Client(gateway.port).get("/metrics").decode()
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("ponder_ledger_pending "))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--delay", type=float, default=0.05)
    arguments = parser.parse_args()
    bench = Bench(arguments.clients, arguments.seconds, arguments.delay)
    for fault in (bench.upstream_dies, bench.disk_full, bench.reload, bench.sigterm):
        print(json.dumps(bench.run(fault)), flush=True)
