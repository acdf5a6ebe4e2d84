"""Judged rows, the losses of value heads, judges with layers of their own, and the figures of self-evaluation."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ponder.core.errors import InputError
from ponder.organisms import chain
from ponder.organisms.characters import ALPHABET
from ponder.train import measure
from ponder.train.data import epochs
from ponder.train.heads import Judged, at_steps, cross_entropy, judge, squared_error
from ponder.train.judges import calibration_error, self_evaluation_figures, win_or_tie
from ponder.train.net import Shape, TorchNet
from ponder.train.trainer import Plan, train


def random_net(value: bool = False) -> TorchNet:
    net = TorchNet(Shape(8, 2, 2, 60, ALPHABET, "chain", head=not value, value=value), seed=1)
    rng = np.random.default_rng(5)
    return net.take({k: rng.normal(0, 0.4, v.shape) for k, v in net.tensors().items()})


def samples(solved: list[list[bool]]) -> measure.Samples:
    """Samples whose outcomes are given; their tokens are right responses."""
    n, count = np.shape(solved)
    chains = chain.problems(n, np.random.default_rng(1), np.arange(n) % 5 + 4)
    tokens = chain.encode(chains)
    responses = np.repeat(tokens[:, None, chain.PROMPT :], count, 1)
    made = measure.labelled_chains(chains, tokens[:, : chain.PROMPT], responses)
    return measure.Samples(made.prompts, made.responses, made.right, made.live, np.array(solved))


def test_labels_stand_at_the_last_token_of_each_live_step():
    made = samples([[True, False], [False, True]])
    judged = at_steps(made, made.solved[..., None])
    for row, (tokens, targets) in enumerate(zip(judged.tokens, judged.targets, strict=True)):
        asked = np.flatnonzero(~np.isnan(targets))
        assert "".join(ALPHABET[t] for t in tokens[asked]) == ";" * (3 + row // 2) + "\n"
        assert set(targets[asked]) == {float(made.solved.ravel()[row])}


def test_losses_are_those_of_their_formulas_at_the_asked_tokens_only():
    net, made = random_net(value=True), samples([[True, False], [False, True]])
    judged = at_steps(made, made.solved[..., None])
    with torch.no_grad():
        said = net.values(net(torch.from_numpy(judged.tokens))).numpy()
        asked = ~np.isnan(judged.targets)
        x, y = said[asked].astype(float), judged.targets[asked].astype(float)
        p = 1 / (1 + np.exp(-x))
        assert float(cross_entropy(net, judged)) == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), abs=1e-5)
        assert float(squared_error(net, judged)) == pytest.approx(np.mean((np.tanh(x) - y) ** 2), abs=1e-5)


def test_rows_without_a_question_or_of_another_shape_are_refused():
    with pytest.raises(InputError, match="at least one of them a number"):
        Judged(np.zeros((2, 3), np.int64), np.full((2, 3), np.nan, np.float32))
    with pytest.raises(InputError, match="shape"):
        Judged(np.zeros((2, 3), np.int64), np.zeros((2, 4), np.float32))


def test_new_layers_of_a_judge_change_nothing_at_first():
    policy = random_net()
    made = judge(policy, 2)
    tokens = torch.from_numpy(chain.encode(chain.problems(3, np.random.default_rng(2))))
    with torch.no_grad():
        assert torch.allclose(made(tokens), policy(tokens), atol=1e-5)
        assert not made.values(made(tokens)).any()
    assert (made.shape.layers, made.head) == (4, None)


def test_epochs_show_every_row_once_before_any_twice_and_depend_on_the_step_alone():
    rows = Judged(np.arange(10)[:, None], np.zeros((10, 1), np.float32))
    batch = epochs(rows, 5, seed=3)
    orders = [np.concatenate([batch(2 * e).tokens, batch(2 * e + 1).tokens]).ravel() for e in range(3)]
    assert all(sorted(o) == list(range(10)) for o in orders)
    assert list(orders[0]) != list(orders[1])
    assert np.array_equal(batch(4).tokens, epochs(rows, 5, seed=3)(4).tokens)
    with pytest.raises(InputError, match="1 to 10 rows, not 11"):
        epochs(rows, 11, seed=3)


def test_a_head_learns_what_a_token_tells():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 18, (64, 4))
    targets = np.full((64, 4), np.nan, np.float32)
    targets[:, 3] = tokens[:, 2] >= 9
    net = judge(random_net(), 1)
    records = train(net, epochs(Judged(tokens, targets), 32, 1), cross_entropy, Plan(60, 0.02, 0.02, every=30), quiet=True)
    assert records[-1].loss < 0.3 < records[0].loss


def test_a_right_answer_always_wins_or_ties_and_a_wrong_one_ties_with_a_wrong_one():
    made = samples([[True, False, False], [False, False, False], [True, True, True]])
    assert win_or_tie(made).tolist() == [[True, True, False], [True] * 3, [True] * 3]


def test_calibration_error_of_what_is_calibrated_and_of_what_is_not():
    labels = np.array([True, False, True, True])
    assert calibration_error(np.array([0.75] * 4), labels) == pytest.approx(0)
    assert calibration_error(np.array([0.5] * 4), labels) == pytest.approx(0.25)
    assert calibration_error(np.array([1.0, 0.0, 0.95, 0.45]), labels) == pytest.approx((0.05 + 0.55) / 4)


def test_self_evaluation_is_measured_on_whole_solutions_and_on_halves():
    made = samples([[True, False, True, False]] * 10)
    scores = np.zeros((10, 4, 8))
    last = np.arange(10) % 5 + 3
    half = (last + 2) // 2 - 1
    for i in range(10):
        scores[i, :, last[i]] = np.where(made.solved[i], 3.0, -3.0)
        scores[i, :, half[i]] = -scores[i, :, last[i]]
    figures = self_evaluation_figures(scores, made)
    assert figures["auroc_finished_within"] == 1
    assert figures["auroc_half_within"] == 0
    assert figures["auroc_finished"] == 1  # the next sample of a wrong one is right: a loss
