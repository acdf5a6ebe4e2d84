"""Seeds that come from a place, never from time or order of arrival."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

Step = str | int


def place_of(root: int, path: Sequence[Step]) -> str:
    """One text for a root seed and the steps that lead to a draw."""
    return json.dumps([root, *path], ensure_ascii=False, separators=(",", ":"))


def derive(root: int, path: Sequence[Step] = ()) -> int:
    """A seed in [0, 2**31) for a place; equal places give equal seeds, others are independent for all purposes."""
    digest = hashlib.blake2b(place_of(root, path).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 2**31


def generator(root: int, path: Sequence[Step] = ()) -> np.random.Generator:
    """A random generator for a place."""
    return np.random.default_rng(derive(root, path))
