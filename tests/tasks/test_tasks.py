"""Tasks: made problems are right and repeatable, rows are read or refused by name, graders know their own answers."""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder import pull
from ponder.core.errors import InputError, MissingExtra, PonderError
from ponder.core.problem import Problem
from ponder.pull import Source
from ponder.tasks import Task, describe, load, names
from ponder.tasks.base import draw, split_spec
from ponder.tasks.rows import PUBLISHED

MADE = ["times-tables", "arithmetic", "arithmetic:difficulty=5", "arithmetic:digits=1,terms=2,operators=*,n=81"]


def own_answers_are_right(task: Task) -> bool:
    return all(task.grade(p, p.read(task.gold(p)), task.gold(p)) == 1.0 for p in task.problems)


@pytest.mark.parametrize("spec", MADE)
@pytest.mark.parametrize("seed", [0, 1])
def test_made_problems_are_different_right_and_keep_their_examples_apart(spec: str, seed: int) -> None:
    task = load(spec, seed=seed)
    assert task.name == spec
    assert len({p.question for p in task.problems}) == len({p.id for p in task.problems}) == len(task.problems)
    for problem in task.problems:
        expression = re.fullmatch(r"What is ([\d +*-]+)\?", problem.question)
        assert expression
        assert eval(expression[1]) == int(task.gold(problem))  # noqa: S307 (digits and operators only)
        assert len(problem.examples) == 3
        for question, solution in problem.examples:
            assert question != problem.question
            assert solution == f"{question[8:-1]} = {eval(question[8:-1])}"  # noqa: S307
            assert problem.read(solution) == solution.rpartition("= ")[2]
    assert own_answers_are_right(task)


def test_times_tables_ask_in_the_form_that_was_measured() -> None:
    task = load("times-tables:low=2,high=12,n=121")
    assert len(task.problems) == 121
    for problem in task.problems:
        asked = sorted(re.findall(r"\d+", problem.question))
        assert all(sorted(re.findall(r"\d+", question)) != asked for question, _ in problem.examples)
    shown = describe(task)["prompt"]
    assert re.fullmatch(r"(Q: What is \d+ \* \d+\?\nA: \d+ \* \d+ = \d+\n\n){3}Q: What is \d+ \* \d+\?\nA:", shown)


@pytest.mark.parametrize("spec", MADE)
def test_the_seed_decides_and_a_limit_takes_a_part(spec: str) -> None:
    assert load(spec, seed=3).problems == load(spec, seed=3).problems
    assert [p.question for p in load(spec, seed=3).problems] != [p.question for p in load(spec, seed=4).problems]
    assert load(spec, limit=5, seed=3).problems == load(spec, seed=3).problems[:5]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**80), st.integers(0, 1000))
def test_draws_are_different_and_within(n: int, more: int, seed: int) -> None:
    import numpy as np

    drawn = draw(n + more, n, np.random.default_rng(seed))
    assert len(set(drawn)) == n
    assert all(0 <= i < n + more for i in drawn)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("times-table", "did you mean 'times-tables'"),
        ("times-tables:hihg=3", "did you mean 'high'"),
        ("times-tables:high=x", "whole number"),
        ("times-tables:low=5,high=5", "at least low"),
        ("times-tables:n=1000", "between 1 and 121"),
        ("times-tables:low=1,low=2", "twice"),
        ("times-tables:five", "key=value"),
        ("arithmetic:difficulty=9", "between 1 and 5"),
        ("arithmetic:operators=%", "different ones of"),
        ("arithmetic:digits=99", "between 1 and 12"),
        ("arithmetic:difficulty=1,n=100", "between 1 and 81"),
        ("gsm8k:x=1", "it has none"),
        ("file:", "needs a path"),
        ("hub:", "needs a data set"),
        ("file:/no/such/file.csv", "cannot be read"),
        ("gym:countdwn", "did you mean 'countdown'"),
        ("gym:countdown,colour=1", "no option 'colour'"),
        ("gym:countdown,n=0", "at least 1"),
        ("gym:countdown,min_numbers=9,max_numbers=2", "refuses these options"),
        ("gym:rush_hour", "cannot be checked"),
        ("gym:composite", "no generator"),
        ("", "no task is called"),
    ],
)
def test_wrong_specs_are_refused_with_what_would_be_right(spec: str, said: str) -> None:
    if spec.startswith("gym"):
        pytest.importorskip("reasoning_gym")
    with pytest.raises(InputError, match=re.escape(said)):
        load(spec)


@pytest.mark.parametrize(("limit", "seed"), [(0, 0), (-1, 0), (None, -1)])
def test_wrong_limits_and_seeds_are_refused(limit: int | None, seed: int) -> None:
    with pytest.raises(InputError, match="must be"):
        load("times-tables", limit=limit, seed=seed)


def test_specs_are_split_at_keys_only() -> None:
    assert split_spec("file:a,b.csv,question=q,answer=x=y") == ("file", "a,b.csv", {"question": "q", "answer": "x=y"})
    assert split_spec("arithmetic:difficulty=3") == ("arithmetic", "", {"difficulty": "3"})
    assert split_spec("gsm8k") == ("gsm8k", "", {})


@given(st.text(max_size=40))
def test_any_spec_is_a_task_or_a_ponder_error(spec: str) -> None:
    with suppress(PonderError):
        assert load(spec, limit=1).problems


def test_names_lists_every_kind() -> None:
    listed = names()
    made = {"times-tables", "arithmetic", "chain", "countdown", "gym"}
    assert {n.partition(":")[0] for n in listed} >= made | {"procbench", "gsm8k", "boolq", "arc-challenge", "file", "hub"}
    assert all(listed.values())


def test_grading_compares_values_and_knows_percents() -> None:
    problem = Problem("How many percent?", id="0", reads="number")
    task = Task("t", "", (problem,), {"0": "25"})
    assert task.grade(problem, "25") == 1.0
    assert task.grade(problem, str(Fraction(1, 4)), "It is 25%.") == 1.0
    assert task.grade(problem, "1/4", "It is 1/4.") == 0.0
    assert task.grade(problem, None, "25") == 0.0
    with pytest.raises(InputError, match="no problem"):
        task.grade(Problem("Another?", id="9"), "25")


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_files_in_several_shapes(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"question": "1+1?", "answer": "So it is\n#### 2"}, {"question": "½?", "answer": "0.50"}]
    numbers = load(f"file:{write(tmp_path / 'n.jsonl', rows)}")
    assert [numbers.gold(p) for p in numbers.problems] == ["2", "1/2"]
    assert {p.reads for p in numbers.problems} == {"number"}
    (tmp_path / "c.csv").write_text(
        '\ufeffq,a,opts\n"Who, then?",cat,dog|cat\nWho?,A,"[""dog"", ""cat""]"\nWho?,1,dog|cat\n', encoding="utf-8"
    )
    chosen = load(f"file:{tmp_path / 'c.csv'},question=q,answer=a,choices=opts")
    assert [chosen.gold(p) for p in chosen.problems] == ["B", "A", "B"]
    assert chosen.guess == 0.5
    truths = load(f"file:{write(tmp_path / 't.jsonl', [{'input': 'Is it?', 'label': True, 'passage': 'It is.'}])}")
    assert truths.gold(truths.problems[0]) == "yes"
    assert truths.problems[0].context == ("It is.",)
    texts = load(f"file:{write(tmp_path / 'x.jsonl', [{'prompt': 'Capital?', 'target': 'Paris.'}])},style=cot")
    assert (texts.gold(texts.problems[0]), texts.problems[0].style) == ("paris", "cot")
    assert all(own_answers_are_right(t) for t in (numbers, chosen, truths, texts))


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ('{"a": 1, "b": 2}\n', "", "columns are a, b"),
        ('{"question": "x?", "answer": "1"}\n{"question": \n', "", "line 2: not JSON"),
        ('{"question": "x?", "answer": "1"}\n[1]\n', "", "line 2: not a JSON object"),
        ('{"question": "x?", "answer": "1"}\n', ",question=q", "no column 'q'"),
        ('{"question": "x?", "answer": "1"}\n', ",reads=maths", "did you mean 'math'"),
        ('{"question": "x?", "answer": "1"}\n', ",colour=red", "no option is called 'colour'"),
        ('{"question": "x?", "answer": "twelve"}\n', ",reads=number", "row 1: the answer 'twelve' cannot be read as a number"),
        ('{"question": "x?", "answer": "1"}\n{"question": " ", "answer": "1"}\n', "", "row 2: the question is empty"),
        ('{"question": "x?", "answer": "C", "choices": ["a", "b"]}\n', "", "of 2 options"),
        ('{"question": "x?", "answer": "A", "choices": ["a"]}\n', "", "2 to 10 texts"),
        ("\n", "", "holds no rows"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path: Path, content: str, options: str, said: str) -> None:
    (tmp_path / "bad.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(said)):
        load(f"file:{tmp_path / 'bad.jsonl'}{options}")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        load(f"file:{tmp_path / 'bad.jsonl'}")


def test_limits_of_fixed_sets_are_seeded_subsets(tmp_path: Path) -> None:
    path = write(tmp_path / "n.jsonl", [{"question": f"{i}?", "answer": str(i)} for i in range(50)])
    whole = load(f"file:{path}")
    part = load(f"file:{path}", limit=10, seed=1)
    assert [p.id for p in whole.problems] == [str(i) for i in range(50)]
    assert len({p.id for p in part.problems}) == 10
    assert all(p in whole.problems and part.gold(p) == p.id for p in part.problems)
    assert part.problems == load(f"file:{path}", limit=20, seed=1).problems[:10]
    assert part.problems != load(f"file:{path}", limit=10, seed=2).problems


def test_hub_folders_and_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    row = {"question": "Which?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"}
    write(tmp_path / "data" / "test-00000-of-00001.jsonl", [row])
    task = load(f"hub:{tmp_path}")
    assert task.gold(task.problems[0]) == "B"
    with pytest.raises(InputError, match=r"no \.jsonl, \.csv or \.tsv file of a split 'train'"):
        load(f"hub:{tmp_path},split=train")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match="pip install datasets"):
        load("hub:someone/set")
    asked: list[tuple[str, str | None, str]] = []

    def load_dataset(name: str, config: str | None, split: str) -> list[dict[str, object]]:
        asked.append((name, config, split))
        return [row]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    assert len(load("hub:someone/set,config=main,split=dev").problems) == 1
    assert asked == [("someone/set", "main", "dev")]


PUBLISHED_ROWS = {
    "gsm8k": ({"question": "How much?", "answer": "2,125"}, "2125", 0.0),
    "boolq": ({"question": "is it so", "passage": "It is.", "answer": "yes"}, "yes", 0.5),
    "arc-challenge": ({"question": "Which?", "choices": ["w", "x", "y", "z"], "labels": list("ABCD"), "answer": "C"}, "C", 0.25),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_sets_are_read_from_their_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row, gold, guess = PUBLISHED_ROWS[name]
    path = write(tmp_path / "set.jsonl", [row])

    def fetched(source: str) -> Path:
        assert isinstance(pull.SOURCES[source], Source)
        return path

    monkeypatch.setattr("ponder.tasks.rows.fetch", fetched)
    task = load(name)
    assert (task.gold(task.problems[0]), task.guess) == (gold, guess)
    assert task.problems[0].question[-1] == "?"
    assert own_answers_are_right(task)
    assert describe(task)["problems"] == 1
