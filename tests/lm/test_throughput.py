"""Timing engines with a clock of their own: profiles, throughputs, failures as samples, paces that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.bench.idealized import RuntimeModel
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Completion, Reply, Request, Sampling
from ponder.core.pace import Pace
from ponder.front import ask
from ponder.lm import paces
from ponder.lm.scripted import Scripted
from ponder.lm.throughput import ThroughputSample, cells, measure, profile_generation, workload


class Timed(Scripted):
    """An engine whose time is 1 s, .01 s a prompt token and .1 s a further output token, on a clock of its own."""

    def __init__(self, early: int = 0) -> None:
        super().__init__({"x": 1.0})
        self.now, self.early, self.closed, self.seen = 0.0, early, False, []

    def clock(self) -> float:
        return self.now

    def generate(self, requests, sampling: Sampling, allowance=None) -> list[Reply]:
        replies = []
        for r in requests:
            assert isinstance(r, Request)
            self.seen.append(r.prompt)
            read = len(str(r.prompt).split())
            written = sampling.max_tokens
            if self.early:
                self.early -= 1
                written = 1
            self.now += 1 + 0.01 * read + 0.1 * (written - 1)
            replies.append(Reply((Completion("x", written),), read))
        return replies

    def close(self) -> None:
        self.closed = True


def test_a_profile_finds_the_engines_law():
    engine = Timed()
    profile = profile_generation(engine, (1, 10, 100), (1, 5, 9), warmup=2, iterations=3, clock=engine.clock)
    assert [(c.prompt, c.output, len(c.seconds)) for c in profile] == [(p, o, 3) for p in (1, 10, 100) for o in (1, 5, 9)]
    assert len(engine.seen) == 2 + 27
    assert len(set(engine.seen)) > 20  # one word comes again, longer prompts do not
    model = RuntimeModel.fit(cells(profile))
    assert model.pace.beta == pytest.approx(0.1)
    assert model.estimate(55) == pytest.approx(1.55)


def test_completions_that_end_early_are_drawn_again():
    engine = Timed(early=3)
    profile = profile_generation(engine, (5,), (4,), warmup=0, iterations=2, clock=engine.clock)
    assert [(c.prompt, c.output) for c in profile] == [(5, 4)]
    always = Timed(early=1000)
    assert [(c.prompt, c.output) for c in profile_generation(always, (5,), (4,), 0, 2, clock=always.clock)] == [(5, 1)]


def test_impossible_profiles_are_refused():
    engine = Timed()
    for sizes in (((0,), (1,)), ((1,), (0,))):
        with pytest.raises(InputError):
            profile_generation(engine, *sizes)


def test_throughput_counts_generated_tokens():
    engine = Timed()
    sample = measure(lambda: engine, workload(8, 20), Sampling(max_tokens=11), repeats=3, clock=engine.clock)
    assert sample.tokens == (88, 88, 88)
    assert sample.mean == pytest.approx(11 / (1 + 0.2 + 1.0))
    assert sample.error == pytest.approx(0)
    assert not sample.unstable
    assert engine.closed


def test_failures_are_samples():
    class Dead(Timed):
        def generate(self, requests, sampling, allowance=None):
            raise EngineError("out of memory")

    dead = Dead()
    sample = measure(lambda: dead, workload(2), Sampling())
    assert (sample.mean, sample.failed) == (0.0, "EngineError: out of memory")
    assert dead.closed

    def refuse():
        raise InputError("no such setting")

    assert measure(refuse, workload(2), Sampling()).failed.endswith("no such setting")

    class Silent(Timed):
        def generate(self, requests, sampling, allowance=None):
            self.now += 1
            return [Reply((Completion("", 0),)) for _ in requests]

    silent = Silent()
    assert measure(lambda: silent, workload(2), Sampling(), clock=silent.clock).failed == "no tokens were generated"


def test_repeats_that_differ_are_unstable():
    assert ThroughputSample((10, 10), (1.0, 1.3)).unstable
    assert not ThroughputSample((10, 10), (1.0, 1.1)).unstable


def test_paces_are_kept_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PONDER_HOME", str(tmp_path))
    assert paces.find("http:some/model#x") is None
    pace = Pace({1: 0.1, 10: 0.2}, 0.05, hardware="here")
    paces.keep("http:some/model#x", pace)
    assert paces.find("http:some/model#x") == pace
    engine = paces.attach(Scripted({"x": 1.0}, name="http:some/model#x"))
    assert engine.pace == pace
    next((tmp_path / "paces").iterdir()).write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        paces.find("http:some/model#x")


def test_shipped_paces_are_those_of_shipped_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PONDER_HOME", str(tmp_path))
    chain, large = paces.find("organism:chain"), paces.find("organism:chain-large")
    assert chain is not None
    assert large is not None
    assert chain.seconds(20, 20) < large.seconds(20, 20)
    bill = ask("What is 3 + 4?", method="sample(2)", model="organism:chain", temperature=1).bill
    assert 0 < bill.idealized_seconds < 1
