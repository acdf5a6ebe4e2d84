"""Records with a label and a binary attribute, two parties that share none, and samples in which the attribute has a given share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Records:
    """Rows of a table.

    Attributes:
        x: inputs, shape (n, d).
        y: labels 0 and 1, shape (n,).
        attribute: 1 where a record has the attribute whose share is secret, else 0, shape (n,).
    """

    x: Floats
    y: NDArray[np.int64]
    attribute: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.x)
        for name, value in (("y", self.y), ("attribute", self.attribute)):
            if np.shape(value) != (n,) or not np.all((np.asarray(value) == 0) | (np.asarray(value) == 1)):
                raise InputError(f"{name} must be {n} values of 0 and 1, one a row")
        if np.ndim(self.x) != 2 or not n:
            raise InputError(f"records need inputs of shape (n, d), n at least 1, not {np.shape(self.x)}")

    def __len__(self) -> int:
        return len(self.x)

    def at(self, rows: ArrayLike) -> Records:
        """Some of the rows, in order."""
        index = np.asarray(rows)
        return Records(self.x[index], self.y[index], self.attribute[index])

    @property
    def ratio(self) -> float:
        """The share of records with the attribute."""
        return float(self.attribute.mean())


def two_parties(records: Records, rng: np.random.Generator) -> tuple[Records, Records]:
    """Two halves, each attribute and label divided evenly; equal rows stay together, so that the halves share none."""
    keys = row_keys(records)
    halves: tuple[list[int], list[int]] = ([], [])
    groups: dict[tuple[int, int], dict[bytes, list[int]]] = {}
    for i, key in enumerate(keys):
        groups.setdefault((int(records.attribute[i]), int(records.y[i])), {}).setdefault(key, []).append(i)
    owner: dict[bytes, int] = {}
    for stratum in sorted(groups):
        names = sorted(groups[stratum])
        sizes = [0, 0]
        for at in rng.permutation(len(names)):
            rows = groups[stratum][names[at]]
            side = owner.setdefault(names[at], int(sizes[1] < sizes[0]))
            sizes[side] += len(rows)
            halves[side].extend(rows)
    return records.at(sorted(halves[0])), records.at(sorted(halves[1]))


def check_disjoint(first: Records, second: Records) -> None:
    """Refuse parties that share inputs: models trained on the same rows inflate every attack.

    Raises:
        InputError: saying how many rows are shared.
    """
    shared = set(row_keys(first)) & set(row_keys(second))
    if shared:
        raise InputError(f"{len(shared)} different rows belong to both parties; split the records so that they share none")


def row_keys(records: Records) -> list[bytes]:
    """A digest of each row's inputs; equal rows have equal ones."""
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in np.ascontiguousarray(records.x)]


def with_ratio(
    records: Records, ratio: float, positives: int, rng: np.random.Generator, negatives: int | None = None, tries: int = 100
) -> Records:
    """A sample in which the attribute has a share near `ratio`, and labels are as asked whatever the ratio is.

    The group that has too many members is thinned out; then rows are drawn without replacement from either label, up to `tries` times, and
    the sample nearest to the ratio is kept. The share of labels is fixed, so that it tells nothing.

    Args:
        records: where rows come from.
        ratio: in [0, 1].
        positives: rows of label 1, at least 1.
        rng: of the draws.
        negatives: rows of label 0; three times as many by default.
        tries: draws.

    Raises:
        InputError: if the records do not hold enough rows; the message says how many are missing.
    """
    if not 0 <= ratio <= 1 or positives < 1 or tries < 1:
        raise InputError(f"a ratio in [0, 1], 1 positive and 1 try at least are needed, not {ratio!r}, {positives!r}, {tries!r}")
    wanted = {1: positives, 0: 3 * positives if negatives is None else negatives}
    having, lacking = np.flatnonzero(records.attribute == 1), np.flatnonzero(records.attribute == 0)
    scale = min(len(having) / ratio if ratio else np.inf, len(lacking) / (1 - ratio) if ratio < 1 else np.inf)
    sizes = min(len(having), round(scale * ratio)), min(len(lacking), round(scale * (1 - ratio)))
    best: NDArray[np.intp] | None = None
    for _ in range(tries):
        pool = np.concatenate([rng.choice(group, size, replace=False) for group, size in zip((having, lacking), sizes, strict=True)])
        drawn = []
        for label, many in wanted.items():
            found = pool[records.y[pool] == label]
            if len(found) < many:
                raise InputError(
                    f"a ratio of {ratio:g} leaves {len(found)} rows of label {label}, {many - len(found)} fewer than asked for"
                )
            drawn.append(rng.choice(found, many, replace=False))
        sample = np.concatenate(drawn)
        if best is None or abs(records.attribute[sample].mean() - ratio) < abs(records.attribute[best].mean() - ratio):
            best = sample
        if abs(records.attribute[best].mean() - ratio) * len(best) < 0.5:
            break
    assert best is not None
    return records.at(rng.permutation(best))
