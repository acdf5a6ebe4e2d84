"""Tests that a model proposes: what is taken for one, how candidates and tests agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ponder.core.budget import Budget
from ponder.core.errors import PonderError
from ponder.core.problem import Problem
from ponder.front import ask
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.sandbox import find
from ponder.scorers.generated_tests import agreement, asserts_in

try:
    find()
except PonderError as error:
    pytest.skip(str(error), allow_module_level=True)

RIGHT = "def add(a, b):\n    return a + b"
SAME = "def add(a, b):\n    return b + a"
WRONG = "def add(a, b):\n    return a - b"
PROBLEM = Problem("Write add(a, b).", "add", reads="code")


def test_only_plain_assertions_of_one_function_are_tests() -> None:
    text = """Here are some:
assert add(1, 2) == 3
`assert sorted(add(1, -2)) != [1]`
assert add(1, 2)  ==  3
assert add(add(1, 2), 3) == 6, "twice"
assert len([1]) == 1
assert add(1, 2) == other(3)
assert add.__globals__ == {}
assert add(lambda: 0, 1)
assert [add(x, x) for x in (1, 2)]
assert (add := 3)
import os; assert add(1, 2) == 3
add(1, 2)
assert add(1, 2 ==
assert x == add(1, 2)
"""
    assert asserts_in(text) == ["assert add(1, 2) == 3", "assert sorted(add(1, -2)) != [1]", "assert add(add(1, 2), 3) == 6, 'twice'"]


def test_agreement_by_hand() -> None:
    passed = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)
    assert agreement(passed) == pytest.approx([0.5 * 2 / 3, 0.5 * 2 / 3, 0.25 / 3, 0])
    order = np.array([3, 0, 2, 1])
    assert agreement(passed[order]) == pytest.approx(agreement(passed)[order])


def writer(tests: str) -> Scripted:
    """Writes programs, or tests where it is asked for them."""
    programs = {RIGHT: 0.35, SAME: 0.2, WRONG: 0.45}
    return Scripted(lambda prompt: {tests: 1.0} if "tests of it" in str(prompt) else programs)


def run(method: str, tests: str, **options: Any) -> Any:
    return ask(PROBLEM, method=method, model=writer(tests), seed=1, **options)


def test_agreeing_programs_win_over_the_most_frequent_one() -> None:
    tests = "assert add(1, 2) == 3\nassert add(2, 2) == 4\nassert add(3, 0) == 3\nassert add(1, 1) == 0\n"
    answer = run("sample(40) | weigh(generated_tests) | argmax()", tests)
    assert answer.value in (RIGHT, SAME)
    scores = {c.value: np.exp(c.scores["generated_tests"]) for c in answer.population.items}
    counts = {value: sum(c.value == value for c in answer.population.items) for value in scores}
    assert scores[RIGHT] == scores[SAME] == pytest.approx((counts[RIGHT] + counts[SAME]) / 40 * 3 / 4)
    assert scores[WRONG] == pytest.approx(counts[WRONG] / 40 * 2 / 4)
    assert answer.bill.calls == 2


def test_without_a_usable_test_candidates_weigh_the_same() -> None:
    answer = run("sample(8) | weigh(generated_tests) | argmax()", "import os")
    assert set(answer.population.log_weights) == {answer.population.log_weights[0]}
    assert any("no reply held a test" in note for note in answer.trace.notes)
    failing = run("sample(8) | weigh(generated_tests) | argmax()", "assert add(1, 1) == 7")
    assert not failing.population.dead
    assert any("no candidate passes" in note for note in failing.trace.notes)


def test_a_budget_that_ends_before_the_tests() -> None:
    answer = ask(
        PROBLEM, method="sample(8) | weigh(generated_tests) | vote()", model=writer("assert add(1, 1) == 2"), budget=Budget(calls=1)
    )
    assert answer.value is not None
    assert answer.bill.calls == 1
    assert any("generated_tests" in note for note in answer.trace.notes)


def test_its_text() -> None:
    method = parse("sample(4) | weigh(generated_tests(8, each=3, model='writer')) | argmax()")
    assert parse(str(method)) == method
