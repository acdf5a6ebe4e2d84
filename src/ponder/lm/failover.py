"""Several engines of the same model behind one name: one that fails is left alone until it is well again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ponder.core.budget import Allowance, Price
from ponder.core.errors import EngineError, InputError
from ponder.core.language import LM, Continuation, Reply, Request, Sampling, Scored
from ponder.lm.http_calls import Refused

R = TypeVar("R")


class Failover:
    """An engine over several that are interchangeable. Implements `LM`.

    A batch goes to the well engine with the fewest batches in flight, the first among equals. If the engine fails, it counts
    as down and the whole batch goes to another; only the replies that are used are billed. A refusal (a wrong key, a prompt that
    does not fit) is no failure: another engine would say the same. While an engine is down, a thread asks `well` of it every
    `every` seconds. If all are down, each is tried once more before the error goes on.

    Args:
        engines: at least one.
        well: whether an engine that failed can be used again.
        every: seconds between such checks.

    Attributes:
        down: which engines (by index) are down.
        failovers: how many batches went on to another engine.
    """

    def __init__(self, engines: Sequence[LM], well: Callable[[int], bool], every: float = 5.0) -> None:
        if not engines:
            raise InputError("at least one engine is needed")
        self.engines, self._well, self._every = tuple(engines), well, every
        self.down: set[int] = set()
        self.failovers = 0
        self._flying = [0] * len(self.engines)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def name(self) -> str:
        return self.engines[0].name

    @property
    def price(self) -> Price | None:
        return self.engines[0].price

    @property
    def concurrency(self) -> int:
        return sum(engine.concurrency for engine in self.engines)

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        return self._somewhere(lambda lm: lm.generate(requests, sampling, allowance))

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        return self._somewhere(lambda lm: lm.logprobs(continuations))

    def close(self) -> None:
        self._closed.set()
        for engine in self.engines:
            engine.close()

    def check(self) -> None:
        """Ask the engines that are down whether they are well again."""
        for i in sorted(self.down):
            if self._well(i):
                with self._lock:
                    self.down.discard(i)

    def _somewhere(self, work: Callable[[Any], R]) -> R:
        tried: set[int] = set()
        while True:
            i = self._take(tried)
            try:
                return work(self.engines[i])
            except Refused:
                raise
            except EngineError:
                if self._closed.is_set():
                    raise
                tried.add(i)
                self._failed(i)
                if len(tried) == len(self.engines):
                    raise
                with self._lock:
                    self.failovers += 1
            finally:
                with self._lock:
                    self._flying[i] -= 1

    def _take(self, tried: set[int]) -> int:
        """The next engine to try: well before down, idle before busy."""
        with self._lock:
            left = [i for i in range(len(self.engines)) if i not in tried]
            i = min(left, key=lambda i: (i in self.down, self._flying[i], i))
            self._flying[i] += 1
            return i

    def _failed(self, i: int) -> None:
        with self._lock:
            self.down.add(i)
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(target=self._watch, name="ponder-failover", daemon=True)
                self._watcher.start()

    def _watch(self) -> None:
        while not self._closed.wait(self._every):
            self.check()
            with self._lock:
                if not self.down:
                    self._watcher = None
                    return
