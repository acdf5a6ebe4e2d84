"""ponder's gateway beside its-hub's and optillm's: the same upstream, the same number of samples, in one run.

    python -m venv out/peers-venv && out/peers-venv/bin/pip install 'its-hub[lm,iaas]==1.2.0'
    python -m venv out/optillm-venv && out/optillm-venv/bin/pip install --no-deps optillm==0.4.0
    out/optillm-venv/bin/pip install numpy networkx openai aiohttp flask azure-identity tiktoken litellm requests beautifulsoup4 lxml \\
      nbconvert nbformat ipython ipykernel 'z3-solver<=4.15.4.0' scikit-learn cerebras_cloud_sdk PyYAML math-verify sympy
    python -m benchmarks.peers.gateways [--requests 200] [--clients 16] [--rounds 3] [--delay 0] [--only ponder its-hub]

All gateways stand before `canned`, which answers after `--delay` milliseconds. Each round asks every way in turn; printed is a JSON object
for each with the median over the rounds: `requests_per_second`, `p50_ms`, `p99_ms`, `cpu_ms` (processor time of the gateway's process a
request), `calls` and `choices` asked of the upstream for one request, and `wrong` (answers that are not the upstream's). ponder's gateway
has its defaults: seeds, ledger and bill on. Last comes `leaves`: a client goes away .4 s into a request of many calls in a row while the
upstream takes a second a call; `after` is how many calls the gateway still made for nobody.

Three samples are one upstream request with n=3 for ponder and optillm, and three requests for its-hub, which bills the prompt three times.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gateway_process import Client, GatewayProcess, cpu_of, free_port, in_threads, quantile
from benchmarks.peers.canned import SAYS

OUT = Path(__file__).resolve().parents[2] / "out"
QUESTION = [{"role": "user", "content": "What is 7 * 8?"}]
Body = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """One way to ask: who answers, and the request's fields; `gathered` calls a request that the client makes itself."""

    name: str
    owner: str
    body: Body = field(default_factory=dict)
    gathered: int = 1


WAYS = (
    Way("direct, 1 call", "direct"),
    Way("direct, 3 calls gathered", "direct", gathered=3),
    Way("ponder, plain", "ponder"),
    Way("optillm none", "optillm", {"model": "none-canned"}),
    Way("ponder sample(3)|vote()", "ponder", {"model": "canned:sample(3)|vote()"}),
    Way("its-hub self-consistency, 3", "its-hub", {"budget": 3}),
    Way("optillm majority_voting, k=3", "optillm", {"model": "majority_voting-canned", "k": 3}),
)
LEAVING = (
    Way("ponder until(confident(0.98), sample(1))", "ponder", {"model": "canned:until(confident(0.98), sample(1))|vote()"}),
    Way("its-hub self-consistency, 96", "its-hub", {"budget": 96}),
    Way("optillm self_consistency, 5", "optillm", {"model": "self_consistency-canned"}),
)


@dataclass
class Server:
    """A gateway that runs: its port and process."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def cpu(self) -> float:
        """Seconds of processor time that the process has used."""
        return cpu_of(self.process.pid)


@contextlib.contextmanager
def started(command: Sequence[str], port: int, **environment: str) -> Iterator[Server]:
    """The command's server, once it takes connections; terminated at the end."""
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 90
        while True:
            try:
                Client(port).get("/health")
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{command[0]} did not start") from None
                time.sleep(0.1)
        yield Server(port, process)
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def servers(delay_ms: float, wanted: Sequence[str]) -> Iterator[dict[str, Server]]:
    """The upstream as "direct", and the gateways before it."""
    with contextlib.ExitStack() as stack:
        port = free_port()
        upstream = f"http://127.0.0.1:{port}/v1"
        found = {"direct": stack.enter_context(started([sys.executable, "-m", "benchmarks.peers.canned", str(port), str(delay_ms)], port))}
        if "ponder" in wanted:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            gateway = stack.enter_context(GatewayProcess(folder, f'[models.canned]\nengine = "{upstream}#canned"\n'))
            found["ponder"] = Server(gateway.port, gateway.process)
        if "its-hub" in wanted:
            port = free_port()
            command = [
                str(OUT / "peers-venv/bin/python"),
                "-m",
                "its_hub.integration.iaas.app_server",
                "--port",
                str(port),
                "--log-level",
                "WARNING",
            ]
            found["its-hub"] = stack.enter_context(started(command, port))
            settings = {"endpoint": upstream, "api_key": "x", "model": "canned", "alg": "self-consistency", "budget": 3}
            status, reply = Client(port).post("/configure", json.dumps(settings | {"regex_patterns": [r"answer is (\d+)"]}).encode())
            if status != 200:
                raise RuntimeError(f"its-hub was not configured: {reply}")
        if "optillm" in wanted:
            port = free_port()
            command = [str(OUT / "optillm-venv/bin/optillm"), "--base-url", upstream, "--port", str(port), "--log", "warning"]
            found["optillm"] = stack.enter_context(started(command, port, OPENAI_API_KEY="no-key", HF_HUB_OFFLINE="1"))
        yield found


def seen(upstream: Server) -> Body:
    """What the upstream was asked since the last look."""
    return json.loads(Client(upstream.port).get("/stats"))


def measured(way: Way, found: dict[str, Server], requests: int, clients: int) -> Body:
    """One round of one way."""
    server = found[way.owner]
    body = json.dumps({"model": "canned", "messages": QUESTION} | way.body).encode()

    def share(jobs: Sequence[int]) -> list[tuple[float, bool]]:
        lines = [Client(server.port) for _ in range(way.gathered)]
        done: list[tuple[float, bool]] = []
        with ThreadPoolExecutor(way.gathered) as pool:
            for _ in jobs:
                began = time.perf_counter()
                replies = list(pool.map(lambda line: line.chat(body), lines)) if way.gathered > 1 else [lines[0].chat(body)]
                seconds = time.perf_counter() - began
                done.append((seconds, all(s == 200 and r["choices"][0]["message"]["content"] == SAYS for s, r in replies)))
        for line in lines:
            line.close()
        return done

    share(range(5))
    seen(found["direct"])
    cpu, began = server.cpu, time.perf_counter()
    done = in_threads(share, range(requests), clients)
    elapsed, cpu, asked = time.perf_counter() - began, server.cpu - cpu, seen(found["direct"])
    times = [s for s, _ in done]
    return {
        "requests_per_second": requests / elapsed,
        "p50_ms": 1e3 * quantile(times, 0.5),
        "p99_ms": 1e3 * quantile(times, 0.99),
        "cpu_ms": 1e3 * cpu / requests,
        "calls": asked["calls"] / requests,
        "choices": asked["choices"] / requests,
        "wrong": sum(not right for _, right in done),
    }


def left(way: Way, found: dict[str, Server]) -> Body:
    """A client that leaves after .4 s: calls begun by then and begun afterwards."""
    seen(found["direct"])
    client = Client(found[way.owner].port)
    body = json.dumps({"model": "canned", "messages": QUESTION} | way.body).encode()
    client.connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    time.sleep(0.4)
    before = seen(found["direct"])["calls"]
    client.close()
    time.sleep(6)
    return {"leaves": way.name, "before": before, "after": seen(found["direct"])["calls"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=float, default=0.0, help="milliseconds that the upstream takes")
    parser.add_argument("--only", nargs="*", default=["ponder", "its-hub", "optillm"])
    chosen = parser.parse_args()
    with servers(chosen.delay, chosen.only) as found:
        ways = [way for way in WAYS if way.owner in found]
        rounds: dict[str, list[Body]] = {way.name: [] for way in ways}
        for _ in range(chosen.rounds):
            for way in ways:
                rounds[way.name].append(measured(way, found, chosen.requests, chosen.clients))
        for name, results in rounds.items():
            medians = {key: round(statistics.median(r[key] for r in results), 2) for key in results[0]}
            print(
                json.dumps({"way": name, "delay_ms": chosen.delay} | medians | {"load_average": round(os.getloadavg()[0], 1)}), flush=True
            )
    with servers(1000.0, chosen.only) as found:
        for way in LEAVING:
            if way.owner in found:
                print(json.dumps(left(way, found)), flush=True)


if __name__ == "__main__":
    main()
