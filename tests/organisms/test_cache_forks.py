"""Forking a cache is the same as reading again: whatever rows are taken, repeated, cut or gathered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.organisms.random_nets import net

from ponder.organisms.cache import SHARED, Cache, gather
from ponder.organisms.net import Net


def read(made: Net, tokens: np.ndarray) -> tuple[Cache, np.ndarray]:
    cache = made.cache(len(tokens))
    return cache, made.feed(cache, tokens)


def tokens_of(rng: np.random.Generator, rows: int, length: int) -> np.ndarray:
    return rng.integers(0, 18, (rows, length))


def goes_on_as_if_read_again(made: Net, cache: Cache, tokens: np.ndarray, rng: np.random.Generator) -> bool:
    """Feed two tokens more, and compare with reading everything from the start."""
    assert cache.length == tokens.shape[1]
    assert cache.rows == len(tokens)
    more = tokens_of(rng, len(tokens), 2)
    found = made.feed(cache, more)
    _, expected = read(made, np.concatenate([tokens, more], 1))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    return True


@pytest.mark.parametrize(
    ("rows", "length", "shared"),
    [
        ([0] * 6, 9, True),
        ([1] * SHARED + [0] * SHARED + [1] * SHARED, 9, True),
        ([2] * 8 + [1] * 4, 5, True),
        ([0, 1, 2], 9, False),
        ([2, 2, 0], 9, False),
        ([1] * (SHARED - 1), 9, False),
        ([1] * 5 + [2] * 4, 9, False),
        ([2], 1, False),
        ([1] * SHARED, 0, False),
    ],
)
def test_taken_rows_go_on(tmp_path: Path, rows: list[int], length: int, shared: bool) -> None:
    made, rng = net(tmp_path), np.random.default_rng(0)
    tokens = tokens_of(rng, 3, 9)
    before, _ = read(made, tokens)
    taken = before.take(np.array(rows), length)
    assert (taken.trunk is not None) == shared
    assert goes_on_as_if_read_again(made, taken, tokens[rows, :length], rng)
    # The one they were taken from is as it was.
    assert goes_on_as_if_read_again(made, before, tokens, rng)


def test_forks_keep_their_trunk_and_copy_nothing_of_it(tmp_path: Path) -> None:
    made, rng = net(tmp_path), np.random.default_rng(1)
    prompt = tokens_of(rng, 1, 30)
    root, _ = read(made, prompt)
    particles = root.take(np.zeros(16, dtype=np.int64))
    steps = tokens_of(rng, 16, 3)
    made.feed(particles, steps)
    ancestors = rng.integers(0, 16, 16)
    forked = particles.take(ancestors)
    assert forked.trunk is particles.trunk
    assert forked.shared == 30
    assert goes_on_as_if_read_again(made, forked, np.concatenate([np.repeat(prompt, 16, 0), steps[ancestors]], 1), rng)


def test_rows_of_several_caches_are_gathered(tmp_path: Path) -> None:
    made, rng = net(tmp_path), np.random.default_rng(2)
    tokens = [tokens_of(rng, 1, 12), tokens_of(rng, 3, 12), tokens_of(rng, 1, 12)]
    first, second, third = (read(made, t)[0] for t in tokens)
    shared = first.take(np.zeros(8, dtype=np.int64), 7)
    more = tokens_of(rng, 8, 5)
    made.feed(shared, more)
    all_of_shared = np.concatenate([np.repeat(tokens[0][:, :7], 8, 0), more], 1)
    picks = [(shared, [3, 3, 0, 7]), (second, [2, 0]), (third, [0])]
    for length in (12, 10, 7, 3):
        expected = np.concatenate([all_of_shared[[3, 3, 0, 7]], tokens[1][[2, 0]], tokens[2]])[:, :length]
        found = gather([(cache, np.array(rows)) for cache, rows in picks], length)
        assert found.trunk is None
        assert goes_on_as_if_read_again(made, found, expected, rng)


def test_trunks_of_several_prompts_are_united(tmp_path: Path) -> None:
    made, rng = net(tmp_path), np.random.default_rng(3)
    prompts, steps = tokens_of(rng, 2, 10), tokens_of(rng, 8, 4)
    caches = []
    for i in range(2):
        cache = read(made, prompts[i : i + 1])[0].take(np.zeros(4, dtype=np.int64))
        made.feed(cache, steps[4 * i : 4 * i + 4])
        caches.append(cache)
    rows = [np.array([3, 0, 0, 2]), np.array([1, 1, 2, 3])]
    for order in ((0, 1), (1, 0)):
        found = gather([(caches[i], rows[i]) for i in order], 14)
        assert found.trunk is not None
        assert len(found.trunk) == 2
        expected = np.concatenate([np.concatenate([np.repeat(prompts[i : i + 1], 4, 0), steps[4 * i + rows[i]]], 1) for i in order])
        assert goes_on_as_if_read_again(made, found, expected, rng)


@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_of_forks_is_reading_again(tmp_path: Path, seed: int) -> None:
    made, rng = net(tmp_path), np.random.default_rng(seed)
    tokens = tokens_of(rng, int(rng.integers(1, 4)), 6)
    cache, _ = read(made, tokens)
    for _ in range(8):
        kind = rng.integers(3)
        if kind == 0:
            more = tokens_of(rng, len(tokens), int(rng.integers(1, 4)))
            made.feed(cache, more)
            tokens = np.concatenate([tokens, more], 1)
        else:
            each = SHARED if kind == 1 else 1
            rows = np.repeat(rng.integers(0, len(tokens), 12 // each), each)
            length = tokens.shape[1] if rng.random() < 0.6 else int(rng.integers(1, tokens.shape[1] + 1))
            cache, tokens = cache.take(rows, length), tokens[rows, :length]
        assert goes_on_as_if_read_again(made, cache.take(np.arange(len(tokens))), tokens, rng)
