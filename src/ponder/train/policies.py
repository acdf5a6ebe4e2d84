"""Training runs of policies: fresh problems every step, and a snapshot at every evaluation, from which policies and verifiers are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import need
from ponder.organisms import chain, countdown
from ponder.organisms.characters import ALPHABET
from ponder.train import net as nets
from ponder.train.data import Batch, fixed, next_token, surprise
from ponder.train.net import Shape, TorchNet
from ponder.train.trainer import Plan, Record, train

torch: Any = need("torch", "torch")

HELD_OUT = 512
"""Problems on which a run estimates pass@1."""
_HELD_OUT_SEED = 99


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        records: the evaluations; the figure `pass@1` is the mean probability of the reference response.
        folder: holds `step-N.safetensors`, the net after N steps, for every evaluation.
    """

    records: list[Record]
    folder: Path

    def step_reaching(self, target: float) -> int:
        """The first evaluated step whose estimated pass@1 reaches `target`; the best one if none does."""
        for record in self.records:
            if record.figures["pass@1"] >= target:
                return record.step
        return max(self.records, key=lambda r: r.figures["pass@1"]).step

    def net(self, step: int) -> TorchNet:
        """The net after `step` steps."""
        return nets.load(self.folder / f"step-{step}.safetensors")


def chain_batch(n: int, rng: np.random.Generator, lengths: Any = None) -> Batch:
    """n random chains with their right responses."""
    return fixed(chain.encode(chain.problems(n, rng, lengths)), chain.PROMPT)


def countdown_batch(n: int, rng: np.random.Generator) -> Batch:
    """n random countdown problems, each with the solution it was made from."""
    return fixed(countdown.encode(countdown.problems(n, rng)), countdown.PROMPT)


def shape(grammar: str, d: int, layers: int, heads: int) -> Shape:
    """The shape of an organism's policy."""
    return Shape(d, layers, heads, {"chain": chain, "countdown": countdown}[grammar].LENGTH, ALPHABET, grammar)


def held_out(grammar: str) -> Batch:
    """Problems that no run trains on: chains of 4 to 8 operations, or countdown problems."""
    rng = np.random.default_rng(_HELD_OUT_SEED)
    return chain_batch(HELD_OUT, rng, rng.integers(4, 9, HELD_OUT)) if grammar == "chain" else countdown_batch(HELD_OUT, rng)


def run(
    size: Shape,
    folder: Path,
    *,
    seed: int,
    steps: int,
    batch: int = 96,
    until: Callable[[Record], bool] | None = None,
    quiet: bool = False,
) -> Run:
    """Train a policy. Killed runs go on where they were.

    The estimate of pass@1 costs no sampling: the mean, over held-out problems, of the probability that a sample at temperature 1
    is the reference response. For chains, where there is one right response, that is pass@1 up to answers that are right by luck;
    for countdown, which has several, it is a lower bound.

    Args:
        size: of the net.
        folder: for snapshots and the checkpoint.
        seed: of the initial weights and of the problems.
        steps: updates.
        batch: problems of one update.
        until: an early end.
        quiet: no progress bar.
    """
    net, test = TorchNet(size, seed), held_out(size.grammar)
    make = chain_batch if size.grammar == "chain" else countdown_batch

    def evaluate(net: TorchNet, step: int) -> Mapping[str, float]:
        nets.save(net, folder / f"step-{step}.safetensors", facts={}, command="", about="a snapshot")
        with torch.no_grad():
            return {"pass@1": float(torch.exp(-surprise(net, test).sum(1)).mean())}

    def batches(step: int) -> Batch:
        return make(batch, np.random.default_rng((seed, step)))

    records = train(
        net, batches, next_token, Plan(steps), evaluate=evaluate, until=until, checkpoint=folder / "checkpoint", quiet=quiet
    )
    return Run(records, folder)
