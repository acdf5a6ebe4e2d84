"""A gateway in a process of its own, as `ponder serve` starts it, and a lean client; for the benchmarks beside this file."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

SCRIPT = "scripted:the answer is 56=0.7,54=0.3"
"""The engine behind the gateway, as a model's name: it answers at once."""

QUESTION = "What is 7 * 8?"
METHODS = ("", "sample(3)|vote()")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def body_of(model: str, seed: int, **more: Any) -> bytes:
    """A chat about the one question."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": QUESTION}], "seed": seed, **more}).encode()


def cpu_of(process: int) -> float:
    """Seconds of processor time that a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class GatewayProcess:
    """`ponder serve` with a configuration; left by SIGTERM.

    Args:
        folder: where its files go; the ledger is `ledger.sqlite` there.
        models: the configuration's tables of models and whatever else it needs, in TOML.
    """

    def __init__(self, folder: Path, models: str = f'[models.scripted]\nengine = "{SCRIPT}"\n') -> None:
        self.port, self.ledger, self.file = free_port(), folder / "ledger.sqlite", folder / "gateway.toml"
        self.configure(models)

    def configure(self, models: str) -> None:
        """Write the file at one stroke; a gateway that runs reads it again within seconds."""
        own = f'[server]\nport = {self.port}\n[ledger]\nfile = "{self.ledger}"\n'
        fresh = self.file.with_suffix(".new")
        fresh.write_text(own + models, encoding="utf-8")
        fresh.replace(self.file)

    def __enter__(self) -> GatewayProcess:
        command = [sys.executable, "-c", "from ponder.cli import main; main()", "serve", "--config", str(self.file)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                Client(self.port).get("/health")
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the gateway did not start")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, patience: float = 60.0) -> int | None:
        """SIGTERM, and the exit status; None where it had to be killed."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    @property
    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        return cpu_of(self.process.pid)

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def files(self) -> int:
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/task"))


class Client:
    """One connection that is kept; a client whose own cost does not hide the gateway's."""

    def __init__(self, port: int, timeout: float = 120.0) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def get(self, path: str) -> bytes:
        self.connection.request("GET", path)
        return self.connection.getresponse().read()

    def chat(self, body: bytes) -> tuple[int, Any]:
        """Status and decoded reply.

        Raises:
            OSError, http.client.HTTPException: the connection broke.
        """
        return self.post("/v1/chat/completions", body)

    def post(self, path: str, body: bytes) -> tuple[int, Any]:
        """As `chat`, to any address."""
        self.connection.request("POST", path, body, {"content-type": "application/json"})
        reply = self.connection.getresponse()
        return reply.status, json.loads(reply.read())

    @property
    def left(self) -> bool:
        """Whether the server has closed the connection since the last reply."""
        return bool(select.select([self.connection.sock], [], [], 0)[0]) if self.connection.sock else True

    def close(self) -> None:
        self.connection.close()


def in_threads(work: Any, jobs: Sequence[Any], threads: int) -> list[Any]:
    """`work(share)` for the jobs dealt out to so many threads; their lists joined."""
    with ThreadPoolExecutor(threads) as pool:
        shares = [jobs[i::threads] for i in range(threads)]
        return [result for results in pool.map(work, shares) for result in results]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
