"""What is kept of earlier texts: the longest beginning is found, the least recently used caches go first."""

from __future__ import annotations

import numpy as np

from ponder.organisms.cache import Cache
from ponder.organisms.kept import Kept, Row

ROOM = 4
SIZE = Cache.empty(1, 2, 2, 4, ROOM).nbytes


def cache() -> Cache:
    return Cache.empty(1, 2, 2, 4, ROOM)


def test_the_longest_beginning_is_found() -> None:
    kept, one, two = Kept(), cache(), cache()
    kept.keep(one, [(b"ab", 0, None)])
    kept.keep(two, [(b"abcd", 0, None), (b"x", 1, None)])
    assert kept.find(b"abcde") == (4, Row(two, 0))
    assert kept.find(b"abcd") == (4, Row(two, 0))
    assert kept.find(b"abc") == (2, Row(one, 0))
    assert kept.find(b"xb") == (1, Row(two, 1))
    assert kept.find(b"a") == kept.find(b"") == kept.find(b"bab") == (0, None)
    assert len(kept) == 3


def test_a_text_is_kept_once_and_what_was_told_with_it() -> None:
    kept, one, two = Kept(), cache(), cache()
    told = np.array([0.0, -1.0], dtype=np.float32)
    kept.keep(one, [(b"ab", 0, told)])
    kept.keep(two, [(b"ab", 0, None)])
    length, row = kept.find(b"ab")
    assert length == 2
    assert row is not None
    assert row.cache is one
    assert row.told is told


def test_the_least_recently_used_go_first() -> None:
    kept, made = Kept(3 * SIZE), [cache() for _ in range(4)]
    for i in range(3):
        kept.keep(made[i], [(bytes([i]), 0, None)])
    assert kept.find(b"\0")[0] == 1
    kept.keep(made[3], [(b"\3", 0, None)])
    assert [kept.find(bytes([i]))[0] for i in range(4)] == [1, 0, 1, 1]
    assert len(kept) == 3


def test_lengths_that_are_gone_are_not_found() -> None:
    kept = Kept(SIZE)
    kept.keep(cache(), [(b"abc", 0, None)])
    kept.keep(cache(), [(b"de", 0, None)])
    assert kept.find(b"abcd") == (0, None)
    assert kept.find(b"def")[0] == 2
    kept.clear()
    assert len(kept) == 0
    assert kept.find(b"def") == (0, None)


def test_a_cache_larger_than_the_limit_is_not_kept() -> None:
    kept = Kept(SIZE - 1)
    kept.keep(cache(), [(b"abc", 0, None)])
    assert len(kept) == 0


def test_more_rows_of_a_cache_that_is_kept_already() -> None:
    kept, one = Kept(2 * SIZE), cache()
    kept.keep(one, [(b"a", 0, None)])
    kept.keep(one, [(b"ab", 0, None)])
    kept.keep(cache(), [(b"c", 0, None)])
    assert [kept.find(text)[0] for text in (b"a", b"ab", b"c")] == [1, 2, 1]
    kept.keep(cache(), [(b"d", 0, None)])
    # Of the first cache, which was found before the third, nothing is left.
    assert [kept.find(text)[0] for text in (b"c", b"d", b"ab", b"a")] == [1, 1, 0, 0]
