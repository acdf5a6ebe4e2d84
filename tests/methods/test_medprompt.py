"""Medprompt: worked examples that are kept, found and left out; the method's name."""

from __future__ import annotations

import numpy as np
import pytest

import ponder
from ponder.bench.position_bias import position_bias
from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.front import ask
from ponder.lm.scripted import Scripted
from ponder.methods.medprompt import Bank, ngrams, prepare
from ponder.tasks import Task

TRAIN = Task(
    "train",
    "",
    tuple(Problem(f"Which is number {i}?", id=str(i), choices=("w", "x", "y", "z"), reads="choice") for i in range(12)),
    {str(i): "ABCD"[i % 4] for i in range(12)},
)


def solver(text: str):
    return lambda problem, run: ask(problem, method="sample(1, style='cot')", model=Scripted({text: 1.0}), seed=run)


def test_right_solutions_are_kept_and_wrong_ones_counted():
    bank = prepare(TRAIN, solver("It is clear. The answer is B."))
    assert len(bank.examples) == 3
    assert bank.rejected == 9
    assert all(solution == "It is clear. The answer is B." for _, solution in bank.examples)


def test_agreement_drops_lucky_reasoning():
    lucky = Scripted({"The answer is A.": 0.5, "The answer is B.": 0.5})

    def solve(problem: Problem, run: int):
        return ask(problem, method="sample(1, style='cot')", model=lucky, seed=run)

    one, two = (prepare(TRAIN, solve, runs=4, agree=agree) for agree in (1, 2))
    assert len(two.examples) < len(one.examples)
    with pytest.raises(InputError):
        prepare(TRAIN, solve, runs=1, agree=2)
    with pytest.raises(InputError, match="12 solutions were rejected"):
        prepare(TRAIN, solver("I do not know."))


def test_a_copy_of_the_question_is_nearest_and_left_out():
    texts = ["Which is a fruit?", "Which is the tool?", "Name a river in France."]
    bank = Bank.of([(t, "A") for t in texts])
    likeness = bank.vectors @ ngrams(["which is a  FRUIT?"])[0]
    assert int(np.argmax(likeness)) == 0
    assert bank.nearest(Problem("which is a  FRUIT?"), 3) == [2, 1]  # the nearest last
    assert bank.nearest(Problem("Which is a vegetable?"), 2) == [1, 0]
    drawn = {tuple(bank.nearest(Problem("Which is a vegetable?"), 2, "random", seed)) for seed in range(30)}
    assert len(drawn) == 6
    with pytest.raises(InputError, match="copies"):
        Bank.of([("Which is a fruit?", "A")]).equip(Problem("Which is a fruit?"))


def test_equipped_questions_show_their_examples_and_answer_by_name():
    bank = prepare(TRAIN, solver("It is clear. The answer is B."))
    question = bank.equip(Problem("Which is number 99?", choices=("w", "x", "y", "z"), reads="choice"), shots=2)
    assert len(question.examples) == 2
    assert question.style == "few-shot"
    seen: list[str] = []

    def answers(prompt: str) -> dict[str, float]:
        seen.append(prompt)
        return {"The answer is C.": 1.0}

    answer = ask(question, method="medprompt(5)", model=Scripted(answers))
    assert all(p.count("It is clear.") == 2 and "number 99" in p for p in seen)
    assert ponder.method("medprompt(5)") == ponder.method("shuffled(5) | vote()")
    assert answer.bill.calls == 5


def test_position_bias_of_one_letter_and_of_none():
    gold = ["ABCD"[i % 4] for i in range(40)]
    stuck = position_bias(["A"] * 40, gold)
    assert [a.value for a in stuck.accuracy if a] == [1, 0, 0, 0]
    assert stuck.spread == 1
    assert stuck.chosen == (40, 0, 0, 0)
    assert stuck.chi2 == pytest.approx(120)  # (30^2 + 3 * 10^2) / 10
    fair = position_bias(gold, gold)
    assert (fair.spread, fair.chi2, fair.p, fair.recall_std) == (0, 0, 1, 0)
    for chosen, right in ((["A"], []), (["E"], ["A"]), (["A"], ["E"])):
        with pytest.raises(InputError):
            position_bias(chosen, right)
