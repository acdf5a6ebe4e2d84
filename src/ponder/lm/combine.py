"""Calls from many threads as one batch: whoever comes to run takes along all that wait and fit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any


class Call:
    """One caller's work.

    Attributes:
        key: calls with equal keys may run in one batch.
        work: what is to be done.
        made: when it was made, by `time.perf_counter`.
        result: what came of it.
        error: or what went wrong.
        done: whether either is known.
    """

    def __init__(self, key: Hashable, work: Any) -> None:
        self.key, self.work, self.made = key, work, time.perf_counter()
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False


class Combiner:
    """Runs one batch at a time.

    Args:
        run: sets the result of each call of a batch; the calls have equal keys. What it raises reaches every caller of the batch.
    """

    def __init__(self, run: Callable[[Sequence[Call]], None]) -> None:
        self._run = run
        self._waiting: list[Call] = []
        self._list, self._engine = threading.Lock(), threading.Lock()

    def __call__(self, key: Hashable, work: Any) -> Any:
        """The result of `work`, alone or in a batch with what other threads bring."""
        call = Call(key, work)
        with self._list:
            self._waiting.append(call)
        with self._engine:
            if not call.done:
                self._batch(call)
        if call.error is not None:
            raise call.error
        return call.result

    def _batch(self, call: Call) -> None:
        with self._list:
            batch = [c for c in self._waiting if c.key == call.key]
            self._waiting = [c for c in self._waiting if c.key != call.key]
        try:
            self._run(batch)
        except Exception as error:
            for c in batch:
                c.error = error
        except BaseException:
            # This thread was interrupted; the others' calls are run by whoever comes next.
            with self._list:
                self._waiting += [c for c in batch if c is not call]
            raise
        for c in batch:
            c.done = True
