"""Runs on the trained chain organism, shared by the reproductions that compare methods on it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.bench.run import Plan, run
from ponder.bench.stats import Interval, bootstrap, paired_bootstrap
from ponder.bench.store import Key, RunStore
from ponder.core.algebra import Pipeline
from ponder.core.errors import PonderError
from ponder.core.language import LM, RewardModel, Sampling
from ponder.lm.load import load
from ponder.tasks import load as load_task

POLICY = "organism:chain"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """What methods reached, by name.

    Attributes:
        correct: mean grade over seeds, shape (problems,).
        tokens: tokens generated and read, mean a question.
        answers: the run's rows, for a cache.
    """

    correct: Mapping[str, Floats]
    tokens: Mapping[str, float]
    answers: Mapping[Key, Mapping[str, Any]] = field(repr=False)

    def accuracy(self, name: str) -> Interval:
        """Accuracy with its bootstrap interval over problems."""
        return bootstrap(self.correct[name])

    def gain(self, name: str, other: str) -> Interval:
        """How much more accurate one method is than another on the same problems, with the paired interval."""
        return paired_bootstrap(self.correct[name], self.correct[other])


def chain_runs(
    methods: Mapping[str, Pipeline], limit: int, seeds: Sequence[int], reward: str, policy: str = POLICY, temperature: float = 1.0
) -> Runs:
    """Run methods on so many problems of the `chain` task, in a run that is thrown away afterwards.

    Args:
        methods: pipelines by the names that the result gives them.
        seeds: repetitions on the same problems, which the first one draws.
        reward: the reward model that judges steps.

    Raises:
        PonderError: a question could not be answered, with the first reason.
    """
    task = load_task("chain", limit=limit, seed=seeds[0])
    engine: LM = load(policy)
    judge = load(reward)
    assert isinstance(judge, RewardModel)
    plan = Plan(
        (task,), tuple(methods.values()), {policy: engine}, tuple(seeds), Sampling(temperature, max_tokens=64), rewards={reward: judge}
    )
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        try:
            outcome = run(plan, store)
            answers = store.answers()
        finally:
            store.close()
    if outcome.errors:
        key, error = next(iter(outcome.errors.items()))
        raise PonderError(f"{len(outcome.errors)} questions could not be answered; {key[1]} on {key[3]}: {error}")
    correct, tokens = {}, {}
    for name, method in methods.items():
        rows = [[answers[task.name, str(method), seed, p.id] for seed in seeds] for p in task.problems]
        correct[name] = np.array([np.mean([r["correct"] for r in row]) for row in rows])
        tokens[name] = float(np.mean([r["bill"]["tokens_out"] for row in rows for r in row]))
    return Runs(correct, tokens, answers)
