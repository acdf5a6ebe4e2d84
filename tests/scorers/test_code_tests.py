"""Unit tests as a scorer, in the real sandbox."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ponder.scorers.code_tests as code_tests
from ponder.core.budget import Budget
from ponder.core.context import Context
from ponder.core.errors import InputError, PonderError
from ponder.core.problem import Candidate, Problem
from ponder.front import ask
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.sandbox import Outcome, find
from ponder.scorers.code_tests import check_of, program, tests

try:
    find()
except PonderError as error:
    pytest.skip(str(error), allow_module_level=True)

RIGHT = "def add(a, b):\n    return a + b"
HALF = "def add(a, b):\n    return abs(a) + abs(b)"
WRONG = "def add(a, b):\n    return None"
LOOP = "def add(a, b):\n    while True:\n        pass"
LIAR = "import os\nclass Yes:\n    def __eq__(self, other):\n        return True\ndef add(a, b):\n    return Yes()"
PROBLEM = Problem(
    "Write add(a, b).", "add", reads="code", data={"tests": ("assert add(1, 2) == 3", "assert add(-1, 2) == two"), "setup": "two = 1"}
)


def scores(scorer: Any, texts: list[str], problem: Problem = PROBLEM) -> np.ndarray:
    candidates = [Candidate(text, problem.read(text), finished=True) for text in texts]
    return np.exp(scorer(candidates, Context(problem)))


def test_all_or_nothing_and_the_share() -> None:
    texts = [RIGHT, f"```python\n{RIGHT}\n```", HALF, WRONG, "no code", LIAR]
    assert scores(tests(), texts).tolist() == [1, 1, 0, 0, 0, 0]
    assert scores(tests(share=True), texts) == pytest.approx([1, 1, 0.5, 0, 0, 0])
    assert scores(tests(share=True), texts[::-1]) == pytest.approx([0, 0, 0, 0.5, 1, 1])


def test_a_program_that_does_not_end_is_wrong() -> None:
    assert scores(tests(seconds=0.5), [LOOP, RIGHT]).tolist() == [0, 1]


def test_equal_answers_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    class Counting:
        def check(self, checks: Any, limits: Any) -> list[Outcome]:
            ran.extend(c.code for c in checks)
            return [Outcome("ok", "fake", (True, False)) for _ in checks]

    monkeypatch.setattr(code_tests, "find", lambda name: Counting())
    assert scores(tests(share=True), [RIGHT, WRONG, f"```\n{RIGHT}\n```", RIGHT]) == pytest.approx([0.5] * 4)
    assert ran == [RIGHT, WRONG]


def test_programs_a_sandbox_lacks_something_for_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Poor:
        def check(self, checks: Any, limits: Any) -> list[Outcome]:
            return [Outcome("unsupported", "fake", error="no classes here") for _ in checks]

    monkeypatch.setattr(code_tests, "find", lambda name: Poor())
    context = Context(PROBLEM)
    assert tests()([Candidate(RIGHT, RIGHT, finished=True)], context).tolist() == [-np.inf]
    assert any("no classes here" in note for note in context.trace.notes)


def test_the_prefix_is_gone_on_with_or_stands_before() -> None:
    problem = Problem("x", data={"prefix": 'import math\n\ndef f(x):\n    """Doc."""\n', "tests": ("assert f(1) == 1",)})
    assert program(problem, "    return x") == 'import math\n\ndef f(x):\n    """Doc."""\n    return x'
    assert program(problem, "def f(x):\n    return x").endswith('"""Doc."""\n\n\ndef f(x):\n    return x')
    assert check_of(problem, "    return x", ["assert f(2) == 2"]).tests == ("assert f(2) == 2",)


def test_a_problem_without_tests_is_refused() -> None:
    with pytest.raises(InputError, match="has no tests"):
        scores(tests(), [RIGHT], Problem("x", reads="code"))


def test_in_a_pipeline_under_a_budget() -> None:
    lm = Scripted({RIGHT: 0.3, HALF: 0.7})
    for method in ("sample(12) | weigh(tests) | argmax()", "resample_until_pass(40, scorer=tests)"):
        answer = ask(PROBLEM, method=method, model=lm, seed=2)
        assert (answer.value, answer.confidence) == (RIGHT, pytest.approx(1))
        assert ask(PROBLEM, method=method, model=lm, seed=2, budget=Budget(calls=0)).value is None
    assert ask(PROBLEM, method="resample_until_pass(5, scorer=tests)", model=Scripted({HALF: 1.0})).value is None


def test_its_text() -> None:
    method = parse("sample(4) | weigh(tests(share=True, backend='bubblewrap')) | argmax()")
    assert parse(str(method)) == method
    with pytest.raises(InputError, match="backend"):
        parse("sample(4) | weigh(tests(backend='docker'))")
