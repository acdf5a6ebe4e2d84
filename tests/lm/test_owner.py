"""The thread that owns a pipeline, on pipelines that fail."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from ponder.core.budget import Allowance
from ponder.core.errors import EngineError
from ponder.lm.owner import Batch, Job, Owner


class Pipeline:
    """Takes requests and never finishes one; breaks at a step when told to."""

    def __init__(self) -> None:
        self.requests = 0
        self.entered, self.broken = threading.Event(), threading.Event()

    def add_request(self, number: int, ids: Any, config: Any) -> Any:
        self.requests += 1
        return SimpleNamespace(get_status=lambda: SimpleNamespace(name="RUNNING"), stop=lambda: None, can_read=lambda: False)

    def has_non_finished_requests(self) -> bool:
        return self.requests > 0

    def step(self) -> None:
        self.entered.set()
        if self.broken.wait(timeout=0.01):
            raise RuntimeError("out of luck")


def batch(n: int = 2) -> Batch:
    whole = Batch(Allowance())
    whole.jobs = [Job((1, 2), 2, None, 1, whole) for _ in range(n)]
    return whole


def test_a_broken_pipeline_wakes_all_waiters_and_takes_no_more() -> None:
    pipeline = Pipeline()
    owner = Owner(pipeline, lambda tokens: tokens)
    batches = [batch() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(owner.submit, b) for b in batches]
        assert pipeline.entered.wait(timeout=30)
        pipeline.broken.set()
        refused = [w.exception(timeout=30) for w in waiting]
    for error, whole in zip(refused, batches, strict=True):  # told by their jobs, or refused at the door
        assert isinstance(error, EngineError) or all("out of luck" in job.error for job in whole.jobs)
    with pytest.raises(EngineError, match="died: out of luck"):
        owner.submit(batch())
    owner.close()


def test_a_closed_owner_refuses() -> None:
    owner = Owner(Pipeline(), lambda tokens: tokens)
    owner.close()
    with pytest.raises(EngineError, match="closed"):
        owner.submit(batch())
