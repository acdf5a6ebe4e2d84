"""A small OpenAI-compatible chat server on the loopback whose model is an organism; for clients that only speak HTTP.

    python -m benchmarks.peers.organism_server PORT [ORGANISM] [QUIET_MS]

Requests that arrive while a batch runs make the next one; with QUIET_MS a batch waits until none has come for so long. GET /stats tells
tokens, batches and processor seconds since the last reset; POST /reset forgets what was read and sets them to zero.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ponder.core.language import Message, Reply, Request, Sampling
from ponder.lm.organism import Organism


@dataclass
class Tally:
    """What an engine did for a peer that writes no bill."""

    read: int = 0
    cached: int = 0
    written: int = 0
    calls: int = 0
    batches: int = 0

    def add(self, replies: Sequence[Reply]) -> None:
        self.read += sum(r.prompt_tokens for r in replies)
        self.cached += sum(r.cached_tokens for r in replies)
        self.written += sum(r.tokens_out for r in replies)
        self.calls += len(replies)
        self.batches += 1


class Chats:
    """Chat completions in the OpenAI shape, answered by an organism in batches; each request gets the next seed."""

    def __init__(self, engine: Organism, seed: int = 0) -> None:
        self.engine, self.seed, self.tally = engine, seed, Tally()

    def reset(self, seed: int) -> None:
        self.engine.close()
        self.seed, self.tally = seed, Tally()

    def answer(self, chats: Sequence[dict[str, Any]]) -> list[tuple[str, str, Reply]]:
        """(text, finish, reply) of each. A text that the model ended itself gets a line break, so that a client that looks for a stop
        token in the text finds it."""
        found: dict[int, tuple[str, str, Reply]] = {}
        groups: dict[Sampling, list[int]] = {}
        for i, chat in enumerate(chats):
            stop = chat.get("stop") or ()
            sampling = Sampling(
                temperature=chat.get("temperature", 1.0),
                max_tokens=chat.get("max_completion_tokens") or chat.get("max_tokens") or 64,
                stop=(stop,) if isinstance(stop, str) else tuple(stop),
            )
            groups.setdefault(sampling, []).append(i)
        for sampling, places in groups.items():
            replies = self.engine.generate([self._request(chats[i]) for i in places], sampling)
            self.tally.add(replies)
            for i, reply in zip(places, replies, strict=True):
                made = reply.completions[0]
                ended = made.finish == "stop" and not made.stopped_by
                kept = made.stopped_by if chats[i].get("include_stop_str_in_output") else ""
                found[i] = (made.text + (kept or "") + "\n" * ended, made.finish, reply)
        return [found[i] for i in range(len(chats))]

    def _request(self, chat: dict[str, Any]) -> Request:
        turns = chat["messages"]
        prefix = turns[-1]["content"] if turns[-1]["role"] == "assistant" else ""
        self.seed += 1
        return Request((Message("user", turns[0]["content"]),), seed=self.seed, prefix=prefix)


class Batches:
    """Hands what has arrived to the model, one batch at a time."""

    def __init__(self, chats: Chats, quiet: float) -> None:
        self.chats, self.quiet, self.timer = chats, quiet, None
        self.waiting: list[tuple[Connection, dict[str, Any]]] = []
        self.began = time.process_time()

    def add(self, connection: Connection, chat: dict[str, Any]) -> None:
        self.waiting.append((connection, chat))
        loop = asyncio.get_running_loop()
        if self.timer is None:
            self.timer = loop.call_later(self.quiet, self.run) if self.quiet else loop.call_soon(self.run)
        elif self.quiet:
            self.timer.cancel()
            self.timer = loop.call_later(self.quiet, self.run)

    def run(self) -> None:
        batch, self.waiting, self.timer = self.waiting, [], None
        for (connection, chat), (text, finish, reply) in zip(batch, self.chats.answer([c for _, c in batch]), strict=True):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
            usage = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.tokens_out}
            connection.send({"id": "c", "object": "chat.completion", "model": chat.get("model"), "choices": [choice], "usage": usage})

    def stats(self) -> dict[str, Any]:
        return {**asdict(self.chats.tally), "seconds": time.process_time() - self.began}

    def reset(self, seed: int) -> dict[str, Any]:
        self.chats.reset(seed)
        self.began = time.process_time()
        return {}


class Connection(asyncio.Protocol):
    """Just enough HTTP/1.1: requests with a content length, one after another, connections kept."""

    def __init__(self, batches: Batches) -> None:
        self.batches, self.data = batches, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].decode("latin-1").split("\r\n")
            length = next((int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:")), 0)
            if len(self.data) < end + 4 + length:
                return
            body, self.data = self.data[end + 4 : end + 4 + length], self.data[end + 4 + length :]
            path = head[0].split()[1]
            if path.endswith("/chat/completions"):
                self.batches.add(self, json.loads(body))
            elif path == "/stats":
                self.send(self.batches.stats())
            else:
                self.send(self.batches.reset(int(json.loads(body or b"0"))))

    def send(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def serve(port: int, organism: str, quiet: float) -> None:
    batches = Batches(Chats(Organism(organism)), quiet)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(batches), "127.0.0.1", port, backlog=1024)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *(sys.argv[2:3] or ["chain"]), float((sys.argv[3:4] or ["0"])[0]) / 1000))
