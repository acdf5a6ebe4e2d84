"""Chained arithmetic: chains keep their range, are evaluated from left to right, and are read in every form or refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.organisms import chain

CANONICAL = "086+11*09+10-04____________>"


def evaluated(question: str) -> list[int]:
    """All running values, by Python, which is told the order by brackets."""
    pieces = re.findall(r"[-+*]?\s*\d+", question)
    expressions = [pieces[0]]
    for piece in pieces[1:]:
        expressions.append(f"({expressions[-1]}){piece}")
    return [eval(e) for e in expressions[1:]]  # noqa: S307 (digits, operators and brackets only)


def drawn(n: int = 400, seed: int = 0, **options: int) -> chain.Problems:
    return chain.problems(n, np.random.default_rng(seed), **options)


def test_values_are_those_of_the_questions_and_stay_in_range() -> None:
    made = drawn(2000)
    for i, question in enumerate(chain.questions(made)):
        k = int(made.lengths[i])
        assert made.values[i, :k].tolist() == evaluated(question)
        assert made.answers[i] == evaluated(question)[-1]
    assert made.values.min() >= 0
    assert made.values.max() <= 999
    assert set(np.unique(made.kinds)) == {0, 1, 2}
    assert 2 <= made.operands[made.kinds == 2].min() <= made.operands[made.kinds == 2].max() <= 9


def test_lengths_are_those_asked_for() -> None:
    assert (drawn(lengths=5).lengths == 5).all()
    # By default 8 has probability .6 + .4/8 = .65: four standard errors of 4000 draws are .03.
    lengths = drawn(4000).lengths
    assert abs((lengths == 8).mean() - 0.65) < 0.03
    assert set(lengths) == set(range(1, 9))
    for wrong in (0, 9):
        with pytest.raises(InputError, match="1 to 8 operations"):
            drawn(lengths=wrong)


def test_equal_seeds_give_equal_chains() -> None:
    assert chain.prompts(drawn(seed=3)) == chain.prompts(drawn(seed=3)) != chain.prompts(drawn(seed=4))
    assert chain.encode(drawn(0)).shape == (0, 60)


def test_tokens_spell_prompt_and_response() -> None:
    made = drawn()
    tokens = chain.encode(made)
    assert tokens.shape == (400, chain.LENGTH) == (400, 60)
    for row, prompt, response, question in zip(tokens, chain.prompts(made), chain.responses(made), chain.questions(made), strict=True):
        text = "".join(chain.ALPHABET[t] for t in row)
        assert text == (prompt + response + "\n").ljust(chain.LENGTH, "_")
        assert prompt == chain.canonical(question)
        assert response == ";".join(f"{v:03d}" for v in evaluated(question))
    found = chain.decode(tokens[:, chain.PROMPT :])
    assert np.array_equal(found, np.where(made.live, made.values, -1))


def test_a_malformed_step_decodes_as_none() -> None:
    row = [chain.ALPHABET.index(c) for c in "097;8_3;88;\n"] + [0] * 20
    assert chain.decode(np.array(row)).tolist() == [97, -1, -1, -1, -1, -1, -1, -1]


@pytest.mark.parametrize(
    "question",
    [
        CANONICAL,
        "86+11*9+10-4",
        "86 + 11 * 9 + 10 - 4",
        "What is 86 + 11 * 9 + 10 - 4?",
        "What is 86 + 11 * 9 + 10 - 4, worked from left to right?",
        "86 + 11 × 9 + 10 − 4 =",
        "  086 + 11 * 09 + 10 - 04 = ?  ",
    ],
)
def test_every_form_of_a_question_is_read(question: str) -> None:
    assert chain.canonical(question) == CANONICAL
    assert chain.solve(question) == (97, 873, 883, 879)


@given(st.integers(0, 2**32 - 1))
def test_canonical_prompts_read_as_themselves(seed: int) -> None:
    for prompt, question in zip(chain.prompts(drawn(5, seed)), chain.questions(drawn(5, seed)), strict=True):
        assert chain.canonical(prompt) == chain.canonical(question) == chain.canonical(f"What is {question}?") == prompt


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("How are you?", "a chain such as"),
        ("", "a chain such as"),
        ("What is 7?", "a chain such as"),
        ("3 + 4 and 5 + 6", "a chain such as"),
        ("(3 + 4) * 5", "a chain such as"),
        ("3 + 4 / 2", "a chain such as"),
        ("3.5 + 4", "3.5"),
        ("-3 + 4", "a chain such as"),
        ("100 + 4", "first number is 100"),
        ("5 + 100", r"\+ 100"),
        ("5 * 10", r"\* 10"),
        ("5 * 1", r"\* 1"),
        ("5 - 6", "a result is -1"),
        ("99 * 9 + 99 + 99", "a result is 1089"),
        ("1" + "+1" * 9, "9 operations"),
        ("1 + " + "9" * 5000, "too many digits"),
        (CANONICAL[:-1], "a chain such as"),
        (CANONICAL.replace("_>", ">"), "a chain such as"),
        ("086__________________________>", "a chain such as"),
    ],
)
def test_what_is_no_chain_is_refused_with_what_would_be_right(question: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        chain.canonical(question)
    assert "this organism reads a chain such as 'What is 86 + 11 * 9 + 10?'" in str(refused.value)
    assert len(str(refused.value)) < 500


@given(st.text(alphabet="0123456789+-*/. ()=?_>;\n abcWhatis", max_size=60))
def test_any_text_is_read_as_a_legal_chain_or_refused(text: str) -> None:
    try:
        prompt = chain.canonical(text)
    except InputError:
        return
    assert len(prompt) == chain.PROMPT
    assert chain.canonical(prompt) == prompt
    assert all(0 <= v <= 999 for v in chain.solve(prompt))


def test_values_of_a_response() -> None:
    assert chain.values("097;873;883") == (97, 873, 883)
    assert chain.values("097;873;") == (97, 873)
    assert chain.values("097;8_3;88") == (97, -1, -1)
    assert chain.values("097\n;123") == (97,)
    assert chain.values("") == (-1,)


def test_steps_are_right_at_their_place_only() -> None:
    assert chain.step_correct(CANONICAL, ["097;", "873;", "883;", "879"]) == (True, True, True, True)
    assert chain.step_correct(CANONICAL, ["097;", "872;", "883;"]) == (True, False, True)
    assert chain.step_correct("86+11*9+10-4", ["873;", "097;"]) == (False, False)
    assert chain.step_correct(CANONICAL, ["097;", "873;", "883;", "879;", "879"])[4] is False
    assert chain.step_correct(CANONICAL, ["97", "", "097;873;"]) == (False, False, False)


@given(st.integers(0, 2**32 - 1))
def test_right_responses_have_right_steps(seed: int) -> None:
    made = drawn(3, seed)
    for prompt, response in zip(chain.prompts(made), chain.responses(made), strict=True):
        assert chain.values(response) == chain.solve(prompt)
        assert all(chain.step_correct(prompt, [step + ";" for step in response.split(";")]))
