"""Keys and values of what a net has read, for a batch of rows of equal length; it forks by index.

Rows that began with the same prompt share its keys and values, the trunk: attention over it is one matrix product a head for all rows
of the prompt, and forking does not copy it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ponder.organisms.card import Floats

SHARED = 4
"""The fewest rows of a prompt for which sharing its keys and values pays."""

_ROOM = 8
Index = np.ndarray[Any, np.dtype[np.int64]]


class Cache:
    """Keys and values of a batch.

    Attributes:
        own: each row's own part, shape (rows, layers, 2, heads, room, d/heads); the first `used` places are filled.
        used: positions in each row's own part.
        trunk: what rows share, shape (groups, layers, 2, heads, positions, d/heads), or None. There are as many rows to each
            group, side by side.
    """

    def __init__(self, own: Floats, used: int = 0, trunk: Floats | None = None) -> None:
        self.own, self.used, self.trunk = own, used, trunk

    @classmethod
    def empty(cls, rows: int, layers: int, heads: int, size: int, room: int = 0) -> Cache:
        """A cache that has read nothing, with room for so many positions."""
        return cls(np.empty((rows, layers, 2, heads, room, size), dtype=np.float32))

    @property
    def rows(self) -> int:
        return len(self.own)

    @property
    def shared(self) -> int:
        """Positions in the trunk."""
        return 0 if self.trunk is None else self.trunk.shape[4]

    @property
    def length(self) -> int:
        """Positions that each row has read."""
        return self.shared + self.used

    def group(self, rows: Index) -> Index:
        """Which group of the trunk rows belong to."""
        return rows // (self.rows // (1 if self.trunk is None else len(self.trunk)))

    @property
    def nbytes(self) -> int:
        return self.own.nbytes + (0 if self.trunk is None else self.trunk.nbytes)

    def reserve(self, positions: int) -> None:
        """Make room for so many positions more in each row."""
        room = self.own.shape[4]
        if self.used + positions > room:
            wider = max(self.used + positions, min(2 * room, room + 4 * _ROOM), _ROOM)
            rows, layers, two, heads, _, size = self.own.shape
            grown = np.empty((rows, layers, two, heads, wider, size), dtype=np.float32)
            grown[..., : self.used, :] = self.own[..., : self.used, :]
            self.own = grown

    def take(self, rows: Index, length: int | None = None) -> Cache:
        """A new cache of these rows, repeats allowed, with their first `length` positions (all by default)."""
        return gather([(self, rows)], self.length if length is None else length)


def gather(parts: Sequence[tuple[Cache, Index]], length: int) -> Cache:
    """A new cache of rows of several caches, in order, cut to their first `length` positions.

    A trunk stays shared if all parts have one of the same length and the rows of each group stand side by side. Rows that repeat one
    row, as the samples of a prompt do, get a trunk of it.
    """
    return _with_trunk(parts, length) or _repeated(parts, length) or _flat(parts, length, _ROOM)


def _block(parts: Sequence[tuple[Cache, Index]], room: int) -> Floats:
    """Uninitialised places for as many rows as the parts have together."""
    _, layers, two, heads, _, size = parts[0][0].own.shape
    return np.empty((sum(len(rows) for _, rows in parts), layers, two, heads, room, size), dtype=np.float32)


def _flat(parts: Sequence[tuple[Cache, Index]], length: int, room: int) -> Cache:
    """The rows with everything they read as their own."""
    own = _block(parts, length + room)
    for place, (cache, row) in enumerate((cache, row) for cache, rows in parts for row in rows):
        shared = min(cache.shared, length)
        if cache.trunk is not None:
            own[place, ..., :shared, :] = cache.trunk[cache.group(row), ..., :shared, :]
        own[place, ..., shared:length, :] = cache.own[row, ..., : length - shared, :]
    return Cache(own, length)


def _with_trunk(parts: Sequence[tuple[Cache, Index]], length: int) -> Cache | None:
    shared = parts[0][0].shared
    trunks = [cache.trunk for cache, _ in parts if cache.trunk is not None and cache.shared == shared]
    if shared > length or len(trunks) < len(parts):
        return None
    starts = np.cumsum([0, *map(len, trunks)])
    chosen = _equal_runs(np.concatenate([start + cache.group(rows) for (cache, rows), start in zip(parts, starts, strict=False)]))
    if chosen is None:
        return None
    whole = trunks[0] if len(trunks) == 1 else np.concatenate(trunks)
    trunk = whole if np.array_equal(chosen, np.arange(len(whole))) else whole[chosen]
    used = length - shared
    own = _block(parts, used + _ROOM)
    # Row by row: an index array together with a slice is copied element by element.
    for place, (cache, row) in enumerate((cache, row) for cache, rows in parts for row in rows):
        own[place, ..., :used, :] = cache.own[row, ..., :used, :]
    return Cache(own, used, trunk)


def _repeated(parts: Sequence[tuple[Cache, Index]], length: int) -> Cache | None:
    starts = np.cumsum([0, *(cache.rows for cache, _ in parts)])
    chosen = _equal_runs(np.concatenate([start + rows for (_, rows), start in zip(parts, starts, strict=False)]))
    if chosen is None or length == 0:
        return None
    single = [
        (cache, chosen[(chosen >= start) & (chosen < start + cache.rows)] - start) for (cache, _), start in zip(parts, starts, strict=False)
    ]
    trunk = _flat(single, length, 0).own
    return Cache(_block(parts, _ROOM), 0, trunk)


def _equal_runs(ids: Index) -> Index | None:
    """One id for each of as many equally long runs of equal ids as there must be; None if runs would be shorter than `SHARED`."""
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    size = int(np.gcd.reduce(np.diff(starts, append=len(ids)))) if len(ids) else 0
    return ids[::size] if size >= SHARED else None
