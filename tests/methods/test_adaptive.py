"""Adaptive best-of-n and early pruning: what they draw, choose and spend."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import step_by_step

from ponder.core.budget import Budget
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Solution
from ponder.front import ask
from ponder.lm.scripted import Scripted, ScriptedRewards
from ponder.methods import adaptive_best_of_n, best_of_n, parse, pruned_best_of_n
from ponder.scorers import prm, win_or_tie

ANSWERS = {str(i): 0.05 for i in range(20)}
QUESTION = "What is 7 * 8?"


def by_number(solution: Solution) -> list[float]:
    """The larger the number, the better; a share of 20."""
    return [(int(step.split()[-1]) + 1) / 20 for step in solution.steps]


def run(method: Any, seed: int = 0, **options: Any) -> Any:
    return ask(QUESTION, method=method, model=Scripted(ANSWERS), reward=ScriptedRewards(by_number), seed=seed, **options)


def drawn(answer: Any) -> list[str]:
    return [c.text for c in answer.population.items]


@pytest.mark.parametrize("seed", range(8))
def test_it_draws_until_the_threshold_and_takes_the_best(seed: int) -> None:
    everything = run(adaptive_best_of_n(16, None, prm()), seed)
    assert len(drawn(everything)) == 16
    assert everything.value == max(drawn(everything), key=int)
    for threshold in (0.0, 0.5, 0.8, 0.95, 1.0):
        answer = run(adaptive_best_of_n(16, threshold, prm()), seed)
        texts = drawn(answer)
        assert texts == drawn(everything)[: len(texts)]  # the same seeds: a beginning of the same draws
        good = [i for i, t in enumerate(drawn(everything)) if (int(t) + 1) / 20 >= threshold]
        assert len(texts) == (good[0] + 1 if good else 16)
        assert answer.value == max(texts, key=int)
        assert any("rounds" in note for note in answer.trace.notes) == bool(good)


def test_threshold_0_is_one_sample_and_none_is_best_of_n() -> None:
    assert len(drawn(run(adaptive_best_of_n(16, 0.0, prm())))) == 1
    assert adaptive_best_of_n(16, None, prm(), temperature=None) == best_of_n(16, prm())
    assert pruned_best_of_n(16, 1.0, 3, prm()) == best_of_n(16, prm())
    plain = run(best_of_n(16, prm()), seed=3)
    assert run(adaptive_best_of_n(16, None, prm(), temperature=None), seed=3).value == plain.value
    assert run(pruned_best_of_n(16, 1.0, 3, prm()), seed=3).value == plain.value


def test_batches_double_and_never_exceed_n() -> None:
    for n in (1, 2, 3, 12, 16):
        answer = run(adaptive_best_of_n(n, None, prm(), batched=True))
        assert len(drawn(answer)) == n
        sizes = [s.size for s in answer.trace.steps if s.stage.startswith("sample(")]
        assert sizes == {1: [1], 2: [1, 1], 3: [1, 1, 1], 12: [1, 1, 2, 4, 4], 16: [1, 1, 2, 4, 8]}[n]
    answer = run(adaptive_best_of_n(16, 0.5, prm(), batched=True), seed=5)
    assert any(note.endswith("rounds") for note in answer.trace.notes)


def test_temperatures_rise_from_greedy() -> None:
    seen: list[float] = []

    class Spy(Scripted):
        def generate(self, requests: Any, sampling: Any, allowance: Any = None) -> Any:
            seen.append(sampling.temperature)
            return super().generate(requests, sampling, allowance)

    ask(QUESTION, method=adaptive_best_of_n(5, None, prm()), model=Spy(ANSWERS), reward=ScriptedRewards(by_number))
    assert seen == [0.0, 0.5, 0.75, 0.875, 0.9375]


def test_a_candidate_that_the_budget_left_unjudged_does_not_win() -> None:
    method = adaptive_best_of_n(16, 1.0, prm(), temperature=1.0)
    everything = drawn(run(adaptive_best_of_n(16, None, prm(), temperature=rising_off()), seed=1))
    for calls in range(2, 12):
        answer = run(method, seed=1, budget=Budget(calls=calls))
        judged = [c for c in answer.population.items if c.scores]
        assert answer.value == max((c.text for c in judged), key=int)
        assert drawn(answer) == everything[: len(drawn(answer))]


def rising_off() -> Any:
    """A schedule that stays at 1, so that the draws are one by one at temperature 1."""
    return parse("sample(1, temperature=annealed(1.0, 1.0))").flat()[0].temperature  # type: ignore[attr-defined]


WORDS = {f"{a} " + "w " * 254 + f"{a}{b}": 0.01 for a in range(10, 20) for b in range(10)}


def by_first_word(solution: Solution) -> list[float]:
    return [(int("".join(solution.steps).split()[0]) - 9) / 20]


@pytest.mark.parametrize(("keep", "tokens"), [(0.5, 2560), (0.25, 1792), (0.0, 16 * 64 + 192)])
def test_pruning_costs_what_the_ledger_says_and_keeps_the_best_beginnings(keep: float, tokens: int) -> None:
    """16 texts of 256 tokens, cut at 64."""
    answer = ask(
        "Which?",
        method=pruned_best_of_n(16, keep, 64, prm(over="whole")),
        model=step_by_step(WORDS),
        reward=ScriptedRewards(by_first_word),
        temperature=1.0,
        max_tokens=256,
    )
    assert answer.bill.tokens_out == tokens
    firsts = [int(c.text.split()[0]) for c in answer.population.items]
    assert len(firsts) == max(1, round(16 * keep))
    assert answer.text.split()[0] == str(max(firsts))
    begun = next(s for s in answer.trace.steps if s.stage.startswith("write"))
    assert begun.size == 16


def test_pruning_by_steps() -> None:
    texts = {f"{a}\n\nthe answer is {a}{b}": 0.01 for a in range(10, 20) for b in range(10)}
    answer = ask(
        "Which?",
        method=pruned_best_of_n(8, 0.25, 1, prm(over="whole"), unit="steps"),
        model=step_by_step(texts),
        reward=ScriptedRewards(by_first_word),
        temperature=1.0,
    )
    assert len(answer.population.items) == 2
    assert answer.value is not None
    assert answer.value.startswith(answer.text.split()[0])


class Asked(Scripted):
    """Scores Yes and No by how many words the answer before the question has: one more word, one more nat for No."""

    def logprobs(self, continuations: Any) -> Any:
        from ponder.core.language import Scored

        self.seen = [c.prompt for c in continuations]
        words = [len(c.prompt[-2].content.split()) if isinstance(c.prompt, tuple) else 0 for c in continuations]
        return [
            Scored((-1.0 + w if c.text == "No" else -1.0,) if w < 1 else (min(0.0, -20.0 + w * (c.text == "No")),))
            for c, w in zip(continuations, words, strict=True)
        ]


def test_the_model_is_asked_in_its_own_words() -> None:
    import numpy as np

    lm = Asked({"a b c 1": 0.5, "a 2": 0.5})
    answer = ask(QUESTION, method=best_of_n(12, win_or_tie()), model=lm, seed=1)
    assert answer.value == "a b c 1"
    for candidate in answer.population.items:
        words = len(candidate.text.split())
        assert candidate.scores["win_or_tie"] == pytest.approx(-np.log1p(np.exp(-float(words))))
    question, mine, asked = lm.seen[0]
    assert (question.role, mine.role, asked.role) == ("user", "assistant", "user")
    assert "started over" in asked.content
    assert len(lm.seen) == 4  # equal texts are asked about once


def test_few_shot_prompts_stay_texts() -> None:
    from ponder.core.problem import Problem

    class Raw(Scripted):
        def logprobs(self, continuations: Any) -> Any:
            assert all(isinstance(c.prompt, str) and "started over" in c.prompt for c in continuations)
            return super().logprobs(continuations)

    problem = Problem("1 + 1?", examples=(("1 * 2?", "2"),), style="few-shot")
    assert ask(problem, method=best_of_n(3, win_or_tie()), model=Raw({"56": 1.0})).value == "56"


def test_words_of_several_tokens_are_scored_whole_and_equal_words_refused() -> None:
    lm = Scripted(lambda prompt: {"No way": 0.6, "Yes": 0.4} if "started over" in prompt else {"56": 1.0})
    answer = ask(QUESTION, method=best_of_n(1, win_or_tie(no="No way")), model=lm)
    assert answer.population.items[0].scores["win_or_tie(no='No way')"] == pytest.approx(-0.5108, abs=1e-4)
    assert any("sequences" in note for note in answer.trace.notes)
    with pytest.raises(InputError, match="different"):
        win_or_tie(yes="No")


def test_an_engine_that_cannot_score_says_so() -> None:
    class Mute(Scripted):
        def logprobs(self, continuations: Any) -> Any:
            raise EngineError("this server tells no log-probabilities")

    with pytest.raises(EngineError, match="log-probabilities"):
        ask(QUESTION, method=adaptive_best_of_n(4), model=Mute({"56": 1.0}))
