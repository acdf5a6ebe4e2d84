"""A run through a reusable holdout: what is shown, what is kept, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ponder.bench.held import held_rows
from ponder.cli import main
from ponder.core.errors import InputError
from ponder.trust.holdout import Ledger, halves

IDS = [f"q{i}" for i in range(400)]
TRAIN, HELD = halves(IDS, salt="t")
BILL = {"tokens": 1, "calls": 1, "seconds": 0.0, "money": 0.0}


def answers_of(methods):
    """Answers of a run: method -> grade a problem."""
    row = {"random": 0.0, "oracle": 1.0, "abstained": False, "confidence": 0.5, "bill": BILL}
    return {("t", m, 0, IDS[i]): {**row, "correct": float(g)} for m, grades in methods.items() for i, g in enumerate(grades)}


def test_the_training_half_is_shown_and_the_holdout_vouches_or_disagrees(tmp_path):
    honest, overfitted = np.zeros(400), np.zeros(400)
    honest[[*TRAIN[::2], *HELD[::2]]] = 1
    overfitted[TRAIN] = 1
    methods = {"honest": honest, "overfitted": overfitted}
    rows = held_rows(answers_of(methods), list(methods), {"t": IDS}, tmp_path)
    assert [r.accuracy.value for r in rows] == pytest.approx([0.5, 1.0], abs=0.003)
    assert [(r.problems, r.held.source, r.held.remaining) for r in rows] == [(len(TRAIN), "train", 100), (len(TRAIN), "holdout", 99)]
    assert rows[1].held.value == pytest.approx(0.0, abs=0.2)
    again = held_rows(answers_of(methods), list(methods), {"t": IDS}, tmp_path)
    assert [r.held for r in again] == [r.held for r in rows], "the same question costs nothing and gets the same answer"
    assert len(Ledger(tmp_path / "t.sqlite").entries()) == 2


def test_an_unfinished_method_is_not_asked_about(tmp_path):
    answers = answers_of({"m": np.ones(400)})
    answers |= {("t", "m", 1, problem): row for (*_, problem), row in answers.items()}
    answers.pop(("t", "m", 1, IDS[HELD[0]]))
    (row,) = held_rows(answers, ["m"], {"t": IDS}, tmp_path)
    assert row.held is None
    assert Ledger(tmp_path / "t.sqlite").entries() == []


def test_a_spent_budget_vouches_for_nothing_more_and_cannot_be_raised(tmp_path):
    grades = np.zeros(400)
    grades[TRAIN] = 1
    methods = dict.fromkeys("abc", grades)
    rows = held_rows(answers_of(methods), list("abc"), {"t": IDS}, tmp_path, budget=1)
    assert [r.held is None for r in rows] == [False, True, True]
    with pytest.raises(InputError, match="opened with budget 1"):
        held_rows(answers_of(methods), list("abc"), {"t": IDS}, tmp_path, budget=2)
    with pytest.raises(InputError, match="opened with"):
        held_rows(answers_of(methods), list("abc"), {"t": IDS[:300]}, tmp_path, budget=1)


def test_at_the_command_line(tmp_path: Path):
    model = ("--model", "scripted:7 * 8 = 56=0.7,It is 54.=0.3")
    command = ("bench", "times-tables", *model, "--limit", "30", "--method", "sample(1)", "--no-plot", "--holdout", str(tmp_path / "held"))
    shown = CliRunner().invoke(main, [*command, "--out", str(tmp_path / "a")])
    assert shown.exit_code == 0, shown.output
    assert "report the holdout's estimate" in shown.stdout
    told = [json.loads(CliRunner().invoke(main, [*command, "--out", str(tmp_path / o), "--json"]).stdout)["rows"][0] for o in "ab"]
    assert told[0]["held"] == told[1]["held"], "another run folder asks the same ledger"
    assert told[0]["held"]["remaining"] <= 100
    assert told[0]["problems"] < 30
