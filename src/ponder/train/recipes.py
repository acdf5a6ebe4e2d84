"""The recipes of the organisms that ponder ships: `python -m ponder.train NAME --out DIR`.

A recipe writes one or more weights files, each with the command that made it and the figures it was measured to have. Problems that a
recipe measures on are drawn with seeds of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ponder.organisms.shelf import find
from ponder.train import measure
from ponder.train.measure import Samples
from ponder.train.net import TorchNet, load, save
from ponder.train.runs import PolicyRun, first_reaching, run, snapshot
from ponder.train.trainer import Record

TESTED = 12345
"""Seed of the problems and samples that figures are measured on."""
FITTED = 54321
"""Seed of the samples that a verifier's slope and offset are fitted on."""
FLIPPED = 0.1
"""Share of step labels turned round before fitting."""
LADDER = (0.87, 0.90, 0.94, 0.97)
"""AUROC of steps within a problem that the rungs of the chain verifiers are chosen to be nearest to."""

POLICIES = {
    "chain-small": PolicyRun("chain", 72, 3, 4, steps=1200, target=0.27),
    "chain": PolicyRun("chain", 96, 3, 4, steps=1400, target=0.37, whole=True),
    "chain-large": PolicyRun("chain", 160, 4, 4, steps=1200, target=0.47),
    "countdown": PolicyRun("countdown", 96, 3, 4, steps=1200, target=0.20, whole=True),
}


@dataclass(frozen=True)
class Made:
    """What a recipe was asked for: where files go, the seed, a number of steps instead of the recipe's own, and whether to be quiet."""

    name: str
    out: Path
    seed: int
    steps: int | None = None
    quiet: bool = False

    @property
    def command(self) -> str:
        """The command that makes the same files."""
        return f"python -m ponder.train {self.name} --out DIR --seed {self.seed}" + (f" --steps {self.steps}" if self.steps else "")

    @property
    def folder(self) -> Path:
        """Where the run keeps its state, so that it can be killed and go on."""
        return self.out / "runs" / f"{self.name}-{self.seed}"

    def path(self, name: str) -> Path:
        return self.out / f"{name}.safetensors"


def base(out: Path, name: str) -> Path:
    """The organism that a recipe builds on: the one in `out`, else the shipped one.

    Raises:
        InputError: there is neither.
    """
    made = out / f"{name}.safetensors"
    return made if made.exists() else find(name).path


def policy(asked: Made) -> list[Path]:
    """A policy, the first checkpoint of its run that reaches its target, and the verifiers that later checkpoints are."""
    spec = POLICIES[asked.name]
    spec = replace(spec, steps=asked.steps or spec.steps)
    _, records = run(spec, asked.folder, asked.seed, asked.quiet)
    step = first_reaching(records, spec.target)
    net = load(snapshot(asked.folder, step))
    tested = measure.sampled(measure.forward(net), 300, 32, np.random.default_rng(TESTED))
    facts = measure.policy_figures(tested) | _trained(net, spec, records, step)
    about = f"writes {'chains of arithmetic' if spec.grammar == 'chain' else 'countdown solutions'}, {net.count() / 1e6:.2f}M weights"
    files = [save(net, asked.path(asked.name), facts=facts, command=asked.command, about=about)]
    return files + (_verifiers(asked, spec, records, step, net, tested) if spec.whole else [])


def _trained(net: TorchNet, spec: PolicyRun, records: Sequence[Record], step: int) -> dict[str, Any]:
    watched = {r.step: r.figures["pass"] for r in records}
    return {"weights": net.count(), "step": step, "run_steps": spec.steps, "watched_pass@1": round(watched[step], 4)}


def _verifiers(asked: Made, spec: PolicyRun, records: Sequence[Record], step: int, net: TorchNet, tested: Samples) -> list[Path]:
    """Checkpoints of a run from a little before the policy on, read as verifiers of its steps."""
    fit_on = measure.sampled(measure.forward(net), 800, 2, np.random.default_rng(FITTED))
    later = [r.step for r in records if step - 50 <= r.step and snapshot(asked.folder, r.step).exists()]
    if spec.grammar == "countdown":
        rungs = {"countdown-reward": later[-1]}
        scored = {later[-1]: verifier(snapshot(asked.folder, later[-1]), fit_on, tested)}
    else:
        scored = {s: verifier(snapshot(asked.folder, s), fit_on, tested) for s in later}
        rungs = {f"chain-reward-{i + 1}": s for i, s in enumerate(nearest({s: f["auroc_step_within"] for s, (_, f) in scored.items()}))}
    files: list[Path] = []
    for name, s in rungs.items():
        reward, figures = scored[s]
        judge = load(snapshot(asked.folder, s))
        facts = figures | {"policy": asked.name, "policy_step": step} | _trained(judge, spec, records, s)
        which = f"{asked.name} itself" if s == step else f"a checkpoint {abs(s - step)} steps {'later' if s > step else 'earlier'}"
        about = f"judges the steps of {asked.name} by the probability that {which} gives them"
        files.append(save(judge, asked.path(name), facts=facts, command=asked.command, about=about, reward=reward))
    return files


def verifier(path: Path, fit_on: Samples, tested: Samples) -> tuple[dict[str, Any], dict[str, Any]]:
    """A checkpoint read as a verifier by likelihood: its `reward` and its figures.

    Args:
        path: the checkpoint.
        fit_on: samples of the policy for slope and offset.
        tested: other samples of it.
    """
    net = measure.forward(load(path))
    live = np.broadcast_to(fit_on.live[:, None], fit_on.right.shape)
    scores = measure.logit(measure.log_probability(net, fit_on))[live]
    a, b = measure.fitted(scores, fit_on.right[live], FLIPPED, np.random.default_rng(FITTED))
    figures = measure.verifier_figures(a * measure.logit(measure.log_probability(net, tested)) + b, tested)
    size = {"problems": len(tested.prompts), "samples": tested.solved.shape[1], "labels_flipped": FLIPPED}
    return {"kind": "likelihood", "a": round(a, 4), "b": round(b, 4)}, figures | size


def nearest(figures: dict[int, float]) -> list[int]:
    """For each rung of `LADDER` the step whose figure is nearest, every step once, in rising order of the figure."""
    left, chosen = dict(figures), []
    for target in LADDER[: len(figures)]:
        chosen.append(min(left, key=lambda s: (abs(left[s] - target), s)))
        left.pop(chosen[-1])
    return sorted(chosen, key=lambda s: (figures[s], s))
