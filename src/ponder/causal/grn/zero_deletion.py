"""A test of conditional independence that looks only at cells in which all conditioning genes are non-zero.

A non-zero value is exact, and whether it is zero depends on the gene itself alone. So among cells whose conditioning genes are non-zero,
conditioning on them is conditioning on true expression, and no path opens (Dai et al. 2024, theorem on conditional independence).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ponder.causal.independence import CIResult, Floats, Test, check_columns, find_test, table
from ponder.core.errors import InputError, need

Delete = Literal["conditioning", "all", "none"]
Transform = Literal["none", "log1p", "rank"]


@dataclass(frozen=True)
class ZeroDeletedCITest:
    """Tests columns i, j given S on the rows without zeros in S; callable as (data, i, j, S).

    Args:
        base: the test, by name ("fisherz", "kci", "gtest") or as a function.
        delete: rows with a zero in a "conditioning" column are left out; with "all" also those with a zero in i or j, which is right too
            but loses power; with "none" no rows are, which is what fails under dropouts.
        min_rows: with fewer rows than this (or than the test needs) a result is inconclusive.
        max_rows: more rows than this are thinned evenly; None for no limit. The kernel test takes the cube of their number in time.
        transform: what is done to the values after rows were chosen, so that zeros are those of the data: nothing, "log1p", or "rank".

    Raises:
        InputError: for unknown names or a `min_rows` below 5.
    """

    base: str | Test = "fisherz"
    delete: Delete = "conditioning"
    min_rows: int = 30
    max_rows: int | None = None
    transform: Transform = "none"

    def __post_init__(self) -> None:
        find_test(self.base)
        if self.delete not in get_args(Delete) or self.transform not in get_args(Transform):
            raise InputError(
                f"delete is one of {get_args(Delete)}, transform of {get_args(Transform)}; not {self.delete!r}, {self.transform!r}"
            )
        if self.min_rows < 5 or (self.max_rows is not None and self.max_rows < self.min_rows):
            raise InputError(f"min_rows is at least 5, and max_rows not below it; {self.min_rows} and {self.max_rows} were given")

    def __call__(self, data: Floats, i: int, j: int, given: tuple[int, ...] = ()) -> CIResult:
        """The result of the test; inconclusive (never independent) where too few rows are left.

        Raises:
            InputError: if i, j, S are not different columns of the data.
        """
        check_columns(data, i, j, tuple(given))
        looked_at = {"none": [], "conditioning": list(given), "all": [i, j, *given]}[self.delete]
        rows = data[np.all(data[:, looked_at] != 0, axis=1)][:, [i, j, *given]]
        if self.max_rows is not None and len(rows) > self.max_rows:
            rows = rows[np.linspace(0, len(rows) - 1, self.max_rows).astype(np.intp)]
        if len(rows) < max(self.min_rows, len(given) + 4) or np.any(np.ptp(rows, axis=0) == 0):
            return CIResult(np.nan, np.nan, len(rows), inconclusive=True)
        values = self._transformed(rows)
        found = find_test(self.base)(values[:, 0], values[:, 1], values[:, 2:])
        return CIResult(found.p, found.statistic, len(rows))

    def _transformed(self, rows: Floats) -> Floats:
        if self.transform == "log1p":
            if np.any(rows <= -1):
                raise InputError("log1p needs values above -1: give counts or expression, not centred data")
            return np.log1p(rows)
        if self.transform == "rank":
            return need("scipy.stats", "causal").rankdata(rows, axis=0)
        return rows


def expression(values: ArrayLike, counts: bool = False, min_rows: int = 30) -> Floats:
    """A table of expression, cells by genes, checked for what zero deletion needs.

    Args:
        values: shape (cells, genes), not normalised: zeros must be exactly 0.
        counts: True refuses negative and fractional values.
        min_rows: as in the test; a warning says when most genes are non-zero in fewer cells.

    Raises:
        InputError: for values that are not finite, counts that are none, constant columns, or data without any zero.
    """
    data = table(values, "expression")
    if counts and np.any((data < 0) | (data != np.round(data))):
        raise InputError("counts are whole numbers of at least 0")
    constant = np.flatnonzero(np.ptp(data, axis=0) == 0)
    if len(constant):
        raise InputError(f"gene {constant[0]} is constant: leave it out")
    if not np.any(data == 0):
        raise InputError("there is no exact 0 in the data: delete zeros before normalising, centring or correcting batches")
    seen = np.count_nonzero(data, axis=0)
    if np.mean(seen < min_rows) > 0.5:
        warnings.warn(f"most genes are non-zero in fewer than {min_rows} cells: most tests will be inconclusive", stacklevel=2)
    return data


def rows_left(data: ArrayLike, size: int, tries: int, rng: np.random.Generator) -> Floats:
    """How many rows are without zeros in `size` random columns, shape (tries,): what a test given that many genes has to go on."""
    values = table(data) != 0
    if not 1 <= size <= values.shape[1] or tries < 1:
        raise InputError(f"size is between 1 and {values.shape[1]} columns and tries at least 1; {size} and {tries} were given")
    chosen = [rng.choice(values.shape[1], size, replace=False) for _ in range(tries)]
    return np.array([np.all(values[:, columns], axis=1).sum() for columns in chosen], dtype=np.float64)
