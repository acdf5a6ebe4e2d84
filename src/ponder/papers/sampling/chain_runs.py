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
from ponder.core.language import LM, Request, RewardModel, Sampling
from ponder.core.seeds import derive
from ponder.lm.load import load
from ponder.organisms.chain import canonical
from ponder.papers.sampling.organism_paths import judge
from ponder.tasks import load as load_task

POLICY, CHAINS = "organism:chain", "chain"
AS_TRAINED = Sampling(temperature=1.0, max_tokens=64)
"""How organisms are sampled: from their own distribution, which their errors were measured on."""
UNWRITTEN = "000"
"""Stands for a sample without any text where a text is needed."""
SIDE_BY_SIDE = 16
"""Problems whose samples are drawn in one batch."""
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
    methods: Mapping[str, Pipeline], limit: int, seeds: Sequence[int], reward: str, policy: str = POLICY, chains: str = CHAINS
) -> Runs:
    """Run methods on so many chains at temperature 1, in a run that is thrown away afterwards.

    Args:
        methods: pipelines by the names that the result gives them.
        seeds: repetitions on the same problems, which the first one draws.
        reward: the reward model that judges steps.
        chains: the task that they are of.

    Raises:
        PonderError: a question could not be answered, with the first reason.
    """
    task = load_task(chains, limit=limit, seed=seeds[0])
    engine: LM = load(policy)
    judge = load(reward)
    assert isinstance(judge, RewardModel)
    plan = Plan((task,), tuple(methods.values()), {policy: engine}, tuple(seeds), AS_TRAINED, rewards={reward: judge})
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


def fresh_samples(limit: int, n: int, seed: int, reward: str, policy: str = POLICY, chains: str = CHAINS) -> tuple[Floats, Floats]:
    """n samples of each problem that `chain_runs` asks, drawn anew: which are right, and what the reward model says of them.

    A sample without any text is not shown to the reward model; its score is 0.

    Returns:
        Two arrays of shape (problems, n).
    """
    task, engine = load_task(chains, limit=limit, seed=seed), load(policy)
    prompts = [canonical(p.question) for p in task.problems]
    requests = [Request(prompt, n=n, seed=derive(seed, ("difficulty", i))) for i, prompt in enumerate(prompts)]
    texts: list[list[str]] = []
    for at in range(0, limit, SIDE_BY_SIDE):
        texts += [[c.text for c in r.completions] for r in engine.generate(requests[at : at + SIDE_BY_SIDE], AS_TRAINED)]
    right = [[task.grade(p, p.read(t), t) for t in row] for p, row in zip(task.problems, texts, strict=True)]
    scores = judge(reward.removeprefix("organism:"), prompts, [[t or UNWRITTEN for t in row] for row in texts])
    return np.array(right), np.where([[bool(t) for t in row] for row in texts], scores, 0.0)
