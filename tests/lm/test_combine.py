"""Calls from threads as one batch: results, errors and interrupts reach whom they concern."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.lm.organism_files import wait_for

from ponder.lm.combine import Call, Combiner


def doubled(calls: Sequence[Call]) -> None:
    for call in calls:
        call.result = 2 * call.work


class Held:
    """Runs batches of `then` once it is let go, and remembers what they held."""

    def __init__(self) -> None:
        self.running, self.go = threading.Event(), threading.Event()
        self.batches: list[list[object]] = []
        self.then = doubled

    def __call__(self, calls: Sequence[Call]) -> None:
        self.batches.append([c.work for c in calls])
        self.running.set()
        assert self.go.wait(30)
        self.then(calls)


def test_calls_that_wait_run_as_one_batch_and_keys_apart() -> None:
    held = Held()
    combiner = Combiner(held)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(combiner, "a", 0)]
        assert held.running.wait(30)
        futures += [pool.submit(combiner, "ab"[i % 2], i) for i in range(1, 7)]
        wait_for(combiner, 6)
        held.go.set()
        assert [f.result() for f in futures] == [0, 2, 4, 6, 8, 10, 12]
    assert held.batches[0] == [0]
    assert sorted(sorted(b) for b in held.batches[1:]) == [[1, 3, 5], [2, 4, 6]]


def test_an_error_reaches_every_call_of_its_batch_and_no_other() -> None:
    held = Held()
    combiner = Combiner(held)

    def fails_on_three(calls: Sequence[Call]) -> None:
        if any(c.work == 3 for c in calls):
            raise ValueError("three")
        doubled(calls)

    held.then = fails_on_three
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(combiner, "a", 1)
        assert held.running.wait(30)
        rest = [pool.submit(combiner, "a", i) for i in (2, 3)]
        wait_for(combiner, 2)
        held.go.set()
        assert first.result() == 2
        for f in rest:
            with pytest.raises(ValueError, match="three"):
                f.result()
    assert combiner("a", 5) == 10


def test_an_interrupt_stops_its_own_call_and_the_others_go_on() -> None:
    held = Held()
    combiner = Combiner(held)
    hits = iter([True, False])

    def interrupted(calls: Sequence[Call]) -> None:
        if len(calls) > 1 and next(hits):
            raise KeyboardInterrupt
        doubled(calls)

    held.then = interrupted
    outcomes: list[object] = []

    def call(i: int) -> None:
        try:
            outcomes.append(combiner("a", i))
        except KeyboardInterrupt:
            outcomes.append("interrupted")

    threads = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    threads[0].start()
    assert held.running.wait(30)
    for t in threads[1:]:
        t.start()
    wait_for(combiner, 3)
    held.go.set()
    for t in threads:
        t.join(30)
    assert outcomes.count("interrupted") == 1
    assert len(outcomes) == 4
