"""The net computes what its definition says, in one piece or in many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.organisms.random_nets import by_loops, net, tensors

from ponder.core.errors import EngineError, InputError


def same(a: np.ndarray, b: np.ndarray) -> None:
    """Float32 on nets whose states are of the order of 1."""
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def texts(rows: int, length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 18, (rows, length))


@pytest.mark.parametrize("shape", [{}, {"heads": 1, "layers": 1}, {"d": 24, "heads": 3, "layers": 3}])
def test_forward_is_the_definition(tmp_path: Path, shape: dict[str, int]) -> None:
    tokens = texts(3, 12)
    made = net(tmp_path, config=shape)
    states = made.feed(made.cache(3), tokens, every=True)
    for row, logits, values in zip(tokens, made.logits(states), made.values(states), strict=True):
        expected = by_loops(tensors(config=shape), made.config.heads, row.tolist())
        assert logits == pytest.approx(expected[0], rel=1e-4, abs=1e-4)
        assert values == pytest.approx(expected[1], rel=1e-4, abs=1e-4)
    assert np.ptp(made.logits(states)[..., 0]) > 0.5


@pytest.mark.parametrize("pieces", [(20,), (1,) * 20, (7, 1, 12), (19, 1), (1, 19)])
def test_pieces_are_the_whole(tmp_path: Path, pieces: tuple[int, ...]) -> None:
    made, tokens = net(tmp_path), texts(5, 20)
    whole = made.feed(made.cache(5), tokens, every=True)
    cache, at, found = made.cache(5), 0, []
    for size in pieces:
        found.append(made.feed(cache, tokens[:, at : at + size], every=True))
        at += size
        assert cache.length == at
    same(np.concatenate(found, 1), whole)
    last = made.feed(made.cache(5), tokens)
    assert last.shape == (5, 1, 16)
    same(last, whole[:, -1:])


def test_what_follows_changes_nothing_before(tmp_path: Path) -> None:
    made, tokens = net(tmp_path), texts(1, 20)
    other = tokens.copy()
    other[:, 10:] = (other[:, 10:] + 1) % 18
    a, b = (made.feed(made.cache(1), t, every=True) for t in (tokens, other))
    same(a[:, :10], b[:, :10])
    assert np.abs(a[:, 10:] - b[:, 10:]).max(-1).min() > 1e-2


def test_the_context_is_a_limit(tmp_path: Path) -> None:
    made = net(tmp_path, config={"context": 8})
    cache = made.cache(2)
    made.feed(cache, texts(2, 8))
    with pytest.raises(InputError, match="9 tokens do not fit the context of 8"):
        made.feed(cache, texts(2, 1))
    assert cache.length == 8


def test_missing_heads_are_named(tmp_path: Path) -> None:
    judge = net(tmp_path, 1, head=False, reward={"kind": "head"})
    states = judge.feed(judge.cache(1), texts(1, 3))
    assert judge.values(states).shape == (1, 1)
    with pytest.raises(EngineError, match="'net-1' only judges"):
        judge.logits(states)
    writer = net(tmp_path, 2, value=False)
    with pytest.raises(EngineError, match="'net-2' has no value head"):
        writer.values(writer.feed(writer.cache(1), texts(1, 3)))
