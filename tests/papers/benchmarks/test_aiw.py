"""The AIW reproduction: its parts on imitations whose results are known, and a quick run without a language model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ponder.papers.benchmarks.aiw as paper
from ponder.bench.fluctuation import Trials
from ponder.lm.scripted import Scripted
from ponder.organisms.family import Questions
from ponder.organisms.net import Net
from ponder.organisms.shelf import find
from ponder.papers.benchmarks import aiw_organism
from ponder.papers.benchmarks.aiw import PUBLISHED, SLUG, model_checks, model_table, published_part, reproduce
from ponder.papers.benchmarks.aiw_organism import mistakes
from ponder.tasks import load


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))


def test_a_quick_run_without_a_model_says_what_it_left_out() -> None:
    report = reproduce(quick=True, seed=0)
    assert report.slug == SLUG
    assert all(c.passed for c in report.checks)
    assert report.verdict == "partly"
    assert "smollm2, whose file is not here" in report.untested
    (problems,) = [t for t in report.tables if t.title.startswith("organism:family on")]
    rates = {row[0]: row[1:5] for row in problems.rows}
    assert set(rates["aiw"]) == {"0.00"}
    assert set(rates["light_family"]) | set(rates["light_arithmetic"]) | set(rates["bob"]) == {"1.00"}


def test_the_full_run_with_an_imitation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An imitation that copies 3 or says 7; organisms are the shipped one thrice."""
    shipped = Net.load(find("family").path)
    monkeypatch.setattr(paper, "load", lambda name: Scripted({"### Answer: 3": 0.5, "### Answer: 7": 0.3, "so": 0.2}))
    monkeypatch.setattr(aiw_organism, "train_three", lambda seed: {f"seed {seed + i}": shipped for i in range(3)})
    report = reproduce(quick=False, seed=1, out=tmp_path)
    assert [c.passed for c in report.checks if c.name.startswith("organism")] == [True] * 3
    assert sum(t.title.startswith("smollm2") for t in report.tables) == 1 + len(paper.OTHER_PROMPTS)
    assert [f.name for f in report.figures] == ["rates.svg"]
    assert "not here" not in report.untested


def test_published_rates_swing() -> None:
    (check,), table = published_part()
    assert (check.measured, check.passed) == (4, True)
    assert {row[0]: row[-1] for row in table.rows} == dict.fromkeys(PUBLISHED, "yes") | {"claude-3.5-sonnet, AIW+": "no"}


def trials(correct: dict[str, list[int]], n: int = 30) -> dict[str, list[Trials]]:
    return {
        family: [Trials(p, n, c, 1, 2, 9) for p, c in zip(load(f"aiw:family={family}").problems, counts, strict=True)]
        for family, counts in correct.items()
    }


def test_gates_of_the_contrast() -> None:
    shown = {"aiw": [1, 0, 1, 0], "light_family": [12, 0, 18, 12], "light_arithmetic": [10, 9, 8, 11]}
    assert [c.passed for c in model_checks(trials(shown))] == [True] * 4
    level = {"aiw": [12, 0, 18, 10], "light_family": [12, 0, 18, 12], "light_arithmetic": [1, 2, 0, 0]}
    assert [c.passed for c in model_checks(trials(level))] == [False, True, False, False]
    table = model_table(trials(shown), "standard")
    assert table.rows[1][1:5] == ("0.40", "0.00", "0.60", "0.40")
    assert table.rows[1][-2:] == (4 / 120, 8 / 120)


def test_what_a_mistake_is() -> None:
    """3 brothers and 6 sisters: 7 is right, 6 and 3 are copied, 9 is the sum, 42 is nothing."""
    five = np.ones(5, dtype=np.int64)
    asked = Questions(0 * five, 3 * five, 6 * five, 0 * five, five, five)
    shares = mistakes(asked, np.array([7, 6, 3, 9, 42]))
    assert shares == {"m + 1": "0.200", "m": "0.200", "n": "0.200", "n + m": "0.200", "other": "0.200"}
