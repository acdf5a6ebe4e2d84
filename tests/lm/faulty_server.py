"""A loopback server that speaks OpenAI's format, writes words of a tiny Markov chain, and fails on purpose.

Its replies are functions of (prompt, seed, index) and of the sampling alone. Faults are functions of (its seed, prompt, the
request's seed, attempt), so that order and threads change nothing. It keeps what it said of every request.
"""

from __future__ import annotations

import json
import math
import random
import re
import socket
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

WORDS = [" the", " sea", " dog", " is", " old", " seven", " runs", " far"]
UNKNOWN = -9.0
PIECE = re.compile(r"\s*\S+|\s+")

LOST = ("429", "429 with Retry-After", "500", "503", "cut body", "bad JSON", "stall", "null text", "no choices")
"""Faults after which a client must ask again."""
BENT = ("one choice", "surplus choice", "negative usage", "no usage")
"""Faults of replies that can be used."""


def chances(context: str) -> list[float]:
    """How probable each word is after a text."""
    logits = [random.Random(ascii((context.strip().rpartition(" ")[2], w))).gauss(0, 1.5) for w in WORDS]
    weights = [math.exp(x) for x in logits]
    return [w / sum(weights) for w in weights]


def write(prompt: str, seed: int, index: int, body: dict[str, Any]) -> tuple[str, list[float], str]:
    """One completion: its text, log-probabilities and finish reason."""
    rng = random.Random(ascii((prompt, seed, index)))
    text, logprobs = "", []
    narrow = body["temperature"] == 0 or body.get("top_k") == 1 or body["top_p"] < 0.01
    for _ in range(body.get("max_tokens") or body.get("max_completion_tokens") or 0):
        table = chances(prompt + text)
        draw, ends = rng.random(), rng.random() < 0.08
        if ends and text and not narrow:
            return text, logprobs, "stop"
        ranked = sorted(range(len(WORDS)), key=lambda w: -table[w])
        chosen = ranked[0]
        while not narrow and draw >= table[chosen] and len(ranked) > 1:
            draw -= table[chosen]
            ranked.pop(0)
            chosen = ranked[0]
        text += WORDS[chosen]
        logprobs.append(math.log(table[chosen]))
        for stop in body.get("stop", []):
            if stop in text:
                return text[: text.index(stop)], logprobs, "stop"
    return text, logprobs, "length"


def score(prompt: str, text: str) -> tuple[list[str], list[float | None]]:
    """The tokens of an echoed text and their log-probabilities."""
    tokens = PIECE.findall(text)
    values: list[float | None] = []
    before = ""
    for token in tokens:
        table = dict(zip(WORDS, chances(before), strict=True))
        values.append(math.log(table[token]) if token in table else UNKNOWN)
        before += token
    return tokens, [None, *values[1:]] if not prompt else values


@dataclass
class Served:
    """One request as the server saw it."""

    prompt: str
    seed: int
    path: str
    fault: str
    body: dict[str, Any]
    headers: dict[str, str]
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass
class FaultyServer:
    """Start it with `with FaultyServer(...) as server`; `server.url` is the API's root.

    Args:
        faults: names of LOST and BENT, and the probability of each.
        seed: which requests they strike.
        quirk: how the whole server differs: "no completions", "no logprobs", "no n", "no logprobs in replies", "no echo",
            "no max_tokens 0", "redirect", "trickle", or an HTTP status and message to answer always, as (400, "message").
    """

    faults: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    quirk: str | tuple[int, str] = ""
    served: list[Served] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    # Requests of the prompt "together" wait for each other here; handlers of requests that were cancelled may come late to theirs.
    gate: threading.Barrier | None = None
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __enter__(self) -> FaultyServer:
        server = self
        self.attempts: Counter[tuple[str, int]] = Counter()
        self.lock = threading.Lock()

        class Handler(_Handler):
            owner = server

        self.http = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        with self.lock:
            return [s.body for s in self.served]

    def fault(self, prompt: str, seed: int) -> str:
        with self.lock:
            self.attempts[prompt, seed] += 1
            draw = random.Random(ascii((self.seed, prompt, seed, self.attempts[prompt, seed]))).random()
        for name, probability in self.faults.items():
            draw -= probability
            if draw < 0:
                return name
        return ""

    def used(self) -> dict[str, list[Served]]:
        """The last usable reply of every (prompt, seed), by prompt: what a client that asks until it is answered has used."""
        last: dict[tuple[str, int], Served] = {}
        with self.lock:
            for s in self.served:
                if s.fault not in LOST:
                    last[s.prompt, s.seed] = s
        by_prompt: dict[str, list[Served]] = defaultdict(list)
        for (prompt, _), s in last.items():
            by_prompt[prompt].append(s)
        return by_prompt


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is expected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: FaultyServer

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_POST(self) -> None:
        owner = self.owner
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        chat = self.path.endswith("/chat/completions")
        turns = [f"{m['role']}: {m['content']}" for m in body["messages"]] if chat else [body["prompt"]]
        prompt, seed = "\n".join(turns), body.get("seed", 0)
        fault = owner.fault(prompt, seed)
        record = Served(prompt, seed, self.path, fault, body, {k.lower(): v for k, v in self.headers.items()})
        status, reply = self.refusal(body, chat) or (200, self.answer(record, chat))
        with owner.lock:
            owner.served.append(record)
        owner.entered.release()
        if owner.gate is not None and prompt == "together":
            owner.gate.wait()
        if owner.quirk == "redirect":
            self.send(307, {}, {"Location": "http://127.0.0.1:9/elsewhere"})
        elif status != 200:
            self.send(status, {"error": {"message": reply}})
        elif fault == "stall" or owner.quirk == "stall":
            owner.release.wait()
            self.close_connection = True
        elif owner.quirk == "trickle":
            self.trickle()
        else:
            self.send_faulty(fault, reply)

    def refusal(self, body: dict[str, Any], chat: bool) -> tuple[int, str] | None:
        quirk = self.owner.quirk
        if isinstance(quirk, tuple):
            return quirk
        if quirk == "no completions" and not chat:
            return 404, "This is a chat model and not supported in the v1/completions endpoint."
        if quirk == "no logprobs" and body.get("logprobs"):
            return 400, "logprobs are not supported by this model"
        if quirk == "no max_tokens" and "max_tokens" in body:
            return 400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        if quirk == "no max_tokens 0" and body.get("max_tokens") == 0:
            return 400, "max_tokens must be at least 1, got 0."
        return None

    def answer(self, record: Served, chat: bool) -> Any:
        """The reply, with the faults of its content."""
        body, quirk = record.body, self.owner.quirk
        record.prompt_tokens = len(PIECE.findall(record.prompt))
        if body.get("echo") and quirk != "no echo":
            return self.echo(record)
        n = 1 if record.fault == "one choice" or quirk == "no n" else body["n"] + (record.fault == "surplus choice")
        choices = []
        body = {"temperature": 1.0, "top_p": 1.0, **body}
        for i in range(n):
            text, logprobs, finish = write(record.prompt, record.seed, i, body)
            record.completion_tokens += len(logprobs)
            choice: dict[str, Any] = {"index": i, "finish_reason": finish}
            shown = None if record.fault == "null text" else text
            choice |= {"message": {"role": "assistant", "content": shown}} if chat else {"text": shown}
            if body.get("logprobs") and quirk != "no logprobs in replies":
                choice["logprobs"] = {"content": [{"logprob": x} for x in logprobs]} if chat else {"token_logprobs": logprobs}
            choices.append(choice)
        choices = [] if record.fault == "no choices" else choices[::-1]  # their index puts them in order
        usage = {"prompt_tokens": record.prompt_tokens, "completion_tokens": record.completion_tokens}
        if record.fault == "negative usage":
            usage = {"prompt_tokens": -1, "completion_tokens": -record.completion_tokens}
        return {"choices": choices} | ({} if record.fault == "no usage" else {"usage": usage})

    def echo(self, record: Served) -> Any:
        text = record.prompt
        if record.body["max_tokens"]:
            text += write(record.prompt, 0, 0, {**record.body, "top_p": 1.0})[0]
        tokens, values = score("", text)
        offsets = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
        form = {"tokens": tokens, "token_logprobs": values, "text_offset": offsets}
        record.completion_tokens = len(tokens) - record.prompt_tokens
        usage = {"prompt_tokens": record.prompt_tokens, "completion_tokens": record.completion_tokens, "total_tokens": len(tokens)}
        return {"choices": [{"index": 0, "text": text, "logprobs": form, "finish_reason": "length"}], "usage": usage}

    def send_faulty(self, fault: str, reply: Any) -> None:
        if fault in ("429", "500", "503"):
            self.send(int(fault), {"error": {"message": "busy"}})
        elif fault == "429 with Retry-After":
            self.send(429, {"error": {"message": "slow down"}}, {"Retry-After": "7"})
        elif fault == "bad JSON":
            self.send_bytes(200, b'{"choices": [{"text": "half')
        elif fault == "cut body":
            content = json.dumps(reply).encode()
            self.send_bytes(200, content[: len(content) // 2], {"Content-Length": str(len(content))})
            self.close_connection = True
        else:
            self.send(200, reply)

    def trickle(self) -> None:
        """A byte every 20 ms for as long as the client stays."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.close_connection = True
        while not self.owner.release.wait(0.02):
            self.wfile.write(b" ")
            self.wfile.flush()

    def send(self, status: int, reply: Any, headers: dict[str, str] | None = None) -> None:
        self.send_bytes(status, json.dumps(reply).encode(), headers)

    def send_bytes(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content)), "Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()
        if self.close_connection:
            self.connection.shutdown(socket.SHUT_WR)
