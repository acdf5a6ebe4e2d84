"""ProcBench: golden runs of the official code, the published ranges, the task's options, published rows."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ponder.core.errors import InputError, MissingExtra
from ponder.core.steps import Steps
from ponder.tasks import describe, load
from ponder.tasks.procbench import PROCEDURES, draw, label
from ponder.tasks.procbench.compact import ALPHABET, COLUMNS, NUMBERS, WIDEST, prompt, prompt_places, response, response_places
from ponder.tasks.procbench.compact import draw as draw_compact
from ponder.tasks.procbench.editing import PushPop, Rotate, Sort
from ponder.tasks.procbench.lists import Compose, FindCyclic
from ponder.tasks.procbench.numbers import Count


def test_golden_runs_of_the_official_code() -> None:
    assert Sort("mrrdajhv").states() == ["mrrdajhv", "arrdmjhv", "adrrmjhv", "adhrmjrv", "adhjmrrv"]
    assert Rotate("mrrdajhv", ((2, 5), (1, 7), (1, 4))).states() == ["mrrdajhv", "mrardjhv", "mhrardjv", "mahrrdjv"]
    rules = (("ql", "q"), ("bv", "j"), ("jz", "o"), ("jj", "x"), ("om", "j"))
    composed = ["".join(map(str, state)) for state in Compose("gnjjzmqlw", rules).states() if isinstance(state, list)]
    assert composed == ["gnjjzmqlw", "gnjjzmqw", "gnjomqw", "gnjjqw", "gnxqw"]
    assert FindCyclic("4r7wjmal", "l", 5).states() == [["l", "5"], ["4", "4"], ["r", "3"], ["7", "2"], ["w", "1"], "j"]


def test_edges_of_procedures() -> None:
    assert PushPop("a", ("pop_left", "pop_right", "push_left(b)")).states() == ["a", "", "", "b"]
    assert Count(("a07b", "xyz")).states() == ["0", ["a07b", "2", "7", "14"], ["xyz", "3", "0", "0"], 14]
    assert Sort("aab").states() == ["aab"]


def some(number: int, k: int, n: int = 60) -> list:
    return [draw(number, k, 5, i) for i in range(n)]


@pytest.mark.parametrize("k", [2, 13, 25])
def test_instances_keep_to_the_published_ranges(k: int) -> None:
    """The table of the card: sizes at both ends, and constraints of every instance."""
    assert all(5 <= len(p.text) <= 50 for p in some(1, k))
    for p in some(2, k):
        assert 2 <= len(p.strings) <= 20
        assert all(5 <= len(s) <= 10 for s in p.strings)
        assert all(i < len(p.strings[which]) and 1 <= n <= len(p.strings[which]) - i for which, i, n in p.commands)
    assert all(len(p.strings) == k - 1 and all(4 <= len(s) <= 9 for s in p.strings) for p in some(3, k))
    assert all(len(p.strings) == 10 and len(p.needles) == k and all(3 <= len(s) <= 12 for s in p.strings) for p in some(4, k))
    assert all(3 <= len(p.strings) <= 25 and all(5 <= len(s) <= 20 for s in p.strings) for p in some(5, k))
    for p in some(6, k):
        mapped = [a for a, _ in p.pairs]
        assert len(p.text) == k
        assert set(mapped) == set(p.text)
        assert all(b not in mapped[: i + 1] for i, (_, b) in enumerate(p.pairs))
    assert all(max(len(run) for run in re.findall("0+|1+", p.bits)) <= 9 for p in some(7, k))
    assert all(k + 1 <= len(p.text) <= 30 and len(set(p.positions)) == k and min(p.positions) >= 1 for p in some(8, k))
    assert all(k + 1 <= len(p.text) <= 30 for p in some(9, k))
    for p in some(10, k, 10):
        left = [ab for ab, _ in p.rewriting]
        assert k + 3 <= len(p.text) <= 30
        assert len(set(left)) == len(left)
    for p in some(11, k, 20):
        left = {a for a, _ in p.rewriting}
        assert k + 5 <= len(p.text) <= k + 15
        assert 1 <= len(left) <= min(23, k)
        assert not any(set(bc) & left for _, bc in p.rewriting)
    assert all(4 <= len(p.digits) <= 6 and len(p.sequence) == 8 and set(p.sequence) <= set("abcde") for p in some(12, k))
    for p in some(13, k):
        assert len(p.target) == k + 1
        assert k + 1 <= len(p.candidates) <= k + 10
        assert all(c[0] == p.target[0] for c in p.candidates)
        assert p.candidates.index(p.target) == k - 1
    assert all(len({w.lower() for w in p.words}) == k for p in some(14, k))
    assert all(all(a != b for (a, _), (b, _) in zip(p.runs, p.runs[1:], strict=False)) for p in some(15, k))
    assert all(len(p.text) == len(p.actions) == k for p in some(16, k))
    assert all(5 <= len(p.text) <= 14 and all(0 <= m < n - 1 < len(p.text) for m, n in p.ranges) for p in some(17, k))
    assert all(sum(f"[{i}]" in p.text for i in range(1, k + 1)) == k for p in some(18, k))
    assert all(k + 1 <= len(p.text) <= 30 and not Counter(p.characters) - Counter(p.text) for p in some(19, k))
    assert all(len(set(p.text.split())) > k and len(set(p.text.split())) >= 5 and len(set(p.words)) == k for p in some(20, k))
    assert all(1 <= p.first <= 9 and all(n <= 9 if kind == "Add" else 1 <= n <= 5 for kind, n in p.operations) for p in some(21, k))
    assert all(p.width % 5 == 0 and 5 <= p.width <= 50 and all(1 <= n <= p.width for _, n in p.moves) for p in some(22, k))
    assert all(len(set(p.row)) == len(p.row) and k <= len(p.row) <= k + 4 and p.count == k for p in some(23, k))


def test_digits_are_as_frequent_as_published() -> None:
    """Letters weigh .75 and digits .25 each: a digit has probability 2.5/22. 4 standard errors."""
    text = "".join("".join(p.strings) for p in some(3, 25, 100))
    share, expected = sum(map(str.isdigit, text)) / len(text), 2.5 / 22
    assert abs(share - expected) < 4 * (expected * (1 - expected) / len(text)) ** 0.5


@pytest.mark.parametrize(("number", "k"), [(0, 5), (24, 5), (1, 1), (23, 26), (1, -3)])
def test_what_is_not_there_is_refused(number: int, k: int) -> None:
    with pytest.raises(InputError, match="ProcBench"):
        draw(number, k)


def test_the_task_has_all_items_and_grades_its_own_answers() -> None:
    task = load("procbench:per_length=1", seed=3)
    assert len(task.problems) == len({p.id for p in task.problems}) == 23 * 24
    for problem in task.problems:
        gold = task.gold(problem)
        assert task.grade(problem, problem.read(gold), gold) == 1
        assert task.grade(problem, problem.read(f"So:\n```json\n{gold}\n```\nThat is all.")) == 1
        assert task.grade(problem, None) == 0
        assert gold not in problem.question
        assert set(problem.data) == {"task", "steps", "procedure"}
    assert "[Question]" in describe(task)["prompt"]


def test_the_seed_decides_and_a_limit_takes_a_part() -> None:
    spec = "procbench:tasks=1,15-17,lengths=2-4,9,per_length=3"
    task = load(spec, seed=1)
    assert len(task.problems) == 4 * 4 * 3
    assert {(p.data["task"], p.data["steps"]) for p in task.problems} == {(f"task{n:02}", k) for n in (1, 15, 16, 17) for k in (2, 3, 4, 9)}
    assert load(spec, seed=1).problems == task.problems
    assert load(spec, seed=2).problems != task.problems
    few, more = load(spec, limit=5, seed=1).problems, load(spec, limit=9, seed=1).problems
    assert more[:5] == few
    assert {p.id for p in few} < {p.id for p in task.problems}


@pytest.mark.parametrize(("metric", "credit"), [("sm", 0.0), ("pa", 2 / 5), ("fm", 1.0), ("pml", 2 / 4)])
def test_metrics_of_an_answer_with_one_state_too_many(metric: str, credit: float) -> None:
    task = load(f"procbench:tasks=15,lengths=4,per_length=1,metric={metric}")
    (problem,) = task.problems
    right = label(problem.data["procedure"])
    given = Steps((*right.intermediate[:2], "2", right.intermediate[2]), right.final)
    assert task.grade(problem, problem.read(given.to_json())) == pytest.approx(credit)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("procbench:tasks=24", "tasks must be numbers from 1 to 23"),
        ("procbench:lengths=1-5", "lengths must be numbers from 2 to 25"),
        ("procbench:lengths=9-5", "9-5"),
        ("procbench:tasks=", "tasks must be"),
        ("procbench:tasks=" + "1" * 5000, "tasks must be"),
        ("procbench:metric=accuracy", "no metric"),
        ("procbench:per_length=0", "per_length"),
        ("procbench:task=1", "did you mean 'tasks'"),
        ("procbench:source=nowhere.jsonl", "nowhere.jsonl"),
    ],
)
def test_bad_options_are_refused(spec: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        load(spec)


ROWS = [
    {"prompt": "Sort it.\n[Question]\nString: ba", "label": {"init": "ba", "intermediate": ["x"], "final": "y"}, "task_name": "task01"},
    {"prompt": "Count.\n[Question]\n1", "label": '{"init": 1, "intermediate": [2, 3], "final": 7}', "task_name": "task21"},
]


def test_published_rows_of_either_form(tmp_path: Path) -> None:
    (tmp_path / "task01.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    with (tmp_path / "task20.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", "init", "intermediate", "final", "task_name", "example_name"])
        writer.writerow(["Move.\n[Question]\n-x", "-x", json.dumps(["x-"]), "-x", "task22", "0000"])
    task = load(f"procbench:source={tmp_path}")
    assert [p.data for p in task.problems] == [
        {"task": "task01", "steps": 2},
        {"task": "task21", "steps": 3},
        {"task": "task22", "steps": 2},
    ]
    first, second, third = task.problems
    assert first.question.startswith(ROWS[0]["prompt"])  # type: ignore[arg-type]
    assert '"intermediate"' in first.question
    assert task.grade(first, first.read('{"intermediate": ["x"], "final": "y"}')) == 1
    assert task.grade(second, second.read('{"intermediate": ["2", 3], "final": "07"}')) == 1
    assert task.grade(third, third.read('{"intermediate": ["x-"], "final": "x-"}')) == 0
    assert len(load(f"procbench:source={tmp_path},lengths=3").problems) == 1
    assert [p.id for p in load(f"procbench:source={tmp_path / 'task01.jsonl'}").problems] == ["task01-0", "task21-1"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "x", "task_name": "task01"}, "no column 'intermediate'"),
        ({"prompt": "x", "label": {"final": "y"}, "task_name": "task01"}, "row 1: the label cannot be used"),
        ({"prompt": "x", "label": "[1", "task_name": "task01"}, "not '[1'"),
        ({"prompt": " ", "label": ROWS[0]["label"], "task_name": "task01"}, "prompt is empty"),
        ({"prompt": "x", "label": ROWS[0]["label"], "task_name": "task99"}, "no row of the tasks"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, row: dict, said: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match=re.escape(said)):
        load(f"procbench:source={tmp_path / 'rows.jsonl'}")


def test_the_hub_needs_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingExtra, match="pip install datasets"):
        load("procbench:source=hub")


@pytest.mark.parametrize("number", NUMBERS)
def test_compact_forms_fit_their_page(number: int) -> None:
    rng = np.random.default_rng(number)
    for k in (2, 8, 17, 25):
        procedure = draw_compact(number, k, rng)
        asked, said = prompt(procedure), response(procedure)
        assert set(asked + said) <= set(ALPHABET)
        assert said.count(";") == k - 1
        assert said.endswith("\n")
        places = prompt_places(procedure) + response_places(said)
        assert len(places) == len(asked + said) == len(set(places))
        assert max(map(len, said.strip().split(";"))) <= WIDEST
        starts = [place for place, c in zip(places, asked + said, strict=True) if c in ">;\n"]
        assert starts == [line * COLUMNS for line in range(1, k + 2)]
    with pytest.raises(InputError, match="no compact form"):
        draw_compact(2, 5, rng)


def test_procedures_are_numbered_in_order() -> None:
    assert list(PROCEDURES) == list(range(1, 24))
