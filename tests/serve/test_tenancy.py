"""Keys, quotas, the fair queue, the ledger, the configuration."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ponder.core.budget import Bill
from ponder.core.errors import InputError
from ponder.serve.admission import HUNG_UP, Admission, Caller
from ponder.serve.app import create_app
from ponder.serve.config import Config, Keys, Model, Queue, Server, load
from ponder.serve.errors import Busy, QuotaExceeded, Unauthorized, body_of, headers_of
from ponder.serve.fair_queue import FairQueue, Place
from ponder.serve.keys import KeyStore
from ponder.serve.ledger import Ledger, Line
from ponder.serve.limits import parse_limits
from ponder.serve.quotas import Quotas, Reservation
from ponder.serve.reload import Reloader


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.sqlite", pending=100, retry=0.01)
    yield made
    made.close(1.0)


def line(number: int, tokens: int = 5) -> Line:
    return Line(f"{number}", 1000.0 + number, "ann", "m", "", 200, 0.1, Bill(tokens_out=tokens, calls=1))


@pytest.mark.parametrize("unit", ["requests", "tokens", "money"])
def test_quotas_hold_exactly_under_races_of_64_threads(unit: str) -> None:
    limits = parse_limits("100 requests per day" if unit == "requests" else "1000 tokens/day" if unit == "tokens" else "$10/day")
    quotas = Quotas(clock=lambda: 5.0)
    gate = threading.Barrier(64)
    most = {"requests": 100, "tokens": 1000, "money": 10.0}[unit]

    def ask(seed: int) -> float:
        rng, spent = random.Random(seed), 0.0
        held: list[Reservation] = []
        gate.wait()
        for left in reversed(range(50)):
            with suppress(QuotaExceeded):
                held.append(quotas.reserve("ann", limits, rng.randrange(1, 20), rng.randrange(1, 20) / 64))  # exact in binary
            while len(held) > min(left, 3):  # several stay open while others ask
                done = held.pop(rng.randrange(len(held)))
                used = Bill(tokens_out=done.tokens - rng.randrange(2), money=done.money)
                quotas.settle(done, used)
                quotas.settle(done, used)  # the second time counts nothing
                spent += {"requests": 1, "tokens": used.tokens, "money": used.money}[unit]
        return spent

    with ThreadPoolExecutor(64) as pool:
        total = sum(pool.map(ask, range(64)))
    (_, left), *_ = quotas.left("ann", limits)
    assert total <= most
    assert left == most - total
    if unit == "requests":
        assert total == most


def test_what_is_set_aside_counts_and_a_refusal_says_when_to_come_back() -> None:
    now = [86_400.0 * 10 + 100]
    quotas = Quotas(clock=lambda: now[0])
    limits = parse_limits("100 tokens per minute")
    held = quotas.reserve("ann", limits, 80)
    with pytest.raises(QuotaExceeded) as refused:
        quotas.reserve("ann", limits, 21)
    assert refused.value.retry_after == 20
    assert headers_of(refused.value) == {"Retry-After": "20"}
    assert body_of(refused.value)["error"]["type"] == "rate_limit_error"
    assert quotas.reserve("ann", limits, 500, shrink=True).tokens == 20
    with pytest.raises(QuotaExceeded):
        quotas.reserve("ann", limits, 500, shrink=True)
    with pytest.raises(QuotaExceeded) as never:
        quotas.reserve("bob", limits, 101)
    assert never.value.retry_after is None
    now[0] += 20
    quotas.settle(held, Bill(tokens_out=80))  # of the window before
    assert quotas.reserve("ann", limits, 100).tokens == 100


def test_a_restart_counts_what_the_ledger_knows(ledger: Ledger) -> None:
    ledger.record(line(1, tokens=70))
    assert ledger.flush()
    quotas = Quotas(ledger.spent, clock=lambda: 2000.0)
    ((_, left),) = quotas.left("ann", parse_limits("100 tokens per day"))
    assert left == 30


def test_a_flood_of_one_key_does_not_starve_another() -> None:
    queue = FairQueue(running=2, waiting=1000)
    flood = [queue.enter("flood")[0] for _ in range(500)]
    for _ in range(5):
        place, _ = queue.enter("ann")
        ended = 0
        while place.state == "waiting":
            queue.leave(next(p for p in flood if p.state == "running"))
            ended += 1
        assert ended == 1  # the next slot that comes free is hers
        queue.leave(place)
    assert queue.in_flight == 2


def test_many_keys_get_equal_shares() -> None:
    queue, served = FairQueue(running=3, waiting=10_000), dict.fromkeys("abcd", 0)
    places: list[Place] = [queue.enter(c)[0] for c, n in zip("abcd", (300, 30, 30, 30), strict=True) for _ in range(n)]
    running = [p for p in places if p.state == "running"]  # all of the first caller, who was alone
    for _ in range(100):
        ends = running.pop(0)  # all take equally long
        running += queue.leave(ends)
        served[ends.caller] += 1
    assert max(served.values()) - min(served.values()) <= queue.running


def test_a_full_queue_evicts_the_newest_of_the_longest() -> None:
    queue = FairQueue(running=1, waiting=3)
    flood = [queue.enter("flood")[0] for _ in range(4)]
    refused, changed = queue.enter("flood")
    assert refused.state == "evicted"
    assert changed == [refused]
    ann, changed = queue.enter("ann")
    assert ann.state == "waiting"
    assert changed == [flood[3]]
    assert flood[3].state == "evicted"
    assert queue.depth == 3


def test_waiters_that_leave_give_their_place_back_and_settle_nothing(ledger: Ledger) -> None:
    door = Admission(Config(queue=Queue(running=1, waiting=4)), ledger)
    caller = Caller("ann", parse_limits("3 requests per day, 100 tokens per day"))

    async def visit() -> None:
        async with door.admit(caller, tokens=10):
            raise AssertionError("it never gets a slot")

    async def scene() -> None:
        async with door.admit(caller, tokens=10) as ticket:
            waiting = [asyncio.ensure_future(visit()) for _ in range(2)]
            await asyncio.sleep(0)
            assert door.queue.depth == 2
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert door.queue.depth == 0
            ticket.settle(Bill(tokens_out=7))
        assert [left for _, left in door.quotas.left("ann", caller.limits)] == [2, 93]

    asyncio.run(scene())


def test_impatience_and_hanging_up(ledger: Ledger) -> None:
    door = Admission(Config(queue=Queue(running=1, waiting=1, patience=0.0)), ledger)
    ann = Caller("ann")

    async def scene() -> None:
        began = asyncio.Event()

        async def hold() -> None:
            async with door.admit(ann) as ticket:
                ticket.settle(Bill(tokens_out=3))
                began.set()
                await asyncio.Event().wait()

        holder = asyncio.ensure_future(hold())
        await began.wait()
        with pytest.raises(Busy) as busy:
            async with door.admit(ann):
                pass
        assert headers_of(busy.value)["Retry-After"]
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
        assert (door.queue.in_flight, door.queue.depth) == (0, 0)

    asyncio.run(scene())
    assert ledger.flush()
    (kept,) = ledger.lines()
    assert (kept.status, kept.bill.tokens_out, kept.requests) == (HUNG_UP, 3, 1)
    assert b'ponder_requests_total{method="plain",status="499"} 1.0' in door.metrics.text()


def test_a_full_disk_loses_nothing_and_bills_nothing_twice(ledger: Ledger) -> None:
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    ledger._db.execute(f"PRAGMA max_page_count = {pages}")
    for i in range(1000):
        ledger.record(line(i))
    while not ledger.failures:
        ledger.flush(0.01)
    assert "full" in ledger.trouble
    assert ledger.pending <= 101 + 10  # sums of an hour each, and at most `pending` lines
    ledger._db.execute("PRAGMA max_page_count = 100000")
    assert ledger.flush()
    assert ledger.trouble == ""
    found = ledger.lines()
    assert (sum(x.requests for x in found), sum(x.bill.tokens for x in found)) == (1000, 5000)
    assert len({x.id for x in found}) == len(found)


def test_the_same_line_is_written_once(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.record(line(1))
        assert ledger.flush()
    assert ledger.spent("ann", 0.0) == (1, 5, 0.0)


def test_keys_are_hashed_found_and_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys.sqlite"
    store = KeyStore(path)
    key = store.add("ann", "5 requests per minute")
    hidden = key.rpartition("-")[2]
    assert hidden.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    found = store.find(key)
    assert found is not None
    assert found.name == "ann"
    for wrong in ("", key[:-1], key.replace("ponder", "sk"), key[:-1] + ("0" if key[-1] != "0" else "1"), "ponder-é-x"):
        assert store.find(wrong) is None
    with pytest.raises(InputError, match="already"):
        store.add("ann")
    KeyStore(path).revoke("ann")  # by another process
    assert store.find(key) is None
    with pytest.raises(InputError, match="did you mean 'ann'"):
        store.revoke("an")


def test_the_door_wants_keys_where_a_file_is_named(tmp_path: Path, ledger: Ledger) -> None:
    file = str(tmp_path / "keys.sqlite")
    key = KeyStore(file).add("ann", "5 requests per minute")
    door = Admission(Config(keys=Keys(file=file)), ledger)
    assert door.identify(f"Bearer {key}") == Caller("ann", parse_limits("5 requests per minute"))
    for wrong in (None, "", key, "Basic x", "Bearer x"):
        with pytest.raises(Unauthorized) as refused:
            door.identify(wrong)
        assert key not in str(refused.value)


def test_configuration_is_read_and_mistakes_are_named(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[models.m]\nengine = "scripted:1=1"\n[aliases.careful]\nmodel = "m"\nmethod = "sample(4) | vote()"\n[queue]\npatience = 3\n'
    )
    config = load(file)
    assert config.aliases["careful"].method == "sample(4) | vote()"
    assert config.queue.patience == 3.0
    for text, said in (
        ("[server]\nprot = 1", "did you mean 'port'"),
        ("[sever]\nport = 1", "did you mean 'server'"),
        ('[server]\nport = "1"', "server.port must be a whole number"),
        ("[server]\nport = true", "server.port must be a whole number"),
        ("[queue]\nrunning = 0", "at least 1"),
        ("[queue]\npatience = nan", "must be a number"),
        ('[server]\nhost = "0.0.0.0"', "no keys are asked for"),
        ("[models.m]", "either engine or upstreams"),
        ('[models.m]\nengine = "nosuch"', "no model is called"),
        ('[aliases.a]\nmodel = "x"', "stand for one of"),
        ('[keys]\nlimits = "5 apples per day"', "cannot read the limit"),
        ("port 1", "no TOML"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=said):
            load(file)
    assert Config(server=Server(host="0.0.0.0"), keys=Keys(file="k")).server.host == "0.0.0.0"


def test_secrets_come_from_outside_and_show_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "very-secret")
    (tmp_path / "k").write_text("very-secret\n")
    for model in (Model(engine="http://x/v1#m", key_env="UPSTREAM_KEY"), Model(engine="http://x/v1#m", key_file=str(tmp_path / "k"))):
        assert model.key == "very-secret"
        assert "very-secret" not in repr(Config(models={"m": model}))
    with pytest.raises(InputError, match="NOT_SET"):
        _ = Model(engine="http://x/v1#m", key_env="NOT_SET").key


def test_every_option_says_what_it_is() -> None:
    tables = [f for f in dataclasses.fields(Config) if f.metadata["says"]]
    assert len(tables) == len(dataclasses.fields(Config))
    for table in (Model, *(type(getattr(Config(), f.name)) for f in tables if dataclasses.is_dataclass(getattr(Config(), f.name)))):
        for field in dataclasses.fields(table):
            assert field.metadata["says"].endswith("."), field.name


def test_a_broken_new_file_keeps_the_old_configuration(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[queue]\nrunning = 3\n")
    taken: list[Config] = []
    reloader = Reloader(file, load(file), taken.append)
    file.write_text("[queue]\nrunning = 'many'\n")
    reloader.look()
    assert "whole number" in reloader.trouble
    assert reloader.config.queue.running == 3
    assert taken == []
    file.write_text("[queue]\nrunning = 5 # more\n")
    reloader.look()
    assert (reloader.trouble, reloader.config.queue.running, len(taken)) == ("", 5, 1)


def test_a_reload_never_gives_up_keys(tmp_path: Path) -> None:
    file = tmp_path / "ponder.toml"
    file.write_text(f"[keys]\nfile = '{tmp_path / 'keys.sqlite'}'\n")
    taken: list[Config] = []
    reloader = Reloader(file, load(file), taken.append)
    file.write_text("")
    reloader.look()
    assert "keys" in reloader.trouble
    assert taken == []
    assert reloader.config.keys.file


def test_a_ledger_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no database" * 100)
    with pytest.raises(Exception, match="cannot be used") as error:
        Ledger(tmp_path / "x")
    assert isinstance(error.value.__cause__, sqlite3.DatabaseError)


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("localhost:8080", True),
        ("127.0.0.1", True),
        ("[::1]:8080", True),
        ("Ponder.example.org", True),
        ("evil.example", False),
        ("", False),
    ],
)
def test_without_keys_only_its_own_names_are_answered(host: str, taken: bool) -> None:
    config = Config(models={"m": Model(engine="scripted:a=1")}, server=Server(hosts=("ponder.example.org",)))
    reply = TestClient(create_app(config)).get("/v1/models", headers={"host": host})
    assert reply.status_code == (200 if taken else 421)
    assert taken or reply.json()["error"]["code"] == "unknown_host"
