"""The trained loop of AlphaMath on chained arithmetic: its questions, its warm start, and how a net is measured."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import need
from ponder.front import ask
from ponder.lm.organism import Organism
from ponder.organisms import chain
from ponder.organisms.characters import numbers
from ponder.organisms.shelf import find
from ponder.tasks import load as load_task
from ponder.tasks.base import Task

WARM = "chain-small"
METHODS = {
    "greedy": "sample(1, temperature=0.0)",
    "maj@5": "sample(5) | vote()",
    "SBS(1,5)": "step_beam_search(1, 5)",
    "SBS(3,5)": "step_beam_search(3, 5)",
    "MCTS": "tree_search(40)",
}
"""What is measured after every round, as methods of ponder."""


@dataclass(frozen=True)
class Size:
    """How large a loop is.

    Attributes:
        questions: to learn from.
        tested: other questions, to measure on.
        rounds, trees, simulations, epochs: as in `ponder.train.alpha.alpha_loop`.
        judged: questions whose samples, eight each, tell how well the value head knows right answers.
    """

    questions: int
    tested: int
    rounds: int = 3
    trees: int = 2
    simulations: int = 24
    epochs: int = 6
    judged: int = 150


@dataclass(frozen=True)
class Measured:
    """A net on the test questions.

    Attributes:
        right: by method, which questions it answered rightly, shape (tested,), 0 or 1.
        tokens: by method, generated tokens a question.
        auroc: of the value at the end of samples, right against wrong.
    """

    right: Mapping[str, np.ndarray]
    tokens: Mapping[str, float]
    auroc: float

    def accuracy(self, method: str) -> float:
        """Share of right answers."""
        return float(self.right[method].mean())


def warm_start(seed: int) -> Any:
    """The shipped policy with two more layers, which change nothing at first, and a value head that says 0. Without them the head cannot
    see what the last layer foretold, and judging a step takes comparing that with what was written."""
    net = need("ponder.train.net", "torch")
    base = net.load(find(WARM).path)
    return net.TorchNet(replace(base.shape, layers=base.shape.layers + 2, value=True), seed).take(base.tensors())


def training_questions(n: int, test: Task, seed: int) -> tuple[Any, Callable[[int, bytes], bool]]:
    """n questions as chains of 4 to 8 operations, none of them in the test, and the checker that alone knows their answers."""
    rng = np.random.default_rng([seed, 62])
    taken = {chain.canonical(p.question) for p in test.problems}
    made = chain.problems(2 * n, rng, rng.integers(4, chain.SLOTS + 1, 2 * n))
    fresh = [i for i, text in enumerate(chain.prompts(made)) if text not in taken][:n]
    tokens, answers, step = chain.encode(made)[fresh, : chain.PROMPT], made.answers[fresh], chain.STEP

    def check(question: int, written: bytes) -> bool:
        return bool(numbers(np.frombuffer(written[-step:-1], np.uint8).astype(np.int64)) == answers[question])

    return need("ponder.train.self_play", "torch").Questions(tokens, step, chain.SLOTS), check


def held_out(n: int, seed: int) -> Task:
    """The chain task's own problems, of a seed that training never draws from."""
    return load_task("chain", limit=n, seed=10_000 + seed)


def measured(net: Any, test: Task, size: Size, seed: int, methods: Mapping[str, str] = METHODS) -> Measured:
    """A net's answers by every method, asked as a user asks: the net is the model and its value head the reward model."""
    measure = need("ponder.train.measure", "torch")
    with tempfile.TemporaryDirectory() as folder:
        path = need("ponder.train.net", "torch").save(
            net, Path(folder) / "alpha.safetensors", facts={}, command="", about="", reward={"kind": "tanh"}
        )
        engine = Organism(str(path))

        def answered(method: str) -> tuple[np.ndarray, float]:
            with ThreadPoolExecutor(engine.concurrency) as pool:
                answers = list(
                    pool.map(lambda p: ask(p, method=method, model=engine, temperature=1.0, max_tokens=40, seed=seed), test.problems)
                )
            credit = [test.grade(p, a.value, a.text) for p, a in zip(test.problems, answers, strict=True)]
            return np.array(credit), float(np.mean([a.bill.tokens_out for a in answers]))

        found = {name: answered(method) for name, method in methods.items()}
    samples = measure.sampled(measure.forward(net), size.judged, 8, np.random.default_rng([seed, 4]))
    last = samples.live.sum(1) - 1
    values = measure.head(measure.forward(net), samples)[np.arange(size.judged), :, last]
    return Measured(
        {name: right for name, (right, _) in found.items()},
        {name: tokens for name, (_, tokens) in found.items()},
        measure.auroc(values.ravel(), samples.solved.ravel()),
    )
