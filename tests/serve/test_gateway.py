"""Servers behind the gateway, names, draining, the description, what a request costs."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from tests.serve.live import Seen, gateway, serving

from ponder.core.pace import Pace
from ponder.serve.app import create_app
from ponder.serve.config import Config, Model, Server
from ponder.serve.engines import Engines, Target
from ponder.serve.errors import UnknownModel
from ponder.serve.server import Server as Process

USER = {"role": "user", "content": "What is 7 * 8?"}
BODY = b'{ "model":"there",\n "messages":[{"role":"user","content":"hi"}], "tools":[1], "odd" : 1e0 }'


class Upstream:
    """A server that remembers what reached it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes, dict[str, str]]] = []
        self.left = threading.Event()
        self.app = FastAPI()
        self.app.add_api_route("/v1/{path:path}", self.answer, methods=["POST"])

    async def answer(self, path: str, request: Request) -> Response:
        body = await request.body()
        self.seen.append((path, body, dict(request.headers)))
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
        if b'"endless"' in body:
            return StreamingResponse(self._endless(), media_type="text/event-stream")
        if b'"refuse"' in body:
            return JSONResponse({"error": {"message": "wrong key sk-secret"}}, 401)
        return Response(b'{"choices": [] ,"usage":' + json.dumps(usage).encode() + b"}", media_type="application/json")

    async def _endless(self):
        try:
            while True:
                yield b'data: {"choices":[]}\n\n'
                await asyncio.sleep(0.01)
        finally:
            self.left.set()


@pytest.fixture(scope="module")
def behind():
    upstream = Upstream()
    with serving(upstream.app) as url:
        there = f"{url}/v1#there"
        models = {
            "there": Model(engine=there, price_in=1.0, price_out=2.0),
            "renamed": Model(engine=there),
            "two": Model(upstreams=("http://127.0.0.1:9/v1#there", there)),
            "dead": Model(engine="http://127.0.0.1:9/v1#there"),
        }
        with gateway(Config(models=models)) as live, httpx.Client(base_url=live.v1, timeout=10) as client:
            live.extra = {"upstream": upstream, "client": client}
            yield live


def test_plain_names_go_through_byte_for_byte(behind):
    client, upstream = behind.extra["client"], behind.extra["upstream"]
    reply = client.post("/chat/completions", content=BODY, headers={"authorization": "Bearer caller", "x-secret": "1"})
    path, body, headers = upstream.seen[-1]
    assert (path, body) == ("chat/completions", BODY)
    assert "authorization" not in headers
    assert "x-secret" not in headers
    assert reply.content.startswith(b'{"choices": [] ,"usage"')
    assert client.post("/embeddings", json={"model": "there", "input": "a"}).status_code == 200
    assert upstream.seen[-1][0] == "embeddings"


def test_what_goes_through_is_billed_by_the_usage_it_tells(behind, monkeypatch):
    client, lines = behind.extra["client"], []
    assert behind.until(lambda: not behind.gateway.admission.queue.in_flight)
    monkeypatch.setattr(behind.gateway.admission.ledger, "record", lines.append)
    replies = [client.post("/chat/completions", content=BODY) for _ in range(20)]
    assert behind.until(lambda: len(lines) == 20)
    told = [(r.json()["usage"]["prompt_tokens"], r.json()["usage"]["completion_tokens"]) for r in replies]
    assert [(line.bill.tokens_in, line.bill.tokens_out) for line in lines] == told
    assert min(told) > (0, 0)


def test_a_renamed_model_is_asked_by_its_own_name_and_a_dead_server_is_passed_over(behind):
    client, upstream = behind.extra["client"], behind.extra["upstream"]
    for name in ("renamed", "two"):
        assert client.post("/chat/completions", json={"model": name, "messages": [USER], "min_p": 0.1}).status_code == 200
        assert json.loads(upstream.seen[-1][1]) == {"model": "there", "messages": [USER], "min_p": 0.1}
    assert client.post("/chat/completions", json={"model": "dead", "messages": [USER]}).status_code == 502


def test_an_upstream_that_refuses_the_key_is_not_quoted(behind):
    reply = behind.extra["client"].post("/chat/completions", json={"model": "there", "user": "refuse"})
    assert reply.status_code == 502
    assert "sk-secret" not in reply.text


def test_a_client_that_leaves_ends_the_upstreams_work(behind):
    client, upstream = behind.extra["client"], behind.extra["upstream"]
    with client.stream("POST", "/chat/completions", json={"model": "there", "stream": True, "user": "endless"}) as reply:
        next(reply.iter_raw())
    assert upstream.left.wait(1)


def test_a_model_name_may_hold_colons():
    engine = Seen()
    engines = Engines({"qwen:7b": engine, "qwen": engine, "x:sample(1)": engine})
    assert engines.resolve("qwen:7b") == Target("qwen:7b")
    assert engines.resolve("qwen:7b:sample(2)|vote()").name == "qwen:7b"
    assert engines.resolve("qwen:sample(2)").name == "qwen"
    assert engines.resolve("x:sample(1)") == Target("x:sample(1)")
    with pytest.raises(UnknownModel, match="taken away"):
        engines.engine("gone")


def test_silence_is_filled_with_comments():
    config = Config(server=Server(keepalive=0.1))
    with gateway(config, slow=0.15) as live, httpx.Client() as client:
        body = {"model": "scripted:sample(2)|vote()", "messages": [USER], "stream": True}
        text = client.post(f"{live.v1}/chat/completions", json=body).text
    assert ": waiting" in text
    assert text.endswith("data: [DONE]\n\n")


def test_draining_finishes_what_was_accepted_and_refuses_what_is_new():
    body = {"model": "scripted", "messages": [USER]}
    with gateway(slow=0.05) as live, httpx.Client(timeout=10) as client:
        found: list[httpx.Response] = []
        worker = threading.Thread(target=lambda: found.append(client.post(f"{live.v1}/chat/completions", json=body)))
        worker.start()
        assert live.until(lambda: live.gateway.jobs)
        live.gateway.admission.draining = True
        with httpx.Client() as other:
            refused = other.post(f"{live.v1}/chat/completions", json=body)
            assert other.get(f"{live.url}/ready").status_code == 503
        worker.join(10)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["connection"] == "close"
    assert found[0].status_code == 200
    assert found[0].json()["choices"][0]["finish_reason"] == "stop"


def test_what_outlasts_the_drain_is_answered_with_what_there_is():
    config = Config(server=Server(drain=0.2))
    words = {" ".join(["word"] * 2000): 1.0}

    async def run() -> Any:
        app = create_app(config, Engines({"m": Seen(words, slow=0.005)}))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            asked = asyncio.create_task(client.post("/v1/chat/completions", json={"model": "m", "messages": [USER], "max_tokens": 2000}))
            while not app.state.gateway.jobs:
                await asyncio.sleep(0.01)
            await app.state.gateway.drain()
            return (await asked).json()

    reply = asyncio.run(run())
    assert reply["choices"][0]["finish_reason"] == "length"
    assert 0 < reply["usage"]["completion_tokens"] < 2000


def test_the_first_signal_drains_and_the_second_ends():
    async def run() -> tuple[bool, bool]:
        app = create_app(engines=Engines({"m": Seen()}))
        process = Process(app, "127.0.0.1", 0)
        serve = asyncio.create_task(process._serve())
        while not process.started:
            await asyncio.sleep(0.01)
        process.handle_exit(15, None)
        drains, at_once = app.state.gateway.admission.draining, process.should_exit
        await asyncio.wait_for(serve, 10)
        return drains, at_once

    assert asyncio.run(run()) == (True, False)


ANY_HOST = Config(server=Server(open=True))
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", create_app(ANY_HOST, Engines({"scripted": Seen()}))).include(
    path_regex="^/(v1|health|ready)"
)


@SCHEMA.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_description_holds(case):
    case.call_and_validate(checks=[schemathesis.checks.not_a_server_error])


def test_a_plain_completion_is_billed_as_ponder_bills_it():
    engine = Seen()
    engine.pace = Pace({1: 0.5}, 0.25)
    body = {"model": "m", "messages": [USER], "seed": 1}
    reply = TestClient(create_app(engines=Engines({"m": engine})), "http://localhost").post("/v1/chat/completions", json=body).json()
    bill = reply["ponder"]["bill"]
    assert bill["idealized_seconds"] == engine.pace.seconds(bill["tokens_in"], bill["tokens_out"]) > 0
