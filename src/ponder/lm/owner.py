"""The thread that owns an OpenVINO GenAI pipeline: jobs of many callers come in, share its batches, and go out."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ponder.core.budget import Allowance
from ponder.core.errors import EngineError

LONG = 128
"""Tokens of a common beginning from which a batch waits for its first prompt to be read, so that the others find it cached."""


@dataclass
class Job:
    """One engine request: up to GROUP samples of one prompt, and what has come of it."""

    tokens: tuple[int, ...]
    billed: int  # prompt tokens that are billed with it: once a prompt
    config: Any
    n: int
    batch: Batch
    handle: Any = None
    outputs: list[Any] | None = None
    drawn: list[int] = field(default_factory=list[int])  # tokens generated for each output
    stopped: bool = False
    lost: int = 0  # tokens of a stopped request that the pipeline does not give back
    told: int = 0
    error: str = ""
    seconds: float = 0.0

    def take(self, tokens: int) -> None:
        """Tell the allowance of tokens, or of fewer than were told before."""
        self.told += tokens
        self.batch.allowance.take(tokens)


@dataclass
class Batch:
    """The jobs of one call; `done` is set when all have ended."""

    allowance: Allowance
    began: float = field(default_factory=time.monotonic)
    jobs: list[Job] = field(default_factory=list[Job])
    left: int = 0
    cancelled: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class Owner:
    """The thread that owns a pipeline. Jobs come in through a queue; nothing else touches the pipeline's scheduler."""

    def __init__(self, pipeline: Any, tensor: Callable[[tuple[int, ...]], Any]) -> None:
        self._pipeline, self._tensor = pipeline, tensor
        self._inbox: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._leaders: dict[tuple[int, ...], Job] = {}
        self._next = 0
        self._gate = threading.RLock()
        self._ended = ""
        self._thread = threading.Thread(target=self._run, name="ponder-embedded", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Run a batch and wait for it; an interrupted wait cancels the batch, so that nothing keeps running unseen."""
        batch.left = len(batch.jobs)
        with self._gate:  # nothing comes in behind the end
            if self._ended:
                raise EngineError(self._ended)
            self._inbox.put(batch)
        try:
            while not batch.done.wait(timeout=1):  # without a timeout some systems cannot interrupt it
                pass
        except BaseException:
            batch.cancelled = True
            raise

    def close(self) -> None:
        self._end_with("the embedded engine is closed")
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=30)

    def _end_with(self, reason: str) -> None:
        with self._gate:
            if not self._ended:
                self._ended = reason
                self._inbox.put(None)

    def _run(self) -> None:
        """Step while anything is pending; the pipeline is freed by the thread that used it."""
        open_ = True
        while open_ or self._running or self._waiting:
            idle = not self._running and not self._waiting
            try:
                batch = self._inbox.get(block=idle)
                if batch is None:
                    open_ = False
                    for job in self._waiting + self._running:
                        job.batch.cancelled = True
                else:
                    self._waiting += batch.jobs
                continue  # take all that is there before the next step
            except queue.Empty:
                pass
            try:
                self._admit()
                if self._pipeline.has_non_finished_requests():
                    self._pipeline.step()
                self._collect()
            except Exception as error:  # the pipeline is in no known state: nothing may wait for it, now or later
                self._end_with(f"the embedded engine died: {error}")
                while open_ and (batch := self._inbox.get()):
                    self._waiting += batch.jobs
                for job in self._waiting + self._running:
                    if not job.seconds:  # it has not ended
                        self._end(job, f"the embedded engine died: {error}")
                break
        del self._pipeline

    def _admit(self) -> None:
        """Start waiting jobs; of those that share a long beginning, one leads and the others wait until it has been read."""
        held: list[Job] = []
        for job in self._waiting:
            if self._over(job.batch):
                self._end(job)
                continue
            head = job.tokens[:LONG]
            if len(head) == LONG:
                leader = self._leaders.setdefault(head, job)
                if leader is not job:
                    held.append(job)
                    continue
            self._start(job)
        self._waiting = held

    def _start(self, job: Job) -> None:
        self._next += 1
        try:
            job.handle = self._pipeline.add_request(self._next, self._tensor(job.tokens), job.config)
        except Exception as error:
            self._end(job, f"the engine refused the request: {error}")
            return
        self._running.append(job)
        job.take(job.billed)

    def _collect(self) -> None:
        self._leaders.clear()  # one step reads up to thousands of prompt tokens: leaders are read by now, or nearly
        running: list[Job] = []
        for job in self._running:
            if job.handle.get_status().name == "RUNNING":
                job.take(job.n)  # an upper bound until the job ends: samples of the group that have ended are counted on
                if self._over(job.batch):
                    job.handle.stop()  # what it has drawn can be read after the next step
                    job.stopped = True
                running.append(job)
            else:
                self._finish(job)
        self._running = running

    def _over(self, batch: Batch) -> bool:
        return batch.cancelled or batch.allowance.over(time.monotonic() - batch.began)

    def _finish(self, job: Job) -> None:
        if job.handle.can_read():  # a stopped request, too, gives what it has drawn
            job.outputs = list(job.handle.read_all())
            job.drawn = _drawn(job.outputs, job.handle.get_perf_metrics().get_num_generated_tokens(), job.config)
            job.take(job.billed + sum(job.drawn) - job.told)
        elif not job.stopped:
            self._end(job, "the engine has no room for this prompt: make its cache larger (cache_gb)")
            return
        else:
            job.lost = job.told - job.billed
        self._end(job)

    def _end(self, job: Job, error: str = "") -> None:
        job.error = error
        job.seconds = time.monotonic() - job.batch.began
        job.handle = None
        job.batch.left -= 1
        if job.batch.left == 0:
            job.batch.done.set()


def _drawn(outputs: list[Any], counted: int, config: Any) -> list[int]:
    """Tokens that were generated for each output.

    The pipeline takes the white space at a stop string's end away again. What it `counted` for the request holds those tokens,
    but counts the first step once for all samples. The missing ones belong to samples that a stop string ended.
    """
    kept = [len(o.generated_ids) for o in outputs]
    ended = [i for i, o in enumerate(outputs) if o.finish_reason.name == "STOP" and not _by_token(o, config)] if config.stop_strings else []
    missing = counted + len(outputs) - 1 - sum(kept)
    for k in range(missing if ended else 0):
        kept[ended[k % len(ended)]] += 1
    return kept


def _by_token(output: Any, config: Any) -> bool:
    return bool(output.generated_ids) and output.generated_ids[-1] in config.stop_token_ids
