"""AlphaMath's reproduction: exact checks, its gates on made-up measurements, and one small loop from end to end."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.papers.thinking import alphamath
from ponder.papers.thinking.alphamath_exact import beam_misses, exact_checks
from ponder.papers.thinking.alphamath_loop import METHODS, Measured, Size, held_out, training_questions


def test_the_exact_checks_hold() -> None:
    for check in exact_checks(3, questions=5):
        assert check.passed, check
        assert not check.claim


def test_the_beam_check_can_fail() -> None:
    assert beam_misses(60, 0, lambda solution: [0.5] * len(solution.steps)) > 0


def loop(greedy: list[float], beam: float, vote: float) -> alphamath.Loop:
    def at(share: float) -> np.ndarray:
        return (np.arange(100) < 100 * share).astype(float)

    after = []
    for i, share in enumerate(greedy):
        last = i == len(greedy) - 1
        right = dict.fromkeys(METHODS, at(share)) | (
            {"SBS(1,5)": at(beam), "SBS(3,5)": at(beam), "MCTS": at(beam), "maj@5": at(vote)} if last else {}
        )
        after.append(Measured(right, dict.fromkeys(METHODS, 1.0), 0.9))
    return alphamath.Loop(after)


def test_the_gates() -> None:
    good = loop([0.3, 0.35, 0.4, 0.41], 0.5, 0.5)
    assert all(check.passed for check in alphamath.gate_checks(good))
    assert not alphamath.fails(good)
    assert alphamath.fails(loop([0.3, 0.35, 0.4, 0.41], 0.5, 0.53))
    assert alphamath.fails(loop([0.3, 0.35, 0.4, 0.29], 0.5, 0.5))
    bad = {check.name: check.passed for check in alphamath.gate_checks(loop([0.3, 0.29, 0.33], 0.34, 0.3))}
    assert [name for name, passed in bad.items() if not passed] == [
        "greedy accuracy from the warm start to the last round",
        "greedy accuracy, change in each of the first two rounds",
        "SBS(1,5) less greedy",
        "MCTS less greedy",
    ]


def test_training_questions_are_not_the_tests_and_only_the_checker_knows_answers() -> None:
    pytest.importorskip("torch")
    from ponder.organisms import chain

    test = held_out(50, 0)
    questions, checker = training_questions(200, test, 0)
    taken = {chain.canonical(p.question) for p in test.problems}
    for i, prompt in enumerate(questions.prompts):
        text = "".join(chain.ALPHABET[t] for t in prompt)
        assert text not in taken
        answer = chain.solve(text)[-1]
        assert checker(i, bytes(chain.ALPHABET.index(c) for c in f"111;{answer:03d}\n"))
        assert not checker(i, bytes(chain.ALPHABET.index(c) for c in f"111;{(answer + 1) % 1000:03d}\n"))


def test_a_small_loop_runs_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    small = Size(questions=6, tested=4, rounds=1, trees=1, simulations=4, epochs=1, judged=4)
    monkeypatch.setattr(alphamath, "QUICK", small)
    report = alphamath.reproduce(quick=True, seed=0)
    assert report.slug == "alphamath"
    assert report.tables[0].title == "Accuracy on test questions"
    assert report.to_html()
