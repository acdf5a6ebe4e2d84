"""Ratings that a model writes: means of several, replies without a number, the answer alone."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.core.context import Context
from ponder.core.problem import Candidate, Problem
from ponder.lm.scripted import Scripted
from ponder.scorers import judge


def rated(says: dict[str, str], scorer: judge) -> tuple[list[float], Context, list[str]]:
    """Weights of candidates a, b, ... by what the judge says of each."""
    asked: list[str] = []

    def script(prompt: str) -> dict[str, float]:
        asked.append(prompt)
        return {says[prompt.partition("Proposed solution: ")[2][0]]: 1.0}

    context = Context(Problem("Which?"), models={"m": Scripted(script)})
    candidates = [Candidate(f"{name} because", name, finished=True, finish="stop") for name in says]
    return np.exp(scorer(candidates, context)).tolist(), context, asked


def test_ratings_are_shares_of_the_scale_within_it():
    weights, context, _ = rated({"a": "7", "b": "10 out of 10", "c": "12", "d": "-3"}, judge())
    assert weights == pytest.approx([0.7, 1, 1, 0])
    assert context.trace.unread == {"judge": (0, 4)}
    assert rated({"a": "3", "b": "1"}, judge(scale=5))[0] == pytest.approx([0.6, 0.2])


def test_a_reply_without_a_number_is_counted_and_neither_favoured_nor_ruled_out():
    weights, context, _ = rated({"a": "8", "b": "good", "c": "2"}, judge())
    assert weights == pytest.approx([0.8, 0.5, 0.2])
    assert context.trace.unread == {"judge": (1, 3)}
    assert context.trace.notes == ["judge could not read 1 of 3 replies"]


@pytest.mark.parametrize("says", ["good", "0"])
def test_a_judge_that_says_nothing_or_0_of_all_is_left_out(says: str):
    weights, context, _ = rated({"a": says, "b": says}, judge())
    assert weights == [1, 1]
    assert any("left out" in note for note in context.trace.notes)


def test_several_ratings_are_averaged_over_those_that_can_be_read():
    """Ratings of 10 and 0 with equal probability: the mean of 400 is .5 within 4 standard errors; of 'hm' a third is left out."""
    lm = Scripted({"10": 1 / 3, "0": 1 / 3, "hm": 1 / 3})
    context = Context(Problem("Which?"), models={"m": lm})
    (score,) = judge(n=600, temperature=1.0)([Candidate("a", "a", finished=True, finish="stop")], context)
    assert abs(np.exp(score) - 0.5) < 4 * 0.5 / np.sqrt(400)
    unread, asked = context.trace.unread["judge(temperature=1.0, n=600)"]
    assert asked == 600
    assert abs(unread - 200) < 4 * np.sqrt(600 * 2 / 9)
    assert context.meter.bill.calls == 1


def test_the_answer_alone():
    _, _, asked = rated({"a": "7", "b": "7"}, judge(shown="answer"))
    assert not any("because" in prompt for prompt in asked)
    _, _, asked = rated({"a": "7", "b": "7"}, judge())
    assert all("because" in prompt for prompt in asked)
