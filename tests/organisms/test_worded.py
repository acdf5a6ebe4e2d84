"""The letters that logic organisms read and write."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.logic.english import Wording, said
from ponder.logic.syntax import parse, text_of
from ponder.logic.theories import LABELS, question
from ponder.organisms import worded
from ponder.programs.formalise import sentence_prompt
from ponder.programs.prompts import write_prompt
from ponder.tasks import load
from ponder.tasks.logic import made


def test_every_word_has_a_letter_of_its_own() -> None:
    assert len(set(worded.ALPHABET)) == len(worded.ALPHABET) <= 256
    assert len(set(worded.LETTERS.values())) == len(worded.LETTERS)
    assert "\n" in worded.ALPHABET


def test_all_sentences_of_made_theories_can_be_read_and_all_formulas_written() -> None:
    rng = np.random.default_rng(0)
    for i in range(60):
        asked = question(i % 6, LABELS[i % 3], rng)
        for sentence, item in said(asked, Wording(0.4, 0.5), rng):
            assert worded.canonical(sentence) == worded.canonical(sentence_prompt(sentence)[0].content)
            text = worded.formula_text(item.formula)
            assert set(text) <= set(worded.ALPHABET)
            letters = parse(text, "unicode")
            assert worded.readable(text) == text_of(item.formula, "unicode").replace(" ", "")
            assert parse(text_of(letters, "unicode"), "unicode") == letters


def test_a_problem_of_the_task_is_read_as_it_is_written() -> None:
    task = load("logic:n=6")
    for i, problem in enumerate(task.problems):
        m = made(i, 0, 5, 5, 0)
        prompt = worded.canonical(problem.question)
        assert prompt == worded.problem_prompt(m.premises, m.conclusion)
        assert prompt.count(".") == len(m.premises) + 1
        assert prompt.endswith(">")
        assert prompt.startswith(worded.brief(m.premises[0]))
        asked, _ = write_prompt(problem, "cot")
        assert worded.canonical(asked[-1].content) == prompt[:-1] + ";"  # pyright: ignore[reportAttributeAccessIssue]


def test_problems_are_read_without_the_words_that_only_make_them_english() -> None:
    sentences = ("If someone is kind and likes Anne then they are big.", "Someone is not big if they do not like Bob.", "Bob is not kind.")
    assert [worded.brief(s) for s in sentences] == ["cΓaжNeΔ.", "nΔcnЖO.", "OnΓ."]


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(InputError, match="'purple'"):
        worded.canonical("Bob is purple.")
    with pytest.raises(InputError):
        worded.canonical("")


def test_derived_claims_end_in_a_marked_answer() -> None:
    asked = question(2, "False", np.random.default_rng(1))
    derived = [c for c, depth in asked.theory.depths().items() if depth]
    text = worded.derived_text(derived, asked.label)
    assert text.count(";") == len(derived)
    assert load("logic:n=1").problems[0].read(text) == "B"
