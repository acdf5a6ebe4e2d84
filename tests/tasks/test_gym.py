"""reasoning-gym: its own scorers grade, and nothing that a model writes is run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("reasoning_gym")

from ponder.core.errors import InputError
from ponder.tasks import load

GENERATORS = {
    "countdown": "text",
    "basic_arithmetic": "number",
    "syllogism": "boolean",
    "propositional_logic": "text",
    "knights_knaves": "text",
    "graph_color": "text",
    "spiral_matrix": "text",
    "n_queens": "text",
    "simple_integration": "text",
    "polynomial_multiplication": "text",
    "rotate_matrix": "text",
    "modulo_grid": "text",
    "tower_of_hanoi": "text",
}


@pytest.mark.parametrize(("name", "reads"), GENERATORS.items())
def test_a_generators_own_answer_is_right_however_it_is_given(name: str, reads: str) -> None:
    task = load(f"gym:{name}", limit=3, seed=2)
    assert len(task.problems) == 3
    for problem in task.problems:
        gold = task.gold(problem)
        assert problem.reads == reads
        for text in (gold, f"Let me think.\nThe answer is:\n{gold}", f"**Answer:** {gold}"):
            assert task.grade(problem, problem.read(text), text) == 1.0, text
        assert task.grade(problem, None, "") == 0.0
        assert task.grade(problem, problem.read("I do not know"), "I do not know") == 0.0
    assert "gold" not in str([p.data for p in task.problems])


def test_any_right_countdown_counts_and_wrong_ones_do_not() -> None:
    task = load("gym:countdown,n=1,min_numbers=2,max_numbers=2,min_value=2,max_value=9,min_target=4,max_target=81", seed=1)
    problem = task.problems[0]
    gold = task.gold(problem)
    for text, credit in ((gold, 1.0), (f"The answer is ({gold})", 1.0), ("The answer is 1 + 1", 0.0)):
        assert task.grade(problem, problem.read(text), text) == credit


def test_partial_credit_is_given_only_where_it_is_asked_for() -> None:
    wrong = "1 + 1"
    strict, partial = load("gym:countdown", limit=1), load("gym:countdown,partial=true", limit=1)
    assert strict.grade(strict.problems[0], wrong, wrong) == 0.0
    assert 0.0 < partial.grade(partial.problems[0], wrong, wrong) < 1.0
    with pytest.raises(InputError, match="true or false"):
        load("gym:countdown,partial=perhaps")


@pytest.mark.parametrize(
    "name",
    [
        "countdown",
        "puzzle24",
        "simple_integration",
        "polynomial_multiplication",
        "spiral_matrix",
        "n_queens",
        "binary_matrix",
        "string_insertion",
    ],
)
def test_model_text_is_never_run(name: str, tmp_path: Path) -> None:
    task = load(f"gym:{name}", limit=1)
    problem = task.problems[0]
    marker = tmp_path / "run"
    attacks = [
        f"open({str(marker)!r}, 'w')",
        f"[open({str(marker)!r}, 'w')]",
        f"__import__('pathlib').Path({str(marker)!r}).touch()",
        "9**9**9**9",
        "9**(9**9)",
        "99999999!!",
    ]
    for attack in attacks:
        for text in (attack, f"The answer is {attack}", f"The answer is:\n{attack}"):
            assert task.grade(problem, problem.read(text) or attack, text) == 0.0
    assert not marker.exists()


def test_options_reach_the_generator() -> None:
    task = load("gym:chain_sum,min_terms=4,max_terms=4,min_digits=1,max_digits=1", limit=5)
    assert all(p.question.count("+") + p.question.count("- ") >= 3 for p in task.problems)
    assert [p.question for p in task.problems] == [p.question for p in load(task.name, limit=5).problems]
    assert [p.question for p in task.problems] != [p.question for p in load(task.name, limit=5, seed=1).problems]
