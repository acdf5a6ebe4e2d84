"""The mind-your-step reproduction: its parts on imitations whose results are known, and a quick run without a language model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ponder.papers.benchmarks.mind_your_step as paper
from ponder.bench.conditions import Outcomes, paired
from ponder.core.language import Scored
from ponder.lm.scripted import Scripted
from ponder.papers.benchmarks.mind_your_step import (
    SLUG,
    Grammars,
    accuracies,
    by_grammar,
    condition_table,
    grammar_checks,
    members,
    overlaps,
    readout_table,
    reproduce,
)
from ponder.papers.benchmarks.mind_your_step_organism import Modes, checks_of, table_of
from ponder.tasks import load


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))


@pytest.fixture
def no_organism(monkeypatch: pytest.MonkeyPatch) -> None:
    """Organisms are measured in `test_a_quick_run_without_a_model_says_what_it_left_out`, and take minutes in full."""
    monkeypatch.setattr(paper, "organism_part", lambda quick, seed: ([], []))


def test_a_quick_run_without_a_model_says_what_it_left_out() -> None:
    report = reproduce(quick=True, seed=0)
    assert report.slug == SLUG
    assert all(c.passed for c in report.checks if "accuracy with rules" not in c.name)
    assert report.verdict == "partly"
    assert report.tables[0].rows[-1][0] == "pairs that were shown, no model"
    assert "smollm2, whose file is not here" in report.untested


class Reader(Scripted):
    """An imitation that says yes or no at random, and finds strings with an X less likely."""

    def logprobs(self, continuations):
        return [Scored((-1.0 - c.text.count("X"),)) for c in continuations]


class Gone(Reader):
    """A model that must not be asked again."""

    def logprobs(self, continuations):
        raise AssertionError

    def generate(self, requests, sampling, allowance=None):
        raise AssertionError


@pytest.mark.usefixtures("no_organism")
def test_the_full_run_with_an_imitation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "load", lambda name: Reader({"Yes": 0.4, "No": 0.4, "Hm": 0.2}))
    report = reproduce(quick=False, seed=0, out=tmp_path)
    auc, lost = report.checks[-2:]
    assert "12 of them" in auc.name
    assert not auc.passed
    assert not lost.passed, "what cannot be read does not count as lost"
    conditions = report.tables[-1]
    assert [row[0] for row in conditions.rows] == ["artificial-grammar", *paper.OTHERS]
    assert [row[1] for row in conditions.rows] == [176, *[24] * 5]
    monkeypatch.setattr(paper, "load", lambda name: Gone({"Yes": 1.0}))
    assert reproduce(quick=False, seed=0, out=tmp_path).tables == report.tables, "a rerun replays what was kept"
    assert [f.name for f in report.figures] == ["accuracy.svg"]


def answers(task, correct: np.ndarray, unread: np.ndarray) -> Outcomes:
    n = len(correct)
    return Outcomes(tuple(p.id for p in task.problems), correct & ~unread, unread, np.zeros(n, bool), np.full(n, 7))


def known(noise: float) -> Grammars:
    """A model that knows members up to noise, says no to everything, and when it thinks is readable one time in five."""
    task = load("artificial-grammar:grammars=3")
    member = members(task)
    rng = np.random.default_rng(0)
    readout = member + noise * rng.normal(size=len(member))
    never, fifth = np.zeros(len(member), bool), np.arange(len(member)) % 5 > 0
    direct, cot = answers(task, ~member, never), answers(task, rng.random(len(member)) < 0.5, fifth)
    return Grammars(task, member, readout, readout, rng.normal(size=len(member)), overlaps(task), direct, cot, by_grammar(readout, task))


def test_gates_of_implicit_knowledge() -> None:
    found = known(0.3)
    assert [c.passed for c in grammar_checks(found)] == [True, True]
    shares = accuracies(found)
    assert shares["implicit"].value > 0.9
    assert shares["verbal, direct"].value == 0.5
    assert shares["verbal, thinking"].value < 0.2
    assert shares["verbal, thinking, unread as guesses"].value == shares["verbal, thinking"].value + 0.5 * found.cot.unread.mean()
    assert "20% that can be read" in str(grammar_checks(found)[1].measured)
    assert not grammar_checks(known(100.0))[0].passed
    assert "no interval" in str(grammar_checks(replace(found, aurocs=[0.7]))[0].measured)


def test_tables_tell_unread_answers_apart() -> None:
    found = known(0.3)
    assert len(readout_table(found).rows) == 7
    report = paired(found.direct, found.cot)
    (row,) = condition_table({"artificial-grammar": report}, {"artificial-grammar": 0.5}).rows
    assert row[7] == "0.00 / 0.80"
    assert report.delta_read is not None
    assert abs(report.delta_read[0].value) < 0.35
    assert row[-2:] == ("no", "direct"), "not above chance"


def modes(direct: np.ndarray, thought: np.ndarray, sums: tuple[float, float]) -> Modes:
    """A net that is right about 880 strings where told, and about shares of 100 sums."""
    none = np.zeros(len(direct), bool)
    outcomes = [
        Outcomes(tuple(map(str, range(len(x)))), x, none[: len(x)], none[: len(x)], np.ones(len(x), int)) for x in (direct, thought)
    ]
    worked = [
        Outcomes(tuple(map(str, range(100))), np.arange(100) < 100 * share, np.zeros(100, bool), np.zeros(100, bool), np.ones(100, int))
        for share in sums
    ]
    return Modes(paired(*outcomes), paired(*worked), thought, 0.9)


def test_gates_of_an_organism_in_two_modes() -> None:
    n = 880
    right = np.arange(n) % 10 > 0
    losing = right & (np.arange(n) % 20 > 1)
    checks = checks_of("net", modes(right, losing, (0.2, 0.9)))
    assert [c.passed for c in checks] == [True, True]
    assert [c.claim for c in checks] == [True, False]
    assert not checks_of("net", modes(right, right, (0.2, 0.9)))[0].passed, "no drop"
    shuffled = np.random.default_rng(0).permutation(losing)
    assert not checks_of("net", modes(losing, shuffled, (0.2, 0.9)))[0].passed, "errors elsewhere are no drop"
    assert not checks_of("net", modes(losing, right, (0.5, 0.55)))[1].passed, "thinking that is broken"
    task = load("artificial-grammar:grammars=20", seed=0)
    table = table_of({"net": modes(right, losing, (0.2, 0.9))}, task)
    assert [row[0] for row in table.rows] == ["net", "pairs that were shown, no model"]
    assert "20 x 44" in table.title
    assert table.rows[0][-1] == "0.200 / 0.900"
