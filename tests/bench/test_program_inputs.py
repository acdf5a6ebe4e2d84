"""More inputs for a tested function: found in tests, varied by type, compared as tests compare."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.bench.program_inputs import inputs_of_tests, more_inputs, same_value

TESTS = (
    "candidate = f\nassert candidate([1, 2], 'a') == 3",
    "def check(candidate):\n    assert candidate([1, 2], 'a') == 3\n    for i in range(3):\n        assert candidate(i, 'b')",
    "assert g(1) == f(-1.5)",
)


def test_inputs_are_the_literal_arguments_each_once() -> None:
    assert inputs_of_tests(TESTS, ("candidate", "f")) == [([1, 2], "a"), (-1.5,)]
    assert inputs_of_tests(TESTS, ("h",)) == []


def test_new_inputs_are_new_of_the_same_types_and_repeat_by_seed() -> None:
    known = [([1, 2, 3], "ab", True, 2.5, {"k": 1}, None, (1, "x"))]
    new = more_inputs(known, 200, np.random.default_rng(1))
    assert new == more_inputs(known, 200, np.random.default_rng(1))
    assert len(new) == len({repr(a) for a in new}) == 200
    assert known[0] not in new
    for arguments in new:
        assert [type(a) for a in arguments] == [type(a) for a in known[0]]
        assert all(type(x) is int for x in arguments[0])
    for i in range(7):
        assert any(repr(a[i]) != repr(known[0][i]) for a in new) == (known[0][i] is not None)


def test_inputs_that_cannot_vary_end() -> None:
    assert more_inputs([(None,)], 5, np.random.default_rng(0)) == []
    assert more_inputs([()], 5, np.random.default_rng(0)) == []
    assert more_inputs([], 5, np.random.default_rng(0)) == []
    assert more_inputs([(True,)], 5, np.random.default_rng(0)) == [(False,)]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1, True), (1, 1.0, True), (1, True, True), (0.1 + 0.2, 0.3, True), (0.3, 0.31, False), (math.nan, math.nan, True),
        (1.0, "1", False), ([1, 0.3], [1, 0.1 + 0.2], True), ([1], (1,), False), ([1, 2], [1], False), ("a", "b", False),
        ({"a": 0.3}, {"a": 0.1 + 0.2}, True), ({"a": 1}, {"b": 1}, False), ({1, 2}, {2, 1}, True), (None, None, True), (None, 0, False),
    ],
)  # fmt: skip
def test_values_are_compared_as_tests_do(a: object, b: object, same: bool) -> None:
    assert same_value(a, b) is same
    assert same_value(b, a) is same


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2) | st.tuples(inner, inner),
)


@given(PLAIN, st.integers(0, 99))
def test_varying_never_raises_and_never_changes_what_it_was_given(value: object, seed: int) -> None:
    known = [(value,)]
    shown = repr(known)
    for arguments in more_inputs(known, 5, np.random.default_rng(seed)):
        assert type(arguments[0]) is type(value)
    assert repr(known) == shown
