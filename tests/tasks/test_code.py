"""The tasks about programs: what they ask, that their reference solutions pass, that wrong ones do not."""

from __future__ import annotations

import ast

import pytest

from ponder.core.code_reading import read_code, read_literal
from ponder.core.errors import InputError, PonderError
from ponder.programs.prompts import write_prompt
from ponder.sandbox import find
from ponder.scorers.code_tests import outcomes
from ponder.tasks import load
from ponder.tasks.code import humaneval_problem, labelled_solutions, rows, shown_tests, split_tests

try:
    find()
except PonderError as error:
    pytest.skip(str(error), allow_module_level=True)


def test_the_sets_are_whole() -> None:
    assert [len(rows(name)) for name in ("humaneval", "mbpp", "cruxeval", "code_verifier")] == [164, 500, 800, 500]
    for name in ("humaneval", "mbpp", "cruxeval"):
        assert len({row["task_id"] for row in rows(name)}) == len(rows(name))


def test_every_reference_solution_of_humaneval_is_right_and_none_is_in_its_problem() -> None:
    task = load("humaneval")
    for problem in task.problems[:20]:
        gold = task.gold(problem)
        assert gold.strip() not in str(problem.prompt) + str(problem.data)
        assert task.grade(problem, problem.read(gold)) == 1
        assert task.grade(problem, problem.read(f"Sure:\n```python\n{problem.prompt}{gold}\n```\nDone.")) == 1
        assert task.grade(problem, problem.read("    pass\n    return")) == 0
        assert task.grade(problem, None) == 0


def test_a_wrong_program_that_quits_or_prints_is_wrong() -> None:
    task = load("humaneval", limit=1)
    for code in (
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        "print('ok')",
        f"def check(f):\n    pass\n\n{task.problems[0].prompt}",
    ):
        assert task.grade(task.problems[0], code) == 0


def test_an_answer_cannot_redefine_the_helpers_of_its_tests() -> None:
    problem = next(p for p in load("humaneval").problems if p.id == "HumanEval/32")
    lie = "def poly(xs, x):\n    return 0\n\ndef find_zero(xs):\n    return 0.0"
    assert "def poly" in problem.data["setup"]
    assert load("humaneval").grade(problem, lie) == 0


def test_assertions_become_single_tests() -> None:
    setup, tests = split_tests("import math\nx = 1\nassert f(1) == 2\nassert f(2) == (\n    3)\n")
    assert setup == "import math\nx = 1"
    assert tests == ("assert f(1) == 2", "assert f(2) == 3")
    checking = 'A = 1\ndef check(candidate):\n    """Doc."""\n    assert True, "vacuous"\n    assert candidate(1) == A\n'
    assert split_tests(checking, "f") == ("A = 1", ("candidate = f\nassert candidate(1) == A",))
    looping = "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == i\n"
    assert split_tests(looping, "f")[1] == ("check(f)",)
    single = [row["task_id"] for row in rows("humaneval") if len(humaneval_problem(row).data["tests"]) == 1]
    assert len(single) == 8


def test_shown_tests_are_the_examples_of_the_docstring() -> None:
    prompt = '''def f(x):
    """Adds one.
    >>> f(1)
    2
    >>> print(f(1))
    Two
    f(2) == 3
    For 3, f(3) should return 4.
    f([]) ➞ "none"
    f(5) -> six
    g(1) == 2
    f(y) == 2
    >>> round(f(0.5), 1)
    1.5
    """
'''
    assert shown_tests(prompt, "f") == (
        "assert f(1) == 2",
        "assert round(f(0.5), 1) == 1.5",
        "assert f(2) == 3",
        "assert f(3) == 4",
        'assert f([]) == "none"',
    )


def test_the_scorer_may_see_the_shown_tests_only() -> None:
    task = load("humaneval:tests=shown")
    assert len(task.problems) == 128
    problem = next(p for p in task.problems if p.id == "HumanEval/0")
    lazy = "def has_close_elements(numbers, threshold):\n    return len(numbers) > 3"
    (outcome,) = outcomes(problem, [lazy])
    assert outcome is not None
    assert outcome.passed == (True, True)
    assert task.grade(problem, lazy) == 0
    assert task.grade(problem, problem.read(task.gold(problem))) == 1
    assert "shown" not in load("mbpp", limit=1).problems[0].data
    with pytest.raises(InputError, match="tests"):
        load("humaneval:tests=none")


def test_mbpp_shows_its_tests_and_runs_them() -> None:
    task = load("mbpp")
    problem = next(p for p in task.problems if p.id == "MBPP/12")
    assert "assert sort_matrix" in problem.question
    right = "def sort_matrix(m):\n    return sorted(m, key=sum)"
    assert task.grade(problem, right) == 1
    assert task.grade(problem, "def sort_matrix(m):\n    return m") == 0
    (outcome,) = outcomes(problem, ["def sort_matrix(m):\n    return [[1, 2, 3], [2, 4, 5], [1, 1, 1]]"])
    assert outcome is not None
    assert outcome.passed == (False, False, False)


def test_prompts_for_chats_and_for_base_models() -> None:
    (chat,) = load("humaneval", limit=1).problems
    (base,) = load("humaneval:style=continue", limit=1).problems
    prompt, stop = write_prompt(chat)
    assert "```python" in prompt[-1].content  # pyright: ignore[reportAttributeAccessIssue]
    assert stop == ()
    assert write_prompt(base)[0] == str(chat.prompt).rstrip()
    assert "\ndef " in write_prompt(base)[1]
    (mbpp,) = load("mbpp:style=continue", limit=1).problems
    assert str(mbpp.prompt).startswith('"""\n')
    assert isinstance(write_prompt(chat, "cot")[0], tuple)
    with pytest.raises(InputError, match="style"):
        load("humaneval:style=loud")


def test_outputs_of_cruxeval_are_literals_that_are_compared_as_such() -> None:
    task = load("cruxeval")
    assert all(read_literal(task.gold(p)) == task.gold(p) for p in task.problems)
    problem = task.problems[0]
    assert task.grade(problem, problem.read(f"It is sorted. The answer is {task.gold(problem)}.")) == 1
    assert task.grade(problem, problem.read("The answer is [].")) == 0
    unordered = next(p for p in task.problems if task.gold(p).startswith("{") and task.gold(p).count(": ") == 2)
    first, second = task.gold(unordered)[1:-1].split(", ")
    assert task.grade(unordered, unordered.read(f"{{{second}, {first}}}")) == 1


def test_inputs_of_cruxeval_are_run() -> None:
    task = load("cruxeval:predict=input", limit=40)
    readable = [p for p in task.problems if read_literal(task.gold(p)) == task.gold(p)]
    assert len(readable) >= 38
    assert all(task.grade(p, p.read(task.gold(p))) == 1 for p in readable)
    several = next(p for p in readable if len(ast.parse(p.data["function"]).body[0].args.args) > 1)  # pyright: ignore[reportAttributeAccessIssue]
    assert task.grade(several, "17") == 0
    assert task.grade(several, None) == 0
    with pytest.raises(InputError, match="predict"):
        load("cruxeval:predict=both")


def test_labelled_solutions() -> None:
    found = labelled_solutions()
    assert len(found) == 500
    assert sum(s.right for s in found) == 250
    assert len({s.model for s in found}) == 31
    assert {s.task_id for s in found} <= {row["task_id"] for row in rows("humaneval")}
    assert all(read_code(s.code) for s in found)
