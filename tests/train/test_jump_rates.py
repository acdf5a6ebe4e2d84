"""The recipe of the network for rates: what it trains on, and that its file is what the module computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ponder.prob.markov_jump import JumpPrior, RateNetwork
from ponder.train.catalog import make
from ponder.train.jump_rates import JumpRun, TorchRates, batches, loss, trained
from ponder.train.recipes import Made

SMALL = JumpRun(JumpPrior(2, 3, (0.0,)), paths=(4, 8), points=(10, 12), steps=40, hidden=8, queries=2, width=16, load=160)


def test_a_short_run_writes_a_file_that_says_what_it_is(tmp_path: Path) -> None:
    (path,) = make(Made("jump-rates", tmp_path, seed=3, steps=2, quiet=True))
    network = RateNetwork.load(path)
    assert network.command == "python -m ponder.train jump-rates --out DIR --seed 3 --steps 2"
    assert network.facts["run_steps"] == 2
    assert network.most_states == 6
    assert 10_000 < path.stat().st_size < 4_000_000


def test_numpy_and_torch_say_the_same():
    net, tasks = TorchRates(SMALL, 0), batches(SMALL, 1)(0)
    network = RateNetwork({name: t.detach().numpy() for name, t in net.state_dict().items()}, {"most_states": 3}, "")
    longest = tasks.times.max(axis=(1, 2), keepdims=True)
    with torch.no_grad():
        theirs = net(tasks.times / longest, tasks.states, int(tasks.n_states[0]))
    lengths = np.full(tasks.states.shape[1], tasks.states.shape[2])
    for k in range(3):
        ours = network.heads(tasks.times[k] / longest[k], tasks.states[k], lengths, int(tasks.n_states[k]))
        for a, b in zip(ours, theirs, strict=True):
            assert a == pytest.approx(b[k].numpy(), abs=1e-5)


def test_batches_are_a_function_of_the_step_and_training_learns():
    first, again = batches(SMALL, 5)(7), batches(SMALL, 5)(7)
    assert first.states.tolist() == again.states.tolist()
    assert {batches(SMALL, 5)(step).rates.shape[1] for step in range(12)} == {2, 3}
    held = batches(SMALL, 99)(0)
    fresh = TorchRates(SMALL, 0)
    network = trained(SMALL, 0, quiet=True)
    learnt = TorchRates(SMALL, 0)
    learnt.load_state_dict({name: torch.as_tensor(t) for name, t in network.tensors.items()})
    with torch.no_grad():
        assert float(loss(learnt, held)) < float(loss(fresh, held)) - 1
