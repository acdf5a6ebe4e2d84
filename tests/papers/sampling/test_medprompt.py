"""The reproduction of card 16: exact checks, and votes of a scorer of content and place."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.papers.sampling.medprompt_bias import hunt, letter_shares, questions, votes
from ponder.papers.sampling.medprompt_to_o1 import exact_checks, majority, reproduce


def test_exact_checks_hold():
    assert [c.name for c in exact_checks() if not c.passed] == []
    assert majority(0.6, 1) == pytest.approx(0.6)
    assert majority(0.5, 7) == pytest.approx(0.5)


def test_questions_are_balanced_and_have_one_right_option():
    pytest.importorskip("sklearn")
    asked = questions(60, 1)
    assert [sum(a.gold == g for a in asked) for g in range(4)] == [15] * 4
    for a in asked:
        assert len(set(a.problem.choices)) == 4
        if "longest" in a.problem.question:
            assert max(a.problem.choices, key=float) == a.problem.choices[a.gold]


def test_a_stopped_reading_goes_on_from_its_file(tmp_path):
    asked, calls = questions(12, 0), []

    def letters(prompts):
        calls.append(len(prompts))
        if len(calls) == 11:
            raise KeyboardInterrupt
        return np.log(np.full((len(prompts), 4), 0.25))

    with pytest.raises(KeyboardInterrupt):
        letter_shares(asked, hunt(8), letters, tmp_path / "kept.json")
    shares = letter_shares(asked, hunt(8), letters, tmp_path / "kept.json")
    assert len(calls) == 13  # ten were kept, the eleventh was asked again
    assert shares.shape == (12, 8, 4)
    assert set(votes(shares, hunt(8), [[0]] * 12)) == {0}


def test_a_quick_run(tmp_path):
    report = reproduce(True, 0, tmp_path)
    assert report.verdict == "partly"
    assert all(c.passed for c in report.checks)
    assert report.figures[0].exists()
