"""The exact process reward: whole and begun answers, and the search that it serves."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from tests.conftest import step_by_step

import ponder
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.problem import Candidate, Problem
from ponder.lm.scripted import Scripted
from ponder.scorers import procedure
from ponder.scorers.procedure import begun
from ponder.tasks.procbench import draw
from ponder.tasks.procbench.numbers import Cumulate

RUN = Cumulate(2, (("Add", 1), ("Multiply", 3), ("Add", 5), ("Add", 6)))  # 3, 9, 14, 20


def scores(texts: list[str], finished: bool, share: bool = False, data: dict | None = None) -> list[float]:
    problem = Problem(RUN.prompt(), reads="steps", data={"procedure": RUN} if data is None else data)
    found = procedure(share)([Candidate(text, finished=finished) for text in texts], Context(problem))
    return np.exp(found).round(6).tolist()


@pytest.mark.parametrize(
    ("text", "intermediate", "final"),
    [
        ("", [], []),
        ("Let me see. 3", [], []),
        ('{"intermediate": [', [], []),
        ('{"intermediate": ["a", "b', ["a"], []),
        ('{"intermediate": [3, 9', [3], []),
        ('{"intermediate": [3, 9,', [3, 9], []),
        ('{"intermediate": [3, 9]', [3, 9], []),
        ('{"intermediate":[["a","b"],["a"', [["a", "b"]], []),
        ('{"intermediate": [3], "final": 9', [3], []),
        ('{"intermediate": [3], "final": 9}', [3], [9]),
        ('{"intermediate": [3], "final": "9"', [3], ["9"]),
        ('{"intermediate": [], "final": [1, 2]', [], [[1, 2]]),
        ('No: {"intermediate": [1, 2]} but {"intermediate": [3,', [3], []),
        ('{"intermediate": [3 4, 5], "final": 6}', [3], []),
        ('{"intermediate": [{"a": {"b": 1}}, 2,', [None, 2], []),
    ],
)
def test_what_is_written_out_of_a_begun_answer(text: str, intermediate: list, final: list) -> None:
    assert begun(text) == (intermediate, final)


def test_begun_answers_weigh_one_until_the_first_wrong_state() -> None:
    texts = [
        "Thinking", '{"intermediate": [', '{"intermediate": [3, 9', '{"intermediate": [3, 9, 1', '{"intermediate": ["3", "09",',
        '{"intermediate": [3, 8,', '{"intermediate": [3, 8, 14,', '{"intermediate": [2,', '{"intermediate": [3, 9, 14, 20,',
        '{"intermediate": [3, 9], "final": 14}', '{"intermediate": [3, 9, 14], "final": 20}', '{"intermediate": [3, 9, 14], "final": 21}',
    ]  # fmt: skip
    assert scores(texts, finished=False) == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0]
    shares = [1, 1, 1, 1, 1, 1 / 2, 1 / 3, 0, 3 / 4, 2 / 3, 1, 3 / 4]
    assert scores(texts, finished=False, share=True) == pytest.approx(shares, abs=1e-6)


def test_finished_answers_must_be_whole() -> None:
    texts = ["", '{"intermediate": [3, 9, 14', '{"intermediate": [3, 9, 14], "final": 20}', '{"intermediate": [3, 9, 14, 20], "final": 20}']
    assert scores(texts, finished=True) == [0, 0, 1, 0]
    assert scores(texts, finished=True, share=True) == pytest.approx([0, 0, 1, 4 / 5], abs=1e-6)


@pytest.mark.parametrize("number", range(1, 24))
def test_every_prefix_of_the_right_answer_weighs_one(number: int) -> None:
    made = draw(number, 5, 7)
    _, *intermediate, final = made.states()
    text = json.dumps({"intermediate": intermediate, "final": final})
    begins = [text[:n] for n in range(len(text) + 1)]
    assert scores(begins, finished=False, data={"procedure": made}) == [1] * len(begins)
    assert scores([text], finished=True, data={"procedure": made}) == [1]


def test_a_problem_without_a_procedure_is_refused() -> None:
    for data in ({}, {"procedure": "Sort"}):
        with pytest.raises(InputError, match="procbench"):
            scores(["x"], finished=True, data=data)


def test_order_and_duplicates_do_not_matter() -> None:
    texts = ['{"intermediate": [3, 8,', '{"intermediate": [3, 9,', "x"]
    assert scores(texts * 2, False, True)[::-1] == scores(texts[::-1] * 2, False, True)


def test_best_of_n_by_the_oracle_finds_the_right_run() -> None:
    right, wrong = '{"intermediate": [3, 9, 14], "final": 20}', '{"intermediate": [3, 9, 14], "final": 21}'
    problem = Problem(RUN.prompt(), reads="steps", data={"procedure": RUN})
    lm = Scripted({right: 0.2, wrong: 0.8})
    assert str(ponder.method("best_of_n(16, procedure)")) == "best_of_n(16, scorer=procedure)"
    answer = ponder.ask(problem, method="sample(24) | weigh(procedure) | vote()", model=lm, seed=1)
    assert answer.value == problem.read(right)
    assert ponder.ask(problem, method="sample(24) | vote()", model=lm, seed=1).value == problem.read(wrong)


def test_a_search_by_the_oracle_drops_wrong_steps_as_they_are_written() -> None:
    """Each of four states is right with probability 1/2: one run in 16 is right, and 8 particles find it, which 8 samples seldom do."""
    run = [(3, 4), (9, 8), (14, 15), (20, 21)]
    texts = {
        json.dumps({"intermediate": [a, b, c], "final": d}): 1 / 16 for a, b, c, d in itertools.product(*run)
    }  # fmt: skip
    problem = Problem(RUN.prompt(), reads="steps", data={"procedure": RUN})
    searched = "start(8) | loop(extend() | weigh(procedure) | resample()) | vote()"
    right = problem.read(next(iter(texts)))

    def found(method: str) -> float:
        answers = [ponder.ask(problem, method=method, model=step_by_step(texts), seed=seed, separator=",").value for seed in range(20)]
        return answers.count(right) / 20

    assert found(searched) >= 0.75
    assert found("sample(8) | vote()") <= 0.4
