"""`ponder search`: what it prints, that it goes on where it stopped, that another template uses what was drawn."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ponder.bench.store import RunStore
from ponder.cli import main

MODEL = "scripted:56=0.6,54=0.4"
TEMPLATE = "sample({1, 4}) | {weigh(random), None} | {vote(), argmax()}"


def ponder(out: Path, *more: str, template: str = TEMPLATE) -> Result:
    arguments = ("search", "times-tables", "--model", MODEL, "--template", template, "--limit", "24", "--out", str(out), *more)
    return CliRunner().invoke(main, arguments)


def test_a_search_ends_in_a_winner_a_verdict_and_a_page(tmp_path: Path):
    result = ponder(tmp_path, "--optimiser", "grid")
    assert result.exit_code == 0, result.output
    assert "8 of 8 configurations" in result.output
    assert "held out" in result.output
    assert "optimism" in result.output
    page = (tmp_path / "search.html").read_text()
    assert page.count("<svg") == 4
    assert "sample({1, 4})" in page
    assert "<script" not in page


def test_it_resumes_by_replaying_and_shares_samples(tmp_path: Path):
    first = ponder(tmp_path, "--json", "--evaluations", "3")
    assert first.exit_code == 0, first.output
    store = RunStore(tmp_path)
    before = store.answers()
    store.close()
    again = ponder(tmp_path, "--json", "--evaluations", "6")
    told, more = json.loads(first.stdout), json.loads(again.stdout)
    assert more["trials"][:3] == told["trials"]
    store = RunStore(tmp_path)
    assert before.items() <= store.answers().items()
    store.close()
    replies = sqlite3.connect(tmp_path / "run.sqlite").execute("SELECT count(*) FROM replies").fetchone()[0]
    assert replies <= 2 * 24  # one call a question and sample size, however many methods use it


def test_a_winner_is_asked_of_the_holdout_once(tmp_path: Path):
    first, again = (json.loads(ponder(tmp_path, "--json", "--optimiser", "grid").stdout) for _ in range(2))
    assert first["held_out"] == again["held_out"]
    assert set(first["importance"]) == {"sample.n", "stage 1", "stage 2"}


@pytest.mark.parametrize(
    ("more", "template", "said"),
    [
        ((), "sample(4) | vote()", "nothing to choose"),
        (("--optimiser", "best"), TEMPLATE, "best"),
        (("--holdout", "0"), TEMPLATE, "0"),
        (("--front", "--cost", "eggs"), TEMPLATE, "eggs"),
        (("--baseline", "vote("), TEMPLATE, "not a method"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, more: tuple[str, ...], template: str, said: str):
    result = ponder(tmp_path, *more, template=template)
    assert result.exit_code == 2
    assert said in result.output


def test_a_limit_that_nothing_meets_has_no_winner(tmp_path: Path):
    result = ponder(tmp_path, "--within", "1", "--optimiser", "grid")
    assert result.exit_code == 0
    assert "no configuration is within the limit" in result.output


def test_other_held_out_questions_in_the_same_folder_are_refused_before_anything_is_asked(tmp_path: Path):
    assert ponder(tmp_path, "--optimiser", "grid").exit_code == 0
    store = RunStore(tmp_path)
    before = store.keys()
    store.close()
    result = ponder(tmp_path, "--optimiser", "grid", "--holdout", "0.3")
    assert result.exit_code == 2
    assert "holdout" in result.output
    store = RunStore(tmp_path)
    assert store.keys() == before
    store.close()
