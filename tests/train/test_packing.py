"""Packing: no token is lost, and no example sees another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from ponder.core.errors import InputError
from ponder.organisms.characters import ALPHABET
from ponder.train.data import behind, next_token, pack, surprise
from ponder.train.net import COMMON, Shape, TorchNet
from ponder.train.trainer import torch

ids = st.lists(st.integers(0, 17), min_size=0, max_size=6)
examples = st.lists(st.tuples(ids, ids).filter(lambda e: len(e[0]) + len(e[1]) >= 1), min_size=1, max_size=12)


@given(examples)
@settings(max_examples=100, deadline=None)
def test_every_token_is_there_once_in_its_place(given_examples: list[tuple[list[int], list[int]]]):
    batch = pack(given_examples, 12)
    assert batch.segments is not None
    assert batch.positions is not None
    found = []
    for row, segments in enumerate(batch.segments):
        for segment in range(segments.max() + 1):
            (places,) = np.nonzero(segments == segment)
            assert (np.diff(places) == 1).all()
            assert batch.positions[row, places].tolist() == list(range(len(places)))
            found.append((batch.tokens[row, places].tolist(), batch.learn[row, places].tolist()))
    expected = []
    for prompt, response in given_examples:
        learn = [0.0] * len(prompt) + [1.0] * len(response)
        expected.append(([*prompt, *response], [0.0, *learn[1:]]))
    assert sorted(found) == sorted(expected)
    assert not batch.learn[batch.segments < 0].any()


@given(examples)
@settings(max_examples=25, deadline=None)
def test_rows_are_at_most_half_empty_on_average(given_examples: list[tuple[list[int], list[int]]]):
    """First fit leaves at most one row that is no more than half full."""
    batch = pack(given_examples, 12)
    assert batch.segments is not None
    assert ((batch.segments >= 0).sum(1) <= 6).sum() <= 1


def random_net() -> TorchNet:
    net = TorchNet(Shape(16, 2, 2, 40, ALPHABET, "chain"), 1)
    rng = np.random.default_rng(2)
    return net.take({name: rng.normal(0, 0.4, t.shape) for name, t in net.tensors().items()})


def test_packing_changes_no_loss():
    rng = np.random.default_rng(3)
    made = [(rng.integers(0, 18, 1 + i % 5).tolist(), rng.integers(0, 18, 1 + (3 * i) % 7).tolist()) for i in range(15)]
    net = random_net()
    batch = pack(made, 24)
    assert len(batch.tokens) < len(made)
    apart = [float(next_token(net, pack([one], len(one[0]) + len(one[1]))).detach()) * len(one[1]) for one in made]
    assert float(next_token(net, batch).detach()) == pytest.approx(sum(apart) / sum(len(r) for _, r in made), abs=1e-5)


def test_attention_never_leaves_an_example():
    net = random_net()
    batch = pack([([1, 2], [3, 4]), ([5, 6], [7, 8])], 8)
    assert len(batch.tokens) == 1
    assert batch.positions is not None
    assert batch.segments is not None

    def states(tokens: np.ndarray) -> np.ndarray:
        positions, segments = torch.from_numpy(batch.positions), torch.from_numpy(batch.segments)
        return net(torch.from_numpy(tokens), positions=positions, segments=segments).detach().numpy()

    changed = batch.tokens.copy()
    changed[0, :4] = [9, 9, 9, 9]
    assert np.array_equal(states(batch.tokens)[0, 4:], states(changed)[0, 4:])
    assert not np.allclose(states(batch.tokens)[0, :4], states(changed)[0, :4])


def test_examples_that_do_not_fit_are_refused():
    for wrong in ([], [([], [])], [([1] * 9, [])]):
        with pytest.raises(InputError, match="1 to 8 tokens"):
            pack(wrong, 8)


shared = st.lists(st.tuples(ids, st.lists(st.tuples(ids.filter(bool), ids), min_size=1, max_size=3)), min_size=1, max_size=4)


@given(shared, st.integers(7, 9))
@settings(max_examples=25, deadline=None)
def test_examples_behind_a_beginning_are_as_if_each_stood_there_alone(rows, place: int):
    """The loss of a row is that of its examples, one at a time behind its beginning."""
    weighted = [(start, [(p, r, [1.0 + i for i in range(len(r))]) for p, r in own]) for start, own in rows]
    one_by_one = [(start, [example]) for start, own in weighted for example in own]
    net = TorchNet(Shape(8, 2, 2, 24, ALPHABET, "chain"), 3)
    with torch.no_grad():
        net.head.normal_(generator=torch.Generator().manual_seed(0))  # pyright: ignore[reportOptionalMemberAccess]
        together, alone = (float(surprise(net, behind(given_rows, place)).sum()) for given_rows in (weighted, one_by_one))
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-4)


def test_a_beginning_can_be_learnt_and_a_row_needs_an_example():
    batch = behind([([1, 2, 3], [([4], [5], [2.0])]), ([], [([6], [7, 8], [1.0, 0.5])])], weight=0.25)
    assert batch.learn.tolist() == [[0, 0.25, 0.25, 0, 2], [0, 1, 0.5, 0, 0]]
    assert batch.first == 1
    assert batch.segments is not None
    assert batch.segments.tolist() == [[COMMON] * 3 + [0, 0], [0, 0, 0, -1, -1]]
    with pytest.raises(InputError):
        behind([([1], [])])
    with pytest.raises(InputError):
        behind([([1], [([], [2], [1.0])])])
