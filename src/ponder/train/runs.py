"""Runs that make policies: next-token training on fresh problems of a grammar, with a weights file kept at every evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import need
from ponder.organisms import chain, countdown
from ponder.train.data import Batch, fixed, next_token, surprise
from ponder.train.net import Shape, TorchNet, save
from ponder.train.trainer import Plan, Record, train

torch: Any = need("torch", "torch")

HELD_OUT = 99
"""Seed of the problems that runs are watched on; training draws from (seed, step) and never meets it."""


@dataclass(frozen=True)
class PolicyRun:
    """How a policy is made.

    Attributes:
        grammar: "chain" or "countdown".
        d, layers, heads: size of the net.
        steps: of the whole run.
        target: estimated pass@1 at which a checkpoint becomes the policy.
        whole: whether to train on after that; later checkpoints are better verifiers.
        rows: problems a step; no problem is met twice on purpose, so what errors remain are draws and not memories.
    """

    grammar: str
    d: int
    layers: int
    heads: int
    steps: int
    target: float
    whole: bool = False
    rows: int = 96


def make(grammar: str, n: int, rng: np.random.Generator, lengths: Any = None) -> Any:
    """n fresh problems of a grammar; `lengths` is for chains."""
    return chain.problems(n, rng, lengths) if grammar == "chain" else countdown.problems(n, rng)


def encode(grammar: str, made: Any) -> np.ndarray:
    """Problems with a reference response each as rows of tokens."""
    return chain.encode(made) if grammar == "chain" else countdown.encode(made)


def prompt_length(grammar: str) -> int:
    """Tokens of every prompt of a grammar."""
    return chain.PROMPT if grammar == "chain" else countdown.PROMPT


def fresh(grammar: str, rows: int, seed: int) -> Callable[[int], Batch]:
    """Batches of fresh problems, a function of the step."""
    return lambda step: fixed(encode(grammar, make(grammar, rows, np.random.default_rng((seed, step)))), prompt_length(grammar))


def estimate(grammar: str, n: int = 512) -> Callable[[TorchNet, int], dict[str, float]]:
    """An evaluation without sampling: the mean probability of the reference response on held-out problems (chains of 4 to 8 operations).
    For chains that is the chance that every step is right; for countdown, which has several right answers, a lower bound of pass@1."""
    rng = np.random.default_rng(HELD_OUT)
    lengths = rng.integers(4, 9, n) if grammar == "chain" else None
    batch = fixed(encode(grammar, make(grammar, n, rng, lengths)), prompt_length(grammar))

    @torch.no_grad()
    def evaluate(net: TorchNet, step: int) -> dict[str, float]:
        return {"pass": float(torch.exp(-surprise(net, batch).sum(1)).mean())}

    return evaluate


def run(spec: PolicyRun, folder: Path, seed: int, quiet: bool = False, every: int = 25) -> tuple[TorchNet, list[Record]]:
    """Train a policy. Checkpoints from 40% of the run on are kept as `folder/step-NNNN.safetensors`; a killed run goes on where it was.

    Args:
        spec: what to train.
        folder: where checkpoints go.
        seed: of the initial weights and the problems.
        quiet: no progress bar.
        every: steps between evaluations.
    """
    length = encode(spec.grammar, make(spec.grammar, 1, np.random.default_rng(0))).shape[1]
    net = TorchNet(Shape(spec.d, spec.layers, spec.heads, length, chain.ALPHABET, spec.grammar), seed)
    measure = estimate(spec.grammar)

    def evaluate(net: TorchNet, step: int) -> dict[str, float]:
        if step > 0.4 * spec.steps:
            save(net, snapshot(folder, step), facts={}, command="", about="")
        return measure(net, step)

    def reached(record: Record) -> bool:
        return not spec.whole and record.figures["pass"] >= spec.target

    data = fresh(spec.grammar, spec.rows, seed)
    plan = Plan(spec.steps, every=every)
    return net, train(net, data, next_token, plan, evaluate=evaluate, until=reached, checkpoint=folder / "state", quiet=quiet)


def snapshot(folder: Path, step: int) -> Path:
    """Where a run keeps its checkpoint of a step."""
    return folder / f"step-{step:04d}.safetensors"


def first_reaching(records: list[Record], target: float) -> int:
    """The step of the first evaluation that reaches a target; the last step if none does."""
    return next((r.step for r in records if r.figures["pass"] >= target), records[-1].step)
