"""Self-invoking code: records, recorded calls, lifting, the generated set, and judging."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ponder.bench.self_invoking import evaluate, summarise
from ponder.bench.stats import pass_at_k
from ponder.core.errors import InputError
from ponder.lm.scripted import Scripted
from ponder.sandbox import find
from ponder.tasks import load
from ponder.tasks.code import rows
from ponder.tasks.self_invoking import Item, generated, read_items
from ponder.tasks.self_invoking.builder import LEAST, assertion, kept, lift
from ponder.tasks.self_invoking.judging import EMPTY, Judged, judge
from ponder.tasks.self_invoking.lifting import OPERATORS
from ponder.tasks.self_invoking.prompting import request
from ponder.tasks.self_invoking.recorder import Record, floats, literal, record
from ponder.tasks.self_invoking.records import never_named, of_published, sanitised

DOUBLE = Item(
    "double",
    "def double(x):\n",
    "    return 2 * x\n",
    "# Return the sum of the doubles of all numbers.\ndef total(numbers):\n",
    "    return sum(double(x) for x in numbers)\n",
    "assert total([1, 2]) == 6\nassert total([]) == 0\nassert total([5]) == 10\n",
)
BODY = "    return 2 * x\n\ndef total(numbers):\n"


def one(program: str, item: Item = DOUBLE) -> Judged:
    ((found,),) = judge([item], [[program]], seconds=2)
    return found


def whole(body: str) -> str:
    return DOUBLE.program(BODY + body)


def test_the_truth_passes_and_calls_the_base() -> None:
    found = one(DOUBLE.truth)
    assert (found.raw, found.clean, found.base, found.calls_base, found.error) == (True, True, None, True, "")


@pytest.mark.parametrize(
    ("program", "error"),
    [
        (whole("    return sum(numbers)"), "AssertionError"),
        (whole("    return sum(treble(x) for x in numbers)"), "NameError"),
        (whole("    return sum(numbers[0])"), "TypeError"),
        (whole("    return numbers.index(99)"), "ValueError"),
        (whole("    while True: pass"), "timeout"),
        (whole("    return ("), "SyntaxError"),
        (DOUBLE.program("   \n"), EMPTY),
    ],
)
def test_what_goes_wrong_is_named(program: str, error: str) -> None:
    found = one(program)
    assert (found.passed, found.error, found.calls_base) == (False, error, None)


def test_a_solution_that_does_not_call_the_base_passes_and_is_told_apart() -> None:
    found = one(whole("    return 2 * sum(numbers)"))
    assert (found.passed, found.calls_base) == (True, False)


def test_a_program_cannot_forge_its_verdict() -> None:
    forged = whole("    return 0\nimport os\nprint('ok')\nos._exit(0)\n")
    assert not one(forged).passed
    assert not one(whole("    class Any:\n        def __eq__(self, other): return True\n    return Any()")).passed


def test_the_better_of_the_two_readings_counts() -> None:
    found = one(whole("    return sum(double(x) for x in numbers)\n\n# Example\nraise ValueError('shown to the reader')\n"))
    assert (found.raw, found.clean, found.passed) == (False, True, True)


def test_the_base_is_judged_in_the_better_reading() -> None:
    item = generated()[0]
    found = one(item.truth + "\n# Example\nraise ValueError('shown to the reader')\n", item)
    assert (found.raw, found.clean, found.base, found.calls_base) == (False, True, True, True)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\n# Example usage\nb", "a\n"),
        ("a\n# Test\nb\n# Example\nc", "a\n"),
        ("a\n# Example\nb\nif __name__ == '__main__':\n    c", "a\n# Example\nb\n"),
        ("a\n", "a\n"),
    ],
)
def test_sanitising_cuts_at_the_first_mark_there_is(text: str, left: str) -> None:
    assert sanitised(text) == left


def test_tabs_become_four_spaces() -> None:
    assert DOUBLE.program("\treturn 2 * x\n") == "def double(x):\n    return 2 * x\n\n"
    assert one("def double(x):\n\treturn 2 * x\ndef total(numbers):\n\treturn sum(map(double, numbers))\n").passed


def test_the_prompt_begins_the_answer_with_the_base_problem() -> None:
    asked = request(DOUBLE)
    assert asked.prefix == "```python\ndef double(x):\n"
    assert isinstance(asked.prompt, tuple)
    user = asked.prompt[-1].content
    assert "def double(x):\n# Return the sum" in user
    assert "assert" not in user
    shown = request(DOUBLE, shot=True, steps=True)
    assert "assert total([1, 2]) == 6" in shown.prompt[-1].content  # pyright: ignore[reportAttributeAccessIssue]
    assert "assert total([]) == 0" not in shown.prompt[-1].content  # pyright: ignore[reportAttributeAccessIssue]
    assert shown.prefix.endswith("```python\ndef double(x):\n")


def published(**other: Any) -> dict[str, Any]:
    row = {"id": 0, "raw_problem": DOUBLE.raw_problem, "raw_solution": DOUBLE.raw_solution, "new_problem": DOUBLE.new_problem}
    return {**row, "new_solution": DOUBLE.new_solution, "test_code": DOUBLE.test_code, **other}


def test_the_base_is_the_function_that_the_problem_begins() -> None:
    helped = published(
        raw_problem="def half(x):\n    return x // 2\n\ndef double(x):\n", raw_solution="    return 2 * x\n\ndef more(x):\n    return x\n"
    )
    (item,) = of_published([helped], "file")
    assert item.names == ("double", "total")
    assert one(item.truth, item).calls_base


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_published_files_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"humaneval_pro{suffix}"
    made = [published(), published(id=1, new_solution="    return 2 * sum(numbers)\n")]
    path.write_text(json.dumps(made) if suffix == ".json" else "\n".join(map(json.dumps, made)))
    items = read_items(str(path))
    assert [i.names for i in items] == [("double", "total")] * 2
    assert [i.base for i in items] == ["HumanEval/0", "HumanEval/1"]
    assert never_named(items) == ["1"]
    task = load(f"humaneval-pro:source={path}")
    assert [task.grade(p, task.gold(p)) for p in task.problems] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("rows_", "says"),
    [
        ([], "at least one"),
        ({"a": 1}, "list of objects"),
        ([{"id": 3, "raw_problem": "def f():\n"}], "item 0: no text new_problem"),
        ([published(test_code="assert (")], "cannot be read"),
        ([published(new_problem="# nothing\n")], "no function"),
    ],
)
def test_files_that_are_no_such_set_are_refused(rows_: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        of_published(rows_, "file")


def test_recording_finds_what_the_tests_call() -> None:
    row = {
        "task_id": "X/0",
        "prompt": "def twice(xs):\n",
        "canonical_solution": "    xs.append(0)\n    return xs * 2\n",
        "entry_point": "twice",
        "test": "def check(candidate):\n    for i in (1, 2, 2):\n        assert candidate([i])[0] == i\n    assert candidate([0.5])\n",
    }
    found = record(row, find())
    assert found.calls == ((([1],), [1, 0, 1, 0]), (([2],), [2, 0, 2, 0]), (([0.5],), [0.5, 0, 0.5, 0]))
    assert found.usable
    assert found.unary


def test_literals_and_floats() -> None:
    assert literal({"a": [1, (2.5, None)]})
    assert not literal("x" * 200)
    assert not literal(float("inf"))
    assert not literal(10**5000)
    assert floats([1, [2, (3.0,)]])
    assert floats([{1: 0.5}])
    assert not floats([1, "2.0", {1: [True]}])


@pytest.mark.parametrize(
    ("result", "good", "bad"),
    [(0.1 + 0.2, 0.3, 0.31), ([0.1 + 0.2], [0.3], [0.31]), ([1], [1], [2]), ("a", "a", "b")],
)
def test_assertions_hold_for_what_is_close_and_for_nothing_else(result: Any, good: Any, bad: Any) -> None:
    line = assertion("f", ([1],), result)
    codes = [f"def f(x):\n    return {value!r}\n" for value in (good, bad)]
    item = Item("x", "def b():\n", "    pass\n", "def f(x):\n", "    pass\n", line)
    assert [o.all_passed for o in find().check([item.check(code) for code in codes])] == [True, False]


def test_lifting_keeps_an_item_only_if_its_tests_refuse_the_mutants() -> None:
    box = find()
    row = {"task_id": "X/0", "prompt": "def inc(x):\n", "canonical_solution": "    return x + 1\n", "entry_point": "inc"}
    calls = tuple(((i,), i + 1) for i in range(6))
    drafts = lift(Record(row, calls), box)
    assert [d.item.operator for d in drafts] == [
        "map", "count_equal", "argmax", "argmin", "sum", "group_by", "iterate", "pairwise_agree",
    ]  # fmt: skip
    made = {item.operator for item in kept(drafts, box)}
    assert {"map", "sum", "iterate"} <= made
    # Any increasing function has its largest value where the identity has it: no test can tell them apart.
    assert "argmax" not in made
    bools = Record({**row, "canonical_solution": "    return x > 2\n"}, tuple(((i,), i > 2) for i in range(6)))
    assert "filter" in {d.item.operator for d in lift(bools, box)}
    assert lift(Record(row, calls[:2]), box) == []


def test_the_generated_set_keeps_the_rules() -> None:
    items = generated()
    assert len({i.id for i in items}) == len(items) > 164
    assert {i.operator for i in items} == {op.name for op in OPERATORS}
    for item in items:
        _, tests = item.tests
        assert len(tests) >= LEAST
        assert item.base_check is not None
        assert never_named([item]) == []


def test_generated_items_hold_in_the_sandbox() -> None:
    """A twentieth of the set, the truth of each and its base; the whole set was run when it was made."""
    items = generated()[::20]
    found = judge(items, [[i.truth] for i in items])
    assert all(j.passed and j.base and j.calls_base for (j,) in found)


def test_the_generated_set_can_be_made_again() -> None:
    box, first = find(), rows("humaneval")[:2]
    made = kept([d for row in first for d in lift(record(row, box), box)], box)
    names = {row["task_id"] for row in first}
    assert made == [i for i in generated() if i.base in names]


def test_the_task_and_its_options() -> None:
    task = load("humaneval-pro", limit=5, seed=1)
    assert len(task.problems) == 5
    problem = task.problems[0]
    assert problem.reads == "code"
    assert task.gold(problem) not in str(problem.data)
    assert task.grade(problem, task.gold(problem)) == 1
    assert task.grade(problem, "def f(): pass") == 0
    assert task.grade(problem, None) == 0
    chosen = load("humaneval-pro:operator=iterate,style=cot", limit=3)
    assert all(p.id.endswith("/iterate") for p in chosen.problems)


@pytest.mark.parametrize("spec", ["operator=maps", "style=loud", "source=/no/such.json", "operatr=map"])
def test_bad_options_are_refused(spec: str) -> None:
    with pytest.raises(InputError):
        load(f"humaneval-pro:{spec}")


def test_pass_at_k_is_what_counting_subsets_gives() -> None:
    assert pass_at_k(5, 2, [1, 2]).tolist() == pytest.approx([0.4, 0.7])
    for n, c, k in [(5, 2, 2), (6, 1, 3), (4, 0, 2), (5, 5, 1), (7, 3, 5)]:
        right = np.arange(n) < c
        subsets = list(combinations(range(n), k))
        assert float(pass_at_k(n, c, k)) == pytest.approx(np.mean([right[list(s)].any() for s in subsets]))


def test_the_summary_on_programs_whose_truth_is_known() -> None:
    def of(base: bool | None, right: bool, **more: Any) -> Judged:
        return Judged("i", right, right, base, right or None, "" if right else "NameError", **more)

    table = [[of(True, True), of(True, False)], [of(True, False), of(False, False)], [of(False, True), of(None, False)]]
    table[2].append(Judged("i", infrastructure=True))
    s = summarise(table, (1, 2))
    assert s.pass_at["pro", 1].value == pytest.approx(1 / 3)
    assert s.pass_at["pro", 2].value == pytest.approx(2 / 3)
    assert s.confusion == {(True, True): 1, (True, False): 2, (False, True): 1, (False, False): 1}
    assert s.pro_given_base is not None
    assert s.pro_given_base.value == pytest.approx(1 / 3)
    assert (s.errors, s.judged, s.infrastructure) == ({"NameError": 4}, 6, 1)
    with pytest.raises(InputError, match="between 1 and 2"):
        summarise(table, (3,))


def test_a_model_is_asked_and_judged() -> None:
    good, bad = BODY + "    return sum(double(x) for x in numbers)\n```", BODY + "    return 0\n```\nThis is wrong."
    lm = Scripted({good: 0.5, bad: 0.5})
    s = evaluate(lm, [DOUBLE], ks=(1, 5), n=20, sampling=None)
    assert s.judged == 20
    assert Counter(s.errors).keys() <= {"AssertionError"}
    with pytest.raises(InputError, match="k <= n"):
        evaluate(lm, [DOUBLE], ks=(2,), n=1)
