"""The reproduction of START, with scripted models in place of the organisms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ponder.lm.scripted import Scripted
from ponder.organisms import products
from ponder.papers.thinking import start
from ponder.papers.thinking.start import MODELS, SETTINGS, UNTESTED
from ponder.tasks import load as load_task


def writer(name: str, tool: bool = True) -> Scripted:
    """A model that is right in its head on two fifths of the products, that uses the tool when a hint says so, and that START has
    taught to say so itself."""

    def answers(text: str) -> dict[str, float]:
        a, b = map(int, re.findall(r"What is (\d+) \* (\d+)", text)[0])
        after = text.partition("assistant: ")[2]
        if after.endswith("["):
            return {f"{a}*{b}]": 1.0}
        if after.endswith("}"):
            return {f"so {after.rpartition('{')[2].rstrip('}')}.": 1.0}
        if after.endswith("python "):
            return {"[" if tool else f"so {a * b + (a % 5 > 1)}.": 1.0}
        taught = tool and "start" in name and "use python" not in after
        return {f"so {a * b + (a % 5 > 1)}." + (" Wait, use python [" if taught else ""): 1.0}

    return Scripted(answers)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = {start.NEW: load_task("products:n=60"), start.BALANCED: load_task("products:n=60", seed=1)}
    monkeypatch.setattr(start, "problem_sets", lambda seed: sets)


def scripted(monkeypatch: pytest.MonkeyPatch, tool: bool) -> None:
    monkeypatch.setattr(start, "load", lambda name: writer(name, tool))


def test_a_quick_run(few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, tool=True)
    report = start.reproduce(quick=True, seed=0, out=tmp_path)
    assert [c.name for c in report.checks if not c.passed] == []
    assert report.verdict == "partly"
    assert report.untested == UNTESTED
    assert report.figures[0].exists()
    rows = {row[0]: row for row in report.tables[0].rows}
    assert set(rows) == set(SETTINGS)
    assert rows["START"][3] == rows["base, hint R=1"][3] == 1.0
    assert rows["base"][3] == rows["RFT without tools"][3] == 0.0
    assert rows["START"][1].startswith("1.000")  # pyright: ignore[reportAttributeAccessIssue]


def test_a_model_without_the_skill_does_not_reproduce(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = start.measured({name: writer(name, tool=False) for name in MODELS}, load_task("products:n=60"))
    assert not start.premise_checks("x", found)[2].passed
    failed = [c.name for c in start.claim_checks("x", found) if not c.passed]
    assert {"x: hint R=1 less base", "x: START less RFT without tools", "x: START uses the tool by itself"} <= set(failed)


def test_the_sets_hold_only_products_that_no_training_saw() -> None:
    sets = start.problem_sets(3, 100)
    assert len(sets[start.NEW].problems) == 100
    pairs = [tuple(map(int, p.id.split("x"))) for p in sets[start.BALANCED].problems]
    assert len(set(pairs)) == len(pairs) > 100
    assert sum(b < 10 for _, b in pairs) * 2 == len(pairs)
    assert all(products.HELD_OUT[a, b] for a, b in pairs)


def test_a_fall_with_the_rounds_is_a_failure() -> None:
    found = start.measured({name: writer(name) for name in MODELS}, load_task("products:n=60"))
    assert not start.fails(found)
    assert start.fails(found | {"base, hint R=3": found["base"]})
    assert start.fails(found | {"START": found["base"]})
    assert start.fails(found | {"base": found["base, hint R=1"]})


def test_a_placebo_costs_tokens_and_gains_nothing() -> None:
    found = start.measured({name: writer(name) for name in MODELS}, load_task("products:n=60"))
    assert found["base, placebo hint"].accuracy == found["base"].accuracy
    assert found["base, placebo hint"].tokens.mean() > found["base"].tokens.mean()


def test_the_full_run_measures_other_training_seeds_too(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, tool=True)
    trained: list[int] = []

    def train(seed: int, folder: Path) -> dict[str, Scripted]:
        trained.append(seed)
        return {name: writer(name) for name in MODELS}

    monkeypatch.setattr(start, "trained", train)
    monkeypatch.setattr(start, "exact_checks", lambda lm, seed: [])
    report = start.reproduce(quick=False, seed=0)
    assert trained == [1, 2]
    assert len(report.tables) == 6
    assert sum(c.claim for c in report.checks) == 36
