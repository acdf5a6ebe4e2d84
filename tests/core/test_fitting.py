"""Batches of which some do not fit the context."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ponder.core.errors import ContextOverflow, InputError
from ponder.core.fitting import each_that_fits


@pytest.mark.parametrize("lengths", [[1], [9], [1, 2, 3], [1, 9, 2], [9, 9, 1, 1, 9], []])
def test_what_fits_is_answered_in_place_and_what_does_not_is_none(lengths: list[int]) -> None:
    def ask(some: Sequence[int]) -> list[str]:
        if any(n > 5 for n in some):
            raise ContextOverflow("too long")
        return [str(n) for n in some]

    assert each_that_fits(ask, lengths) == [None if n > 5 else str(n) for n in lengths]


def test_other_errors_pass() -> None:
    def ask(some: Sequence[int]) -> list[str]:
        raise InputError("bad")

    with pytest.raises(InputError, match="bad"):
        each_that_fits(ask, [1, 2])
