"""The trainer: it learns, it can be killed at any step, it stops when told to, and it says what is wrong with a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.core.errors import EngineError, InputError
from ponder.organisms.characters import ALPHABET
from ponder.train.data import Batch, fixed, next_token
from ponder.train.muon import orthogonalised
from ponder.train.net import Shape, TorchNet
from ponder.train.runs import fresh
from ponder.train.trainer import Plan, Record, torch, train

SHAPE = Shape(16, 2, 2, 60, ALPHABET, "chain")


class Killed(Exception):
    """Stands for a kill."""


def same(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_the_loss_falls():
    records = train(TorchNet(SHAPE, 1), fresh("chain", 8, 1), next_token, Plan(40, every=10), quiet=True)
    assert [r.step for r in records] == [10, 20, 30, 40]
    assert records[-1].loss < records[0].loss - 0.3


@pytest.mark.parametrize("kill_at", [3, 4, 5, 9])
def test_a_killed_run_ends_with_the_same_bits(tmp_path: Path, kill_at: int):
    plan, batches = Plan(10, every=4), fresh("chain", 4, 2)
    whole = TorchNet(SHAPE, 2)
    expected = train(whole, batches, next_token, plan, quiet=True)

    def killed(step: int) -> Batch:
        if step == kill_at:
            raise Killed
        return batches(step)

    with pytest.raises(Killed):
        train(TorchNet(SHAPE, 2), killed, next_token, plan, checkpoint=tmp_path, quiet=True)
    again = TorchNet(SHAPE, 2)
    records = train(again, batches, next_token, plan, checkpoint=tmp_path, quiet=True)
    assert same(whole.tensors(), again.tensors())
    assert records == expected


def test_a_finished_run_is_not_trained_on(tmp_path: Path):
    plan, batches = Plan(4, every=2), fresh("chain", 4, 2)
    net = TorchNet(SHAPE, 2)
    records = train(net, batches, next_token, plan, checkpoint=tmp_path, quiet=True)

    def no_more(step: int) -> Any:
        raise AssertionError(f"step {step} was asked for")

    again = TorchNet(SHAPE, 5)
    assert train(again, no_more, next_token, plan, checkpoint=tmp_path, quiet=True) == records
    assert same(net.tensors(), again.tensors())


def test_it_stops_at_the_first_evaluation_that_reaches_the_target():
    def evaluate(net: TorchNet, step: int) -> dict[str, float]:
        return {"reached": float(step >= 4)}

    def until(record: Record) -> bool:
        return record.figures["reached"] > 0

    records = train(TorchNet(SHAPE), fresh("chain", 2, 0), next_token, Plan(10, every=2), evaluate=evaluate, until=until, quiet=True)
    assert [r.step for r in records] == [2, 4]


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path: Path):
    plan, batches = Plan(2, every=2), fresh("chain", 2, 0)
    train(TorchNet(SHAPE), batches, next_token, plan, checkpoint=tmp_path, quiet=True)
    other = TorchNet(Shape(8, 2, 2, 60, ALPHABET, "chain"))
    with pytest.raises(EngineError, match="cannot be used for this net"):
        train(other, batches, next_token, plan, checkpoint=tmp_path, quiet=True)
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(EngineError, match="cannot be used"):
        train(TorchNet(SHAPE), batches, next_token, plan, checkpoint=tmp_path, quiet=True)


def test_a_loss_that_is_not_finite_stops_the_run():
    def loss(net: TorchNet, batch: Batch) -> Any:
        return next_token(net, batch) * float("nan")

    with pytest.raises(EngineError, match="lower the learning rates"):
        train(TorchNet(SHAPE), fresh("chain", 2, 0), loss, Plan(2), quiet=True)


def test_plans_are_checked():
    for wrong in ({"steps": 0}, {"steps": 1, "every": 0}, {"steps": 1, "matrix_rate": -1.0}):
        with pytest.raises(InputError):
            Plan(**wrong)


def test_orthogonalised_pushes_all_singular_values_towards_one():
    """The quintic's fixed band is about [0.68, 1.13] (Jordan et al. 2024)."""
    for shape in ((24, 24), (32, 8), (8, 32)):
        matrix = torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))
        values = np.linalg.svd(orthogonalised(matrix, 10).numpy(), compute_uv=False)
        assert values.min() > 0.6
        assert values.max() < 1.25


def test_only_what_is_marked_is_learnt():
    tokens = np.array([[1, 2, 3, 4, 0, 0]])
    batch = fixed(tokens, prompt=2)
    assert batch.learn.tolist() == [[0, 0, 1, 1, 0, 0]]
    net = TorchNet(SHAPE, 1)
    net.take({"head": np.random.default_rng(0).normal(size=(len(ALPHABET), 16))})
    logits = net.logits(net(torch.from_numpy(tokens))).detach().numpy().astype(float)[0]
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    assert float(next_token(net, batch).detach()) == pytest.approx(-(logp[1, 3] + logp[2, 4]) / 2, abs=1e-5)
