"""The reproduction of HumanEval Pro, with a scripted model in place of the small one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.lm.scripted import Scripted
from ponder.papers import humaneval_pro
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
    report = humaneval_pro.reproduce(quick=True, seed=0, out=tmp_path)
    failed = [c.name for c in report.checks if not c.passed]
    assert failed in ([], ["wrong base functions with which it passes"]), "so few solutions need not tell right from wrong"
    assert report.verdict == "partly"
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
