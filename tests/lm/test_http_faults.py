"""The HTTP engine under faults, deadlines and many threads: bills stay right and nothing leaks."""

from __future__ import annotations

import asyncio
import runpy
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.lm.faulty_server import FaultyServer
from tests.lm.http_helpers import KEY, WARM, canned, choice, engine, idle

from ponder.core.budget import Allowance, Meter
from ponder.core.context import Context
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Reply, Request, Sampling
from ponder.core.problem import Problem


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as started:
        yield started


# --- faults


def test_bills_under_faults() -> None:
    figures = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "http_faults.py"))["run"](200, seed=3, stall=0.5)
    assert figures["wrong_bills"] == figures["missing_samples"] == figures["hangs"] == figures["connections_left_busy"] == 0
    assert figures["errors"] == {}
    assert figures["retries"] >= figures["lost_replies"] > 40
    assert figures["estimated"] > 5


def test_retry_after_and_backoff_are_slept() -> None:
    slept: list[float] = []
    replies = iter(
        [
            *(httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(503), httpx.Response(500, headers={"retry-after": "9e9"})),
            *(httpx.Response(502, headers={"retry-after": "soon"}), httpx.Response(200, json={"choices": [choice()]})),
        ]
    )
    lm = canned(lambda request: next(replies), sleep=slept.append)
    lm.generate([Request("the sea")], WARM)
    assert lm.retried == 4
    assert 7 + 60 <= sum(slept) <= 7 + 1 + 60 + 4


@pytest.mark.parametrize(
    ("status", "message", "error", "says"),
    [
        (400, "bad stop", EngineError, "bad stop"),
        (401, f"Incorrect API key provided: {KEY}", EngineError, r"provided: \[key\]\. the key was refused"),
        (403, "no", EngineError, "check api_key"),
        (422, "x" * 5000, EngineError, r"x{200,300}\.\.\."),
        (400, "This model's maximum context length is 4096 tokens.", InputError, "do not fit the model's context"),
        (429, "insufficient_quota", EngineError, "insufficient_quota"),
    ],
)
def test_refusals_are_not_repeated(status: int, message: str, error: type[Exception], says: str) -> None:
    with FaultyServer(quirk=(status, message)) as server:
        lm = engine(server.url, api_key=KEY)
        with pytest.raises(error, match=says) as raised:
            lm.generate([Request("the sea")], WARM)
        assert len(server.served) == 1
        assert KEY not in str(raised.value) + repr(raised.value) + repr(lm)
        assert len(str(raised.value)) < 600


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(EngineError, match="Check that the server runs") as raised:
        engine(api_key=KEY, retries=1).generate([Request("the sea")], WARM)
    assert KEY not in str(raised.value)


def test_redirects_are_refused(server: FaultyServer) -> None:
    server.quirk = "redirect"
    with pytest.raises(EngineError, match="redirects, which is not followed"):
        engine(server.url, api_key=KEY).generate([Request("the sea")], WARM)
    assert len(server.served) == 1


@pytest.mark.parametrize("quirk", ["stall", "trickle"])
def test_one_request_ends_at_its_timeout(server: FaultyServer, quirk: str) -> None:
    # a trickle of bytes never exceeds the limit of a single read
    server.quirk = quirk
    lm = engine(server.url, timeout=0.15, retries=1)
    with pytest.raises(EngineError, match="ReadTimeout"):
        lm.generate([Request("the sea")], WARM)
    assert lm.retried == 1
    assert idle(lm)


# --- allowance


def test_a_deadline_ends_the_batch(server: FaultyServer) -> None:
    server.quirk = "stall"
    lm = engine(server.url, concurrency=2)
    replies = lm.generate([Request("the sea", seed=i) for i in range(5)], WARM, Allowance(seconds=0.2))
    assert [r.completions for r in replies] == [()] * 5
    assert len(server.served) <= 2
    assert idle(lm)


def test_stop_cancels_what_is_in_flight(server: FaultyServer) -> None:
    server.quirk = "stall"
    lm, stopped = engine(server.url), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(lm.generate, [Request("the sea", seed=i) for i in range(3)], WARM, Allowance(stopped=stopped))
        for _ in range(3):
            server.entered.acquire()
        stopped.set()
        assert [r.completions for r in call.result()] == [()] * 3
    assert idle(lm)


def test_a_wait_that_the_deadline_forbids_is_not_begun() -> None:
    lm = canned(lambda request: httpx.Response(429, headers={"retry-after": "50"}), sleep=lambda seconds: pytest.fail("slept"))
    with pytest.raises(EngineError, match="429"):
        lm.generate([Request("the sea")], WARM, Allowance(seconds=20))


@pytest.mark.parametrize("tokens", [1, 10, 60, 200])
def test_tokens_are_kept_and_cuts_say_cancelled(server: FaultyServer, tokens: int) -> None:
    requests = [Request("the sea is old and far", n=2, seed=i) for i in range(12)]
    replies = engine(server.url).generate(requests, Sampling(temperature=1.0, max_tokens=20), Allowance(tokens=tokens))
    spent = sum(r.prompt_tokens + r.tokens_out for r in replies)
    assert spent <= max(tokens, 6 + 2)
    assert replies[0].completions
    assert any(c.finish == "cancelled" for r in replies for c in r.completions) or not replies[-1].completions
    assert all(c.tokens == 20 for r in replies for c in r.completions if c.finish == "length")


def test_a_meter_bills_what_was_served(server: FaultyServer) -> None:
    context = Context(Problem("the sea"), meter=Meter(), models={"words": engine(server.url)})
    context.generate([Request("the sea", n=2), Request("a dog")], WARM)
    bill = context.meter.bill
    assert bill.tokens_in == sum(s.prompt_tokens for s in server.served)
    assert bill.tokens_out == sum(s.completion_tokens for s in server.served)
    assert bill.calls == 2


# --- threads and leaks


def test_two_hundred_failed_batches_leave_everything_free() -> None:
    with FaultyServer() as server:
        lm = engine(server.url, concurrency=8, retries=0)
        for round_ in range(200):
            server.quirk = (500, "no")
            with pytest.raises(EngineError):
                lm.generate([Request("the sea", seed=32 * round_ + i) for i in range(16)], WARM)
        assert idle(lm)
        assert len(lm._threads._threads) <= 8
        # All 8 places are free: none of these 8 is answered before all have arrived.
        server.quirk, server.gate = "", threading.Barrier(8, timeout=30)
        replies = lm.generate([Request("together", seed=i) for i in range(8)], WARM)
        assert all(len(r.completions) == 1 for r in replies)
        lm.close()
        lm.close()
        assert not any(t.is_alive() for t in lm._threads._threads)


def test_one_failure_cancels_those_in_flight(server: FaultyServer) -> None:
    server.quirk = "stall"
    lm = engine(server.url, concurrency=4)
    original = lm._caller.exchange

    def exchange(batch: Any, path: str, body: dict[str, Any], read: Any) -> Any:
        if body["prompt"] == "bad":
            for _ in range(3):
                server.entered.acquire()
            raise EngineError("refused")
        return original(batch, path, body, read)

    lm._caller.exchange = exchange  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="refused"):
        lm.generate([*(Request("the sea", seed=i) for i in range(3)), Request("bad")], WARM)
    assert idle(lm)


def test_closing_ends_a_call_in_flight(server: FaultyServer) -> None:
    server.quirk = "stall"
    lm = engine(server.url, concurrency=2)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(lm.generate, [Request("the sea", seed=i) for i in range(6)], WARM)
        for _ in range(2):
            server.entered.acquire()
        lm.close()
        with pytest.raises(EngineError, match="closed"):
            call.result()
    with pytest.raises(EngineError, match="closed"):
        lm.generate([Request("the sea")], WARM)


def test_calls_from_many_threads_get_their_own_replies(server: FaultyServer) -> None:
    lm = engine(server.url, concurrency=4)
    requests = [Request(f"the sea {i}", n=1 + i % 3, seed=i) for i in range(120)]

    def texts(reply: Reply) -> list[str]:
        return [c.text for c in reply.completions]

    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda r: texts(lm.generate([r], WARM)[0]), requests))
    assert together == [texts(r) for r in lm.generate(requests, WARM)]


def test_inside_a_running_event_loop(server: FaultyServer) -> None:
    lm = engine(server.url)

    async def ask() -> list[Reply]:
        return lm.generate([Request("the sea")], WARM)

    assert asyncio.run(ask())[0].completions
    assert asyncio.run(ask())[0].completions


def test_connections_are_kept(server: FaultyServer) -> None:
    lm = engine(server.url, concurrency=2)
    for i in range(20):
        lm.generate([Request("the sea", seed=i)], WARM)
    pool: Any = lm._caller._client._transport
    assert len(pool.connections.connections) == 1
