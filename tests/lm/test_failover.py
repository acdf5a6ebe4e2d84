"""Several engines behind one name."""

from __future__ import annotations

import pytest
from tests.lm.faulty_server import FaultyServer

from ponder.core.errors import EngineError, InputError
from ponder.core.language import Request, Sampling
from ponder.lm.failover import Failover
from ponder.lm.http import HTTP
from ponder.lm.http_calls import Refused
from ponder.lm.scripted import Scripted

ASK = [Request("question", seed=i) for i in range(4)]


def test_a_dead_engine_is_left_alone_until_it_is_back() -> None:
    alive = {0: False}
    dead, good = Scripted({"a": 1.0}, faults=1.0), Scripted({"b": 1.0})
    both = Failover([dead, good], lambda i: alive[i], every=1e6)
    assert [r.completions[0].text for r in both.generate(ASK, Sampling())] == ["b"] * 4
    assert (both.down, both.failovers) == ({0}, 1)
    both.generate(ASK, Sampling())
    assert dead.calls == 1
    both.check()
    assert both.down == {0}
    alive[0] = True
    both.check()
    assert both.down == set()
    both.generate(ASK, Sampling())
    assert dead.calls == 2
    both.close()


def test_all_dead_says_so_and_each_was_tried() -> None:
    engines = [Scripted({"a": 1.0}, faults=1.0) for _ in range(3)]
    both = Failover(engines, lambda i: False, every=1e6)
    for calls in (1, 2):
        with pytest.raises(EngineError):
            both.generate(ASK, Sampling())
        assert [e.calls for e in engines] == [calls] * 3
    both.close()


def test_a_refusal_goes_to_nobody_else_and_servers_bill_once() -> None:
    with FaultyServer(quirk=(401, "no")) as strict, FaultyServer(quirk=(503, "down")) as down, FaultyServer() as good:
        refusing, failing, well = (HTTP(s.url, "m", api_key="", retries=0) for s in (strict, down, good))
        with pytest.raises(Refused):
            Failover([refusing, well], lambda i: False).generate(ASK, Sampling(max_tokens=4))
        assert good.served == []
        both = Failover([failing, well], lambda i: False, every=1e6)
        replies = both.generate(ASK, Sampling(max_tokens=4))
        assert sum(r.tokens_out for r in replies) == sum(s.completion_tokens for s in good.served)
        assert len(good.served) == 4
        both.close()
        refusing.close()


def test_at_least_one() -> None:
    with pytest.raises(InputError, match="at least one"):
        Failover([], lambda i: True)
