"""Two conditions on the same items: the exact test, what is counted apart, and the gate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ponder.bench.conditions import Condition, Outcomes, ThinkGate, compare_conditions, mcnemar, paired
from ponder.core.errors import InputError
from ponder.core.language import Completion, Reply
from ponder.lm.scripted import Scripted
from ponder.tasks import load


def outcomes(correct: list[int], unread: list[int] | None = None, tokens: int = 5) -> Outcomes:
    n = len(correct)
    none = np.zeros(n, bool)
    gone = none if unread is None else np.array(unread, bool)
    return Outcomes(tuple(map(str, range(n))), np.array(correct, bool), gone, none, np.full(n, tokens))


def test_mcnemar_is_the_binomial_test() -> None:
    special = pytest.importorskip("scipy.stats")
    for b in range(12):
        for c in range(12):
            expected = special.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
            assert mcnemar(b, c) == pytest.approx(expected)
    assert mcnemar(0, 5) == 2 / 32
    assert mcnemar(2000, 2200) == pytest.approx(math.erfc((199 / math.sqrt(4200)) / math.sqrt(2)), rel=0.01)
    with pytest.raises(InputError):
        mcnemar(-1, 2)


def test_differences_are_the_second_less_the_first() -> None:
    found = paired(outcomes([1] * 30 + [0] * 10), outcomes([1] * 20 + [0] * 20, tokens=50))
    assert (found.n, found.delta.value, found.only, found.tokens) == (40, -0.25, (10, 0), (5.0, 50.0))
    assert found.p == mcnemar(10, 0)
    assert found.delta.high < 0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Paired answers with accuracies .7 and .6: of 80 intervals 95% should cover -.1; four standard errors are .10."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(80):
        u = rng.random(100)
        found = paired(outcomes((u < 0.7).astype(int).tolist()), outcomes(((u < 0.5) | (u > 0.9)).astype(int).tolist()))
        covered += found.delta.low <= -0.1 <= found.delta.high
    assert covered / 80 > 0.85


def test_answers_that_cannot_be_read_are_told_apart() -> None:
    """Thinking loses 10 of 40 only because they cannot be read: over what was read there is no difference."""
    found = paired(outcomes([1] * 40), outcomes([1] * 30 + [0] * 10, [0] * 30 + [1] * 10))
    assert found.delta.value == -0.25
    assert found.unread == (0, 0.25)
    assert found.delta_read is not None
    assert (found.delta_read[0].value, found.delta_read[1]) == (0, 30)
    assert paired(outcomes([1]), outcomes([0], [1])).delta_read is None


class Thinker(Scripted):
    """Right at once; asked to think, wrong, and cut off on every other item."""

    def __init__(self, golds: list[str]) -> None:
        super().__init__({"x": 1.0})
        self.golds = golds

    def generate(self, requests, sampling, allowance=None):
        replies = []
        for i, (r, gold) in enumerate(zip(requests, self.golds, strict=True)):
            thinking = "step by step" in r.prompt[-1].content
            wrong = {"yes": "no", "no": "yes"}[gold]
            text = ("Let me see" if i % 2 else f"Hm. The answer is {wrong}.") if thinking else gold.capitalize()
            replies.append(Reply((Completion(text, 40 if thinking else 1, "length" if thinking and i % 2 else "stop"),)))
        return replies


def test_conditions_are_asked_by_prompt_style() -> None:
    task = load("artificial-grammar:grammars=1")
    lm = Thinker([task.gold(p) for p in task.problems])
    found = compare_conditions(task, lm)
    assert found.names == ("direct", "cot")
    assert [a.value for a in found.accuracy] == [1, 0]
    assert found.unread == found.cut == (0, 0.5)
    assert found.tokens == (1, 40)
    assert found.delta_read is not None
    assert found.delta_read[1] == 22
    gate = ThinkGate.fit({"artificial-grammar": found})
    assert gate.decide("artificial-grammar") == "direct"
    turned = compare_conditions(task, lm, {"cot": Condition("cot"), "direct": Condition()})
    assert turned.delta.value == 1
    assert ThinkGate.fit({"g": turned}).decide("g") == "direct"


def test_the_gate_abstains_where_nothing_is_sure() -> None:
    better = paired(outcomes([0] * 20 + [1] * 10), outcomes([1] * 30))
    unsure = paired(outcomes([1, 0] * 15), outcomes([0, 1] * 13 + [1, 1, 1, 1]))
    assert unsure.delta.low < 0 < unsure.delta.value
    same = paired(outcomes([1] * 30), outcomes([1] * 30))
    gate = ThinkGate.fit({"sums": better, "coins": unsure, "easy": same})
    assert [gate.decide(kind) for kind in ("sums", "coins", "easy", "unknown")] == ["cot", "abstain", "abstain", "abstain"]


def test_wrong_input_is_refused() -> None:
    task = load("artificial-grammar:grammars=1")
    lm = Thinker([])
    with pytest.raises(InputError, match="needs 2 conditions, not 1"):
        compare_conditions(task, lm, {"direct": Condition()})
    other = Outcomes(("9",), *(np.zeros(1, bool),) * 3, np.ones(1, int))
    with pytest.raises(InputError, match="the same items"):
        paired(outcomes([1]), other)
    with pytest.raises(InputError, match="at least 20 development items"):
        ThinkGate.fit({"few": paired(outcomes([1] * 19), outcomes([0] * 19))})
    with pytest.raises(InputError, match="at least one"):
        ThinkGate.fit({})
