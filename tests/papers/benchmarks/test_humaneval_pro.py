"""The reproduction of HumanEval Pro, with a scripted model in place of the small one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ponder.lm.scripted import Scripted
from ponder.papers.benchmarks import humaneval_pro
from ponder.papers.benchmarks.humaneval_pro_organism import ALPHABET, CHAINS, PROMPT, RESPONSE, Problem, draw, judged, lifted, run
from ponder.tasks.self_invoking import Item, generated
from ponder.tasks.self_invoking.records import sanitised


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> tuple[Item, ...]:
    """The items of the first two problems of HumanEval, and no others."""
    items = tuple(i for i in generated() if i.base in ("HumanEval/0", "HumanEval/1"))
    monkeypatch.setattr(humaneval_pro, "generated", lambda: items)
    monkeypatch.setattr(humaneval_pro, "rows", lambda name, real=humaneval_pro.rows: real(name)[:2])
    return items


def writer(items: tuple[Item, ...], faulty: bool) -> Scripted:
    """Writes each item's own solution; a faulty one leaves the second function's body out."""

    def answers(text: str) -> dict[str, float]:
        item = next(i for i in items if i.new_problem.strip() in text)
        body = "    return None\n" if faulty else item.new_solution
        return {item.raw_solution + "\n" + item.new_problem + body: 1.0}

    return Scripted(answers)


@pytest.mark.parametrize("faulty", [False, True])
def test_a_quick_run(few: tuple[Item, ...], faulty: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(humaneval_pro, "load", lambda name: writer(few, faulty))
    monkeypatch.setenv("PONDER_HOME", str(tmp_path))
    monkeypatch.setattr(humaneval_pro, "STEPS", 2)
    report = humaneval_pro.reproduce(quick=True, seed=0, out=tmp_path)
    failed = [c.name for c in report.checks if not c.passed]
    untrained = [c.name for c in report.checks if c.name.startswith("list programs")]
    assert set(failed) <= {"wrong base functions with which it passes", *untrained}, "so few solutions need not tell right from wrong"
    assert len(untrained) == 2
    assert "published" in report.untested
    assert report.figures[0].exists()
    figures = dict(report.tables[-1].rows)
    assert figures["pass@2 base"].startswith("1.000")
    assert figures["pass@2 pro"].startswith("0.000" if faulty else "1.000")


def test_published_files_are_audited_where_they_lie(few: tuple[Item, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from ponder.sandbox import find

    monkeypatch.setenv("PONDER_HOME", str(tmp_path))
    assert humaneval_pro.published_checks(find()) == []
    fields = ("id", "raw_problem", "raw_solution", "new_problem", "new_solution", "test_code")
    rows = [{f: getattr(i, f) for f in fields} for i in few[:2]]
    (tmp_path / "mbpp-pro.json").write_text(json.dumps(rows))
    passed, named = humaneval_pro.published_checks(find())
    assert (passed.measured, named.measured) == (2, 0)
    assert not passed.passed
    assert not named.passed


def test_sanitising_leaves_the_shipped_solutions_alone() -> None:
    assert all(sanitised(i.new_problem + i.new_solution) == i.new_problem + i.new_solution for i in generated())


@pytest.mark.parametrize(
    ("chain", "value"),
    [("rs", [1, 1, 2, 3]), ("ut", [1, 2]), ("hi", [4, 2, 2]), ("dc", [3, 7, 7, 5]), ("p", [3, 4, 5, 7]), ("eb", []), ("o", [3, 1, 1])],
)
def test_chains_of_primitives(chain: str, value: list[int]) -> None:
    assert run(chain, [3, 1, 1, 2]) == value


def test_second_functions() -> None:
    lists = [[1, 2], [3], [4, 5, 6]]
    assert lifted("*", "r", "i", lists) == [3, 2, 4, 7, 6, 5]
    assert lifted("^", "t", "", lists) == [5, 6]
    assert lifted("v", "t", "", lists) == []
    assert lifted("2", "i", "", lists) == [3, 4]
    assert lifted("3", "d", "r", lists) == [6, 8]


def test_list_programs_are_judged_by_what_they_do() -> None:
    inputs = [[[1, 2, 3], [4, 5], [6, 7, 8]], [[9, 9, 1], [0], [2, 4]]]
    problem = Problem("ri", "*", "s")
    assert judged(problem, "f=ri;g=*fs\n", inputs) == (True, True)
    assert judged(problem, "f=ir;g=*fs\n", inputs) == (True, True), "another program that does the same"
    assert judged(problem, "f=ri;g=*fr\n", inputs) == (True, False)
    assert judged(problem, "f=r;g=*fsi\n", inputs) == (False, False)
    assert judged(problem, "f=ri;g=*s\n", inputs) == (True, False)
    for nothing in ("", "f=ri;", "f=;g=", "g=*fs", "f=ri;g=", "f=Z;g=*fs", "f=ri;g=*fZ"):
        assert not judged(problem, nothing, inputs)[1]
    assert judged(Problem("ri"), "f=ri;\n", inputs) == (True, True)


def test_list_problems_fit_their_places_and_say_what_is_asked() -> None:
    rng = np.random.default_rng(0)
    inputs = [[[int(v) for v in rng.integers(0, 10, 5)] for _ in range(3)] for _ in range(3)]
    assert len(set(ALPHABET)) == len(ALPHABET)
    seen: dict[str, str] = {}
    for second in (False, True):
        for problem in draw(CHAINS, 2000, rng, second):
            prompt = problem.prompt(rng)
            assert len(prompt) == PROMPT
            assert len(problem.response) <= RESPONSE
            assert set(prompt + problem.response) <= set(ALPHABET)
            assert judged(problem, problem.response, inputs) == (True, True)
            assert seen.setdefault(prompt, problem.response) == problem.response
