"""What layered methods read in replies: plain ones, and those that are written to be misread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.programs.layer_replies import (
    read_best,
    read_comparison,
    read_passes,
    read_ranking,
    read_sections,
    read_tests,
    read_verdict,
)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("[4] > [2]", [3, 1]),
        ("[2] > [1] > [4] > [3]\nbecause [3] is wrong", [1, 0, 3, 2]),
        ("Ranking: [2] > [1]", [1, 0]),
        ("4 > 2 > 1", [3, 1, 0]),
        ("Let me think.\nI like [3].\n[2] > [3]", [1, 2]),
        ("[3-5]", None),
        ("[3-5] > [1]", [0]),
        ("[2] > [2] > [1] > [2]", [1, 0]),
        ("[0] > [9] > [-1] > [2] > [1]", [1, 0]),
        ("[1, 2] > [3]", [2]),
        ("The best is [3].", [2]),
        ("[99999999999999999999] > [2]", [1]),
        ("x > 3 and y > 2", None),
        ("none of them", None),
        ("", None),
    ],
)
def test_rankings(text: str, places: list[int] | None):
    assert read_ranking(text, 4) == places


@pytest.mark.parametrize(
    ("text", "best"),
    [("[1] is wrong, so [2]", 1), ("3", 2), ("**[4]**", 3), ("[5]", None), ("[2] then [7]", 1), ("[3-4]", None), ("two", None), ("", None)],
)
def test_best(text: str, best: int | None):
    assert read_best(text, 4) == best


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("[Correct]", True),
        ("It adds up. [incorrect]", False),
        ("[ Correct ]", True),
        ("correct", True),
        ("**Incorrect.**", False),
        ("[Correct] [Incorrect]", None),
        ("not [Correct] but [Incorrect]", None),
        ("[Correct] [Correct]", True),
        ("It is correct, I think", None),
        ("[Correction]", None),
        ("", None),
    ],
)
def test_verdicts(text: str, verdict: bool | None):
    assert read_verdict(text) is verdict


@pytest.mark.parametrize(
    ("text", "won"), [("[A]", 1.0), ("[B] is", 0.0), ("[tie]", 0.5), ("b", 0.0), ("[A] or [B]", None), ("A good answer", None), ("", None)]
)
def test_comparisons(text: str, won: float | None):
    assert read_comparison(text) == won


def test_sections_are_cut_at_their_numbers():
    assert read_sections("[1] good\nreally\n[2]: bad", 2) == ["good\nreally", "bad"]
    assert read_sections("**[2]** bad, unlike [1]", 3) == ["", "** bad, unlike [1]", ""]
    assert read_sections("[1] first\n[1] again\n[7] nobody", 2) == ["first", ""]
    assert read_sections("all are fine", 2) is None
    assert read_sections("it is fine", 1) == ["it is fine"]
    assert read_sections(" ", 1) is None


def test_statements_and_whether_they_pass():
    assert read_tests("Here:\n[1] it is even, positive\n[2] it is small\n[3] it is odd", 2) == ["it is even, positive", "it is small"]
    assert read_tests("even\n\neven\nsmall", 5) == ["even", "small"]
    assert read_tests("  \n", 3) == []
    assert read_passes("[1] pass\n[2] fail\n[3] it passed", 4) == [True, False, True, None]
    assert read_passes("[1] a compass points north\n[2] passport", 2) is None, "words that begin or end like pass are none"
    assert read_passes("[1] pass or fail?\n[2] Fails", 2) == [None, False]


@given(st.text(alphabet="[]12345>-ABCcorrectIintpasfl \n", max_size=60), st.integers(1, 6))
def test_no_reply_breaks_a_reader(text: str, n: int):
    ranking = read_ranking(text, n)
    assert ranking is None or (len(set(ranking)) == len(ranking) > 0 and set(ranking) <= set(range(n)))
    best = read_best(text, n)
    assert best is None or 0 <= best < n
    sections = read_sections(text, n)
    assert sections is None or (len(sections) == n and any(sections))
    passes = read_passes(text, n)
    assert passes is None or len(passes) == n
    assert read_verdict(text) in (True, False, None)
    assert read_comparison(text) in (1.0, 0.5, 0.0, None)
    assert len(read_tests(text, n)) <= n
