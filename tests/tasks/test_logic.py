"""Made logic problems, and rows of published sets."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ponder.core.errors import InputError
from ponder.logic import entails
from ponder.logic.theories import LABELS
from ponder.programs.formalise import statements
from ponder.tasks import describe, load
from ponder.tasks.logic import made


def test_answers_are_what_a_prover_finds_of_the_formulas() -> None:
    task = load("logic:n=36")
    for i, problem in enumerate(task.problems):
        m = made(i, 0, 5, 5, 0)
        found = entails(m.formulas[:-1], m.formulas[-1], prover="resolution")
        assert found.settled
        assert problem.choices["ABC".index(task.gold(problem))] == found.label == m.question.label


def test_labels_and_depths_are_balanced_and_a_limit_takes_the_first() -> None:
    task = load("logic:n=54,low=1,high=3", seed=4)
    assert Counter(task.answers.values()) == {"A": 18, "B": 18, "C": 18}
    assert Counter(made(i, 1, 3, 5, 4).question.depth for i in range(54)) == {1: 18, 2: 18, 3: 18}
    assert load("logic:n=54,low=1,high=3", limit=7, seed=4).problems == task.problems[:7]
    assert load("logic:n=54,low=1,high=3", seed=5).problems != task.problems
    assert task.guess == pytest.approx(1 / 3)


def test_a_problem_holds_its_sentences_and_nothing_that_gives_the_answer_away() -> None:
    task = load("logic:n=12")
    for i, problem in enumerate(task.problems):
        m = made(i, 0, 5, 5, 0)
        assert statements(problem) == (m.premises, m.conclusion)
        assert set(problem.data) == {"premises", "conclusion"}
        assert all(sentence in problem.question for sentence in (*m.premises, m.conclusion))
        assert not any(mark in problem.question for mark in ("->", "all x", "(x)"))


def test_grading_reads_letters_and_words() -> None:
    task = load("logic:n=3")
    problem = task.problems[0]
    gold = task.gold(problem)
    word = problem.choices["ABC".index(gold)]
    for text in (gold, word, f"The answer is {word}.", f"####{gold}"):
        assert task.grade(problem, problem.read(text), text) == 1.0
    other = LABELS[(LABELS.index(word) + 1) % 3]  # pyright: ignore[reportArgumentType]
    assert task.grade(problem, problem.read(other), other) == 0.0
    assert task.grade(problem, None, "") == 0.0
    assert "Statement: " in describe(task)["prompt"]


@pytest.mark.parametrize("spec", ["logic:low=6", "logic:low=3,high=2", "logic:rare=101", "logic:n=0", "logic:deep=1"])
def test_bad_options_are_refused(spec: str) -> None:
    with pytest.raises(InputError, match="logic"):
        load(spec)


FOLIO = [
    {
        "premises": ["All cats purr.", "Tom is a cat."],
        "premises-FOL": ["∀x (Cat(x) → Purr(x))", "Cat(tom)"],
        "conclusion": "Tom purrs.",
        "label": "True",
    },
    {"premises": "All cats purr.\nTom is a cat.", "conclusion": "Tom barks.", "label": "Uncertain"},
]
PROOFWRITER = [
    {"theory": "Tom is kind. All kind people are big.", "question": "Tom is not big.", "answer": "False"},
    {"theory": "Tom is kind. All kind people are big.", "question": "Tom is red.", "answer": "Unknown"},
]


@pytest.mark.parametrize(("rows", "answers"), [(FOLIO, ["A", "C"]), (PROOFWRITER, ["B", "C"])])
def test_rows_of_published_sets(rows: list[dict[str, object]], answers: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for path in (tmp_path / "rows.jsonl", folder / "validation.jsonl"):
        path.write_text("\n".join(json.dumps(row) for row in rows))
        task = load(f"entailment:{path if path.parent == tmp_path else folder}")
        assert [task.gold(p) for p in task.problems] == answers
        assert [len(statements(p)[0]) for p in task.problems] == [2, 2]
        assert statements(task.problems[0])[1] == (rows[0].get("conclusion") or rows[0]["question"])


GOLD = [
    {**FOLIO[0], "conclusion-FOL": "Purr(tom)"},
    {**FOLIO[0], "conclusion-FOL": "¬Purr(tom)"},
    {**FOLIO[0], "conclusion-FOL": "Purr(tom"},
    {**FOLIO[0], "conclusion-FOL": "Purr(tom, tom)"},
    {**FOLIO[0], "conclusion-FOL": "Bark(tom)", "label": "Uncertain"},
    {**FOLIO[0], "premises-FOL": "Cat(tom)\n¬Cat(tom)", "conclusion-FOL": "Purr(tom)"},
]


def test_labels_can_be_checked_by_gold_formulas_and_an_empty_set_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, GOLD)))
    task = load(f"entailment:{path},check=resolution")
    assert [task.gold(p) for p in task.problems] == ["A", "C"]
    assert not any("FOL" in str(p.data) or "→" in p.question for p in task.problems)
    path.write_text("\n".join(map(json.dumps, GOLD[1:4])))
    with pytest.raises(InputError, match="no label of 3 rows"):
        load(f"entailment:{path},check=resolution")
    with pytest.raises(InputError, match="prover9"):
        load(f"entailment:{path},check=prover9")
    path.write_text(json.dumps(FOLIO[1]))
    with pytest.raises(InputError, match="no gold formulas"):
        load(f"entailment:{path},check=resolution")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"premises": ["A."], "conclusion": "B."}, "no column for the label"),
        ({"premises": ["A."], "conclusion": "B.", "label": "Perhaps"}, "Perhaps"),
        ({"premises": ["A."], "conclusion": " ", "label": "True"}, "row 1"),
        ({"conclusion": "B.", "label": "True"}, "no column for the premises"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(row: dict[str, object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(InputError, match=message):
        load(f"entailment:{path}")
    for spec in ("entailment:", f"entailment:{path},labels=x"):
        with pytest.raises(InputError):
            load(spec)
