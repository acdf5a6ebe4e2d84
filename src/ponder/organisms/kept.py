"""Rows of caches kept between calls under the tokens that they have read, so that what continues them need not read again."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from ponder.organisms.cache import Cache
from ponder.organisms.card import Floats

LIMIT = 256 * 2**20
"""Bytes of keys and values that are kept."""


@dataclass(frozen=True)
class Row:
    """A row of a cache.

    Attributes:
        cache: where it is.
        index: its place there.
        told: what is known of each of its tokens, shape (tokens,), or None.
    """

    cache: Cache
    index: int
    told: Floats | None = None


class Kept:
    """The most recently used caches, within a limit of bytes. Not safe for threads by itself."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit, self._bytes = limit, 0
        self._rows: dict[bytes, Row] = {}
        self._caches: OrderedDict[int, tuple[Cache, list[bytes], int]] = OrderedDict()
        self._lengths: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, text: bytes) -> tuple[int, Row | None]:
        """The row that has read the longest beginning of the tokens, and how many that are; (0, None) if there is none."""
        for length in sorted(self._lengths, reverse=True):
            row = self._rows.get(text[:length]) if length <= len(text) else None
            if row is not None:
                self._caches.move_to_end(id(row.cache))
                return length, row
        return 0, None

    def keep(self, cache: Cache, rows: Iterable[tuple[bytes, int, Floats | None]]) -> None:
        """Keep rows of a cache under the tokens they have read. The cache may read on; what it has read must not change."""
        keys: list[bytes] = []
        for text, index, told in rows:
            if text not in self._rows:
                self._lengths[len(text)] += 1
                self._rows[text] = Row(cache, index, told)
                keys.append(text)
        if id(cache) in self._caches:
            _, before, size = self._caches.pop(id(cache))
            self._bytes -= size
            keys = before + keys
        if keys:
            self._caches[id(cache)] = cache, keys, cache.nbytes
            self._bytes += cache.nbytes
        while self._bytes > self._limit:
            _, (_, gone, size) = self._caches.popitem(last=False)
            self._bytes -= size
            for text in gone:
                del self._rows[text]
                self._lengths[len(text)] -= 1
                if not self._lengths[len(text)]:
                    del self._lengths[len(text)]

    def clear(self) -> None:
        """Forget all."""
        self._rows.clear()
        self._caches.clear()
        self._lengths.clear()
        self._bytes = 0
