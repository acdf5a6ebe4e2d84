"""Tasks of the organisms: problems that they can read, all different, graded exactly."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.core.language import Message
from ponder.core.problem import Problem
from ponder.organisms import chain, countdown
from ponder.programs.prompts import write_prompt
from ponder.tasks import describe, load, names

GRAMMARS = {"chain": chain, "countdown": countdown}


def canonical(name: str, problem: Problem) -> str:
    """What an organism reads of a problem: the one user message that the prompt is."""
    prompt, stop = write_prompt(problem)
    assert isinstance(prompt, tuple)
    assert stop == ()
    (message,) = prompt
    assert message == Message("user", problem.question)
    return GRAMMARS[name].canonical(message.content)


@pytest.mark.parametrize("name", ["chain", "countdown"])
def test_problems_are_different_and_read_by_organisms(name: str) -> None:
    task = load(name)
    assert len(task.problems) == 500
    assert len({canonical(name, p) for p in task.problems}) == len({p.id for p in task.problems}) == 500
    assert name in names()
    assert describe(task)["gold"] == task.gold(task.problems[0])


@pytest.mark.parametrize("name", ["chain", "countdown"])
def test_fewer_are_a_part_of_more_and_seeds_differ(name: str) -> None:
    questions = [p.question for p in load(name).problems]
    assert [p.question for p in load(name, limit=7).problems] == questions[:7]
    assert [p.question for p in load(f"{name}:n=20").problems] == questions[:20]
    assert [p.question for p in load(f"{name}:n=600").problems][:500] == questions
    assert load(name).problems == load(name).problems
    assert len(set(questions) & {p.question for p in load(name, seed=1).problems}) < 50


def test_chains_have_the_lengths_that_are_asked_for() -> None:
    counts = np.bincount([len(chain.solve(p.question)) for p in load("chain").problems])
    assert counts[:4].sum() == 0
    # Each of five lengths has probability .2: four standard errors of 500 draws are 36.
    assert np.abs(counts[4:] - 100).max() < 36
    assert len(counts) == 9
    assert {len(chain.solve(p.question)) for p in load("chain:low=2,high=2,n=50").problems} == {2}


def test_chains_are_graded_by_the_last_value() -> None:
    task = load("chain", limit=50)
    for problem in task.problems:
        values = chain.solve(problem.question)
        assert task.gold(problem) == str(values[-1])
        for text, right in (
            (";".join(f"{v:03d}" for v in values), True),
            (";".join(f"{v:03d}" for v in values) + ";", True),
            ("000;" * (len(values) - 1) + f"{values[-1]:03d}", True),
            (";".join(f"{v:03d}" for v in (*values[:-1], (values[-1] + 1) % 1000)), False),
            (f"{values[-1]:03d};{(values[-1] + 1) % 1000:03d}", False),
            ("", False),
            ("00;_", False),
        ):
            assert task.grade(problem, problem.read(text), text) == right


def test_countdown_is_graded_by_the_checker_whatever_the_solution() -> None:
    task = load("countdown", limit=80)
    others = 0
    for problem in task.problems:
        gold = task.gold(problem)
        assert countdown.check(problem.question, gold).solved
        other = countdown.solve(problem.question)
        others += other != gold
        first, second = gold.split(";")
        for text, right in (
            (gold, True),
            (other, True),
            (gold + ";", True),
            (f"I tried. The answer is {gold}.", True),
            (first, False),
            (second, False),
            (f"{second};{first}", False),
            (gold[:-3] + f"{(int(gold[-3:]) + 1) % 1000:03d}", False),
            (gold + "\n", True),
            (gold + ";000+000=000", False),
            (gold.rpartition("=")[2], False),
            ("", False),
        ):
            assert task.grade(problem, problem.read(text), text) == right
        assert task.grade(problem, problem.read(gold)) == 1.0
    assert others > 5


def test_values_of_countdown_keep_solutions_apart() -> None:
    problem = load("countdown", limit=1).problems[0]
    assert problem.read("012*007=084;084+005=089") == "012*007=084;084+005=089"
    assert problem.read("012*007=084;084+005=089") != problem.read("007*012=084;084+005=089")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("chain:low=0", "1 <= low <= high <= 8, not low=0, high=8"),
        ("chain:high=9", "high=9"),
        ("chain:low=6,high=5", "low=6, high=5"),
        ("chain:n=0", "n must be between 1 and 10000, not 0"),
        ("countdown:n=10001", "n must be between 1 and 10000, not 10001"),
        ("chain:length=3", "no option 'length'"),
        ("countdown:low=3", "no option 'low'"),
        ("countdown:3", "takes options as key=value"),
        ("chains", "chain"),
    ],
)
def test_wrong_options_are_refused(spec: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        load(spec)


def test_the_most_problems_of_the_shortest_chains_are_found() -> None:
    assert len({p.question for p in load("chain:low=1,high=1,n=10000").problems}) == 10_000
