"""The command line: what it prints, and exit codes that scripts can trust."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ponder.cli import Commands, main

MODEL = ("--model", "scripted:7 * 8 = 56=0.7,It is 54.=0.2,who knows=0.1")


def ponder(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def test_an_answer_with_its_bill() -> None:
    result = ponder("ask", "What is 7 * 8?", *MODEL, "--method", "rpc(16)")
    assert result.exit_code == 0
    assert result.stdout.startswith("56")
    assert "bill" in result.stdout
    assert "1 call" in result.stdout


def test_json_holds_everything() -> None:
    result = ponder("ask", "What is 7 * 8?", *MODEL, "--budget", "600 tokens", "--json")
    answer = json.loads(result.stdout)
    assert answer["value"] == "56"
    assert answer["bill"]["tokens"] <= 600
    assert answer["budget"] == "600 tokens"
    assert answer["method"] == "sample(16) | vote()"


def test_a_budget_that_ends_is_kept_and_said() -> None:
    answer = json.loads(ponder("ask", "What is 7 * 8?", *MODEL, "--budget", "30 tokens", "--json").stdout)
    assert answer["bill"]["tokens"] <= 30 + 16
    assert any("budget ended" in note for note in answer["notes"])


def test_abstention_is_exit_code_three() -> None:
    assert ponder("ask", "What is 7 * 8?", *MODEL, "--method", "sample(16) | vote() | abstain(0.99)").exit_code == 3
    result = ponder("ask", "What is 7 * 8?", *MODEL, "--budget", "0 tokens", "--json")
    assert result.exit_code == 3
    assert "budget" in json.loads(result.stdout)["reason"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "What?", "--method", "smaple(3)"),
        ("ask", "What?", "--model", "gpt-17"),
        ("ask", "What?", "--budget", "a lot"),
        ("ask", "What?", *MODEL, "--temperature", "-1"),
        ("ask", "What?", *MODEL, "--example", "no arrow"),
        ("ask", "What?", *MODEL, "--price", "cheap"),
        ("ask", "What?", *MODEL, "--style", "few-shot"),
        ("ask", "  ", *MODEL),
        ("ask",),
        ("bench", "no-such-task", *MODEL),
        ("bench", "times-tables", *MODEL, "--method", "vote("),
        ("bench", "times-tables", *MODEL, "--budget", "$1"),
        ("pull", "nothing"),
        ("methods", "show", "vot"),
        ("tasks", "show", "times-table"),
        ("papers", "show", "nothing"),
        ("banch",),
    ],
)
def test_bad_input_is_exit_code_two_and_no_traceback(arguments: tuple[str, ...]) -> None:
    result = ponder(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


def test_failure_is_exit_code_one(tmp_path: Path) -> None:
    """A server that is not there is a failure, also when the time is over before all retries."""
    for budget in ((), ("--budget", "1s")):
        result = ponder("ask", "What?", "--model", "http://127.0.0.1:9/v1#m", "--method", "sample(1)", *budget)
        assert result.exit_code == 1
        assert "refused" in result.stderr
    bench = ("bench", "times-tables", "--model", "http://127.0.0.1:9/v1#m", "--limit", "1", "--budget", "1s")
    result = ponder(*bench, "--out", str(tmp_path), "--no-plot")
    assert result.exit_code == 1
    assert "failed" in result.stdout


def test_the_question_from_standard_input_and_choices() -> None:
    result = ponder(
        "ask", "-", "--model", "scripted:B=0.8,A=0.2", "--choice", "red", "--choice", "blue", "--json", stdin="What colour is the sky?"
    )
    assert json.loads(result.stdout)["value"] == "B"


def test_every_help_text_has_an_example() -> None:
    for name in Commands.homes:
        help_text = ponder(name, "--help").stdout
        assert f"ponder {name}" in help_text, name
        assert "--json" in help_text or name == "serve", name  # a server prints no table
    for pair in (("methods", "show"), ("tasks", "show"), ("papers", "show"), ("papers", "run"), ("papers", "check")):
        assert f"ponder {' '.join(pair)}" in ponder(*pair, "--help").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("models",),
        ("methods",),
        ("methods", "show", "sample"),
        ("tasks",),
        ("tasks", "show", "times-tables"),
        ("pull",),
        ("papers",),
        ("papers", "show", "19"),
    ],
)
def test_every_list_comes_as_text_and_as_json(arguments: tuple[str, ...]) -> None:
    assert ponder(*arguments).stdout
    assert json.loads(ponder(*arguments, "--json").stdout)


def test_the_catalog_lists_sixty_five_papers() -> None:
    papers = json.loads(ponder("papers", "--json").stdout)
    assert [p["number"] for p in papers] == list(range(1, 66))
    assert all(p["claim"] and p["state"] for p in papers)


def test_bench_prints_a_table_with_the_random_baseline_and_resumes(tmp_path: Path) -> None:
    command = (
        "bench",
        "times-tables",
        *MODEL,
        "--limit",
        "5",
        "--method",
        "sample(1)",
        "--method",
        "sample(8) | vote()",
        "--out",
        str(tmp_path),
    )
    first = ponder(*command)
    assert first.exit_code == 0, first.output
    for word in ("accuracy", "random", "oracle", "plot"):
        assert word in first.stdout
    assert (tmp_path / "accuracy-times-tables.png").stat().st_size > 1000
    assert (tmp_path / "accuracy-times-tables.svg").read_text().startswith("<?xml")
    again = ponder(*command, "--json")
    assert "10 of 10" in again.stderr
    data = json.loads(again.stdout)
    assert [row["method"] for row in data["rows"]] == ["sample(1)", "sample(8) | vote()"]
    assert all({"accuracy", "random", "oracle", "tokens", "calibration_error"} <= row.keys() for row in data["rows"])


def test_shell_completion_completes() -> None:
    environment = {**os.environ, "_PONDER_COMPLETE": "bash_complete", "COMP_WORDS": "ponder pa", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['ponder']; from ponder.cli import main; main(prog_name='ponder')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "papers" in done.stdout


def test_ctrl_c_answers_from_what_there_is() -> None:
    """The engine interrupts its own process while it draws; the answer must still come, from the words drawn until then."""
    code = """
import os, signal
from ponder.lm import load
from ponder.lm.scripted import Scripted
rounds = []
def interrupt(seconds):
    rounds.append(seconds)
    if len(rounds) == 40:
        os.kill(os.getpid(), signal.SIGINT)
load._scripted = lambda answers, name, price: Scripted({"56": 0.5, "so " * 200 + "57": 0.5}, latency=1.0, sleep=interrupt)
from ponder.cli import main
main(["ask", "What is 7 * 8?", "--model", "scripted:x=1", "--method", "sample(8) | vote()", "--json"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert answer["value"] == "56"
    assert any("cut" in note for note in answer["notes"])
