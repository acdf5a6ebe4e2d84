"""The smallest trainer: a net, a loss and batches that are a function of the step; it can be killed at any step and go on as if not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import EngineError, InputError, need
from ponder.train.muon import Muon
from ponder.train.net import TorchNet
from ponder.train.schedules import Schedule, constant_then_linear

torch: Any = need("torch", "torch")

PATIENCE = 2.0
"""Seconds after which progress is shown."""


@dataclass(frozen=True)
class Plan:
    """How a net is trained.

    Attributes:
        steps: updates of a whole run; the schedule spans them.
        matrix_rate: Muon's learning rate, for the matrices of the blocks.
        other_rate: AdamW's learning rate, for embeddings, norms and heads.
        schedule: the share of both rates at every step.
        every: steps between evaluations and between checkpoints.
    """

    steps: int
    matrix_rate: float = 0.02
    other_rate: float = 4e-3
    schedule: Schedule = field(default_factory=constant_then_linear)
    every: int = 25

    def __post_init__(self) -> None:
        if self.steps < 1 or self.every < 1 or min(self.matrix_rate, self.other_rate) < 0:
            raise InputError(f"a plan needs steps and every of at least 1 and rates of at least 0, not {self}")


@dataclass(frozen=True)
class Record:
    """One evaluation: after how many steps, the mean loss since the last one, and the figures of the evaluation hook."""

    step: int
    loss: float
    figures: Mapping[str, float]


def train(
    net: TorchNet,
    batches: Callable[[int], Any],
    loss: Callable[[TorchNet, Any], Any],
    plan: Plan,
    *,
    evaluate: Callable[[TorchNet, int], Mapping[str, float]] | None = None,
    until: Callable[[Record], bool] | None = None,
    checkpoint: str | Path | None = None,
    quiet: bool = False,
) -> list[Record]:
    """Train a net in place; returns the evaluations.

    Block matrices learn with Muon (Jordan et al. 2024), all other weights with AdamW. Batches are a function of the step, so
    nothing but weights and optimiser state needs to be kept: a resumed run ends with the same bits as an unbroken one (on one thread).

    Args:
        net: what is trained.
        batches: the batch of a step; draws must come from the step's number, for example from `np.random.default_rng((seed, step))`.
        loss: the loss of a batch, a scalar tensor.
        plan: steps, rates, schedule.
        evaluate: figures of the net after so many steps, asked every `plan.every` steps and at the end.
        until: an early end: training stops at the first evaluation for which it is true.
        checkpoint: a folder. State is written there at every evaluation, and a run whose folder holds state goes on from it.
        quiet: no progress bar.

    Raises:
        EngineError: the checkpoint is damaged or of another net, or the loss is not finite.
    """
    optimisers = _optimisers(net, plan)
    records: list[Record] = []
    step, folder = 0, Path(checkpoint) if checkpoint is not None else None
    if folder is not None and (folder / "state.json").exists():
        step, records = _restore(folder, net, optimisers)
    losses: list[float] = []
    net.train()
    with _Progress(plan.steps, quiet) as progress:
        while step < plan.steps and not (records and until and until(records[-1])):
            value = loss(net, batches(step))
            value.backward()
            _update(optimisers, plan.schedule(step, plan.steps))
            losses.append(float(value.detach()))
            step += 1
            if not np.isfinite(losses[-1]):
                raise EngineError(f"the loss is {losses[-1]} at step {step}: lower the learning rates")
            if step % plan.every == 0 or step == plan.steps:
                figures = {} if evaluate is None else dict(evaluate(net, step))
                records.append(Record(step, float(np.mean(losses)), figures))
                losses.clear()
                if folder is not None:
                    _keep(folder, step, records, net, optimisers)
            progress.show(step, losses or [records[-1].loss], records)
    return records


def _optimisers(net: TorchNet, plan: Plan) -> list[tuple[Any, float]]:
    """Optimisers with their full rates."""
    matrices = [p for p in net.layers.parameters() if p.ndim == 2]
    known = {id(p) for p in matrices}
    others = [p for p in net.parameters() if id(p) not in known]
    muon = Muon(matrices, plan.matrix_rate)
    adam = torch.optim.AdamW(others, lr=plan.other_rate, betas=(0.9, 0.98), weight_decay=0.0)
    return [(muon, plan.matrix_rate), (adam, plan.other_rate)]


def _update(optimisers: list[tuple[Any, float]], share: float) -> None:
    for optimiser, rate in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate * share
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def _state(net: TorchNet, optimisers: list[tuple[Any, float]]) -> dict[str, Any]:
    """All tensors that the next step depends on, by name."""
    tensors = {f"net.{name}": p.detach() for name, p in net.named_parameters()}
    for i, (optimiser, _) in enumerate(optimisers):
        for j, entry in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{j}.{name}": torch.as_tensor(value) for name, value in entry.items()}
    return {name: t.contiguous().clone() for name, t in tensors.items()}


def _keep(folder: Path, step: int, records: list[Record], net: TorchNet, optimisers: list[tuple[Any, float]]) -> None:
    """Write a checkpoint. The JSON names the tensors' file and is replaced last, so a kill leaves the old or the new one whole."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{step}.safetensors"
    need("safetensors.torch", "torch").save_file(_state(net, optimisers), folder / name)
    state = {"step": step, "tensors": name, "records": [[r.step, r.loss, dict(r.figures)] for r in records]}
    part = folder / "state.json.part"
    part.write_text(json.dumps(state))
    part.replace(folder / "state.json")
    for old in folder.glob("step-*.safetensors"):
        if old.name != name:
            old.unlink()


def _restore(folder: Path, net: TorchNet, optimisers: list[tuple[Any, float]]) -> tuple[int, list[Record]]:
    try:
        state = json.loads((folder / "state.json").read_text())
        tensors = need("safetensors.torch", "torch").load_file(folder / state["tensors"])
        with torch.no_grad():
            for name, p in net.named_parameters():
                p.copy_(tensors[f"net.{name}"])
        for i, (optimiser, _) in enumerate(optimisers):
            blank = optimiser.state_dict()
            entries: dict[int, dict[str, Any]] = {}
            for name, value in tensors.items():
                if name.startswith(f"optimiser.{i}."):
                    entries.setdefault(int(name.split(".")[2]), {})[name.split(".")[3]] = value
            optimiser.load_state_dict({"state": entries, "param_groups": blank["param_groups"]})
        return int(state["step"]), [Record(int(s), float(x), f) for s, x, f in state["records"]]
    except Exception as error:
        raise EngineError(f"the checkpoint in {folder} cannot be used for this net: {error}") from error


class _Progress:
    """A progress bar on standard error, for runs that take longer than `PATIENCE`."""

    def __init__(self, steps: int, quiet: bool) -> None:
        self._steps, self._quiet, self._start = steps, quiet, time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, step: int, losses: list[float], records: list[Record]) -> None:
        if self._quiet or time.monotonic() - self._start < PATIENCE:
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(*Progress.get_default_columns(), console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=self._steps)
            self._bar.start()
        last = "".join(f", {name} {value:.3f}" for name, value in records[-1].figures.items()) if records else ""
        self._bar.update(self._task, completed=step, description=f"loss {losses[-1]:.4f}{last}")
