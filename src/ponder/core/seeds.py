"""Seeds that come from a place, never from time or order of arrival."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

Step = str | int

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # made once: every draw has a place


def place_of(root: int, path: Sequence[Step]) -> str:
    """One text for a root seed and the steps that lead to a draw."""
    return _ENCODER.encode([root, *path])


def places_in(root: int, path: Sequence[Step], n: int) -> list[str]:
    """The places 0 to n - 1 inside one, as `place_of` writes them."""
    start = place_of(root, path)[:-1]
    return [f"{start},{i}]" for i in range(n)]


def derive(root: int, path: Sequence[Step] = ()) -> int:
    """A seed in [0, 2**31) for a place; equal places give equal seeds, others are independent for all purposes."""
    return seed_of(place_of(root, path))


def seed_of(place: str) -> int:
    """The seed that `derive` gives for a place that `place_of` wrote."""
    digest = hashlib.blake2b(place.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 2**31


def generator(root: int, path: Sequence[Step] = ()) -> np.random.Generator:
    """A random generator for a place."""
    return np.random.default_rng(derive(root, path))
