"""Products: the grammar, the task, and what is held out."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.organisms import products
from ponder.tasks import load


@pytest.mark.parametrize(
    ("question", "prompt"),
    [("What is 37 * 84?", "37*84>"), ("37*4", "37*04>"), ("5 × 12 = ?", "05*12>"), ("37*84>", "37*84>"), ("37*84#", "37*84#")],
)
def test_questions_are_read(question: str, prompt: str) -> None:
    assert products.canonical(question) == prompt
    assert len(prompt) == products.PROMPT
    assert set(prompt) <= set(products.ALPHABET)


@pytest.mark.parametrize("question", ["What is 7?", "3 * 4 and 5 * 6", "100 * 3", "1 * 7", "12 + 7"])
def test_other_questions_are_refused(question: str) -> None:
    with pytest.raises(InputError, match="reads a product"):
        products.canonical(question)


def test_held_out_products_are_never_drawn_for_training() -> None:
    rng = np.random.default_rng(0)
    train, test = set(products.draw(20_000, rng)), set(products.draw(5_000, rng, held_out=True))
    assert not train & test
    assert len(test) <= products.count(True) < products.count(False)
    assert all(10 <= a <= 99 and products.LOWEST <= b <= products.HIGHEST for a, b in train | test)


def test_the_task_holds_different_products_and_their_answers() -> None:
    task, train = load("products:n=200", seed=3), load("products:set=train,n=200", seed=3)
    assert len({p.id for p in (*task.problems, *train.problems)}) == 400
    for problem in task.problems:
        a, b = map(int, problem.id.split("x"))
        assert products.HELD_OUT[a, b]
        assert task.grade(problem, problem.read(f"so 1. Wait, so {a * b}."), "") == 1
    assert [p.id for p in load("products", limit=10, seed=3).problems] == [p.id for p in task.problems[:10]]


@pytest.mark.parametrize("spec", ["products:set=all", "products:n=0", "products:n=100000"])
def test_bad_options_are_refused(spec: str) -> None:
    with pytest.raises(InputError):
        load(spec)
