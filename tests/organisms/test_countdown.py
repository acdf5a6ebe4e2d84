"""Countdown: problems can be solved, and the checker agrees with brute force over everything that can be written."""

from __future__ import annotations

import re
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.organisms import countdown

PROMPT = "120705095>"


def calculated(a: int, operator: str, b: int) -> int:
    return {"+": a + b, "-": a - b, "*": a * b}[operator]


def can_make(pool: tuple[int, ...], target: int) -> bool:
    """Brute force: every order of the numbers, every operators, worked pairwise in both shapes that three numbers allow."""
    if len(pool) == 1:
        return pool[0] == target
    if len(pool) == 2:
        return any(calculated(a, o, b) == target for a, b in permutations(pool) for o in "+-*")
    for a, b, c in permutations(pool):
        for first, second in product("+-*", repeat=2):
            middle = calculated(a, first, b)
            if 0 <= middle <= 999 and target in (calculated(middle, second, c), calculated(c, second, middle)):
                return True
    return False


def made(n: int = 300, seed: int = 0) -> countdown.Problems:
    return countdown.problems(n, np.random.default_rng(seed))


def test_problems_are_in_range_and_their_own_solutions_solve_them() -> None:
    problems = made(1000)
    assert len(problems) == 1000
    assert problems.numbers.min() == 1
    assert problems.numbers.max() == countdown.HIGHEST
    assert 1 <= problems.targets.min() <= problems.targets.max() <= 999
    for prompt, response, numbers, target in zip(
        countdown.prompts(problems), countdown.responses(problems), problems.numbers, problems.targets, strict=True
    ):
        assert prompt == "".join(f"{x:02d}" for x in numbers) + f"{target:03d}>"
        lines = [re.fullmatch(r"(\d{3})(.)(\d{3})=(\d{3})", line) for line in response.split(";")]
        (a, o, b, c), (d, p, e, f) = (line.groups() for line in lines if line)
        assert calculated(int(a), o, int(b)) == int(c)
        assert calculated(int(d), p, int(e)) == int(f) == target
        assert sorted([int(a), int(b), int(d), int(e)]) == sorted([*numbers.tolist(), int(c)])
        assert countdown.check(prompt, response) == countdown.Check((True, True), True, True)


def test_tokens_spell_prompt_and_response() -> None:
    problems = made()
    tokens = countdown.encode(problems)
    assert tokens.shape == (300, countdown.LENGTH) == (300, 34)
    for row, prompt, response in zip(tokens, countdown.prompts(problems), countdown.responses(problems), strict=True):
        assert "".join(countdown.ALPHABET[t] for t in row) == prompt + response + "\n"


def test_equal_seeds_give_equal_problems() -> None:
    assert countdown.prompts(made(seed=1)) == countdown.prompts(made(seed=1)) != countdown.prompts(made(seed=2))
    assert countdown.encode(made(0)).shape == (0, 34)


@pytest.mark.parametrize("question", [PROMPT, "Use 12, 7, 5 to make 95", "Use 12, 7 and 5 to make 95.", " numbers 12 7 5; target: 95? "])
def test_every_form_of_a_question_is_read(question: str) -> None:
    assert countdown.canonical(question) == PROMPT


@given(st.integers(0, 2**32 - 1))
def test_prompts_and_questions_read_as_the_prompt(seed: int) -> None:
    problems = made(4, seed)
    for prompt, question in zip(countdown.prompts(problems), countdown.questions(problems), strict=True):
        assert countdown.canonical(prompt) == countdown.canonical(question) == prompt
        assert countdown.check(question, countdown.solve(question)).solved


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("", "three numbers and a target"),
        ("Use 12 and 7 to make 95", "three numbers and a target"),
        ("Use 1, 2, 3, 4 to make 5", "three numbers and a target"),
        ("Use 12, -7, 5 to make 95", "three numbers and a target"),
        ("Use 12, 7.5 to make 95", "three numbers and a target"),
        ("Use 21, 7, 5 to make 33", "21, 7, 5 and the target 33"),
        ("Use 0, 7, 5 to make 12", "0, 7, 5 and the target 12"),
        ("Use 12, 7, 5 to make 0", "the target 0"),
        ("Use 12, 7, 5 to make 1000", "the target 1000"),
        ("Use 1, 1, 1 to make 999", "the target 999"),
        ("12070595>", "three numbers and a target"),
    ],
)
def test_what_is_no_problem_is_refused_with_what_would_be_right(question: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        countdown.canonical(question)
    assert "this organism reads three numbers and a target, such as 'Use 12, 7, 5 to make 95'" in str(refused.value)


def test_the_checker_agrees_with_brute_force_on_every_first_line() -> None:
    for numbers, target in (((12, 7, 5), 95), ((3, 3, 4), 13), ((1, 2, 20), 19), ((20, 20, 20), 420)):
        prompt = "".join(f"{x:02d}" for x in numbers) + f"{target:03d}>"
        assert can_make(numbers, target)
        for a, o, b in product(range(22), "+-*", range(22)):
            result = calculated(a, o, b)
            pool = list(numbers)
            for x in (a, b):
                if x in pool:
                    pool.remove(x)
            there = len(pool) == 1
            for written in {result, result + 1} & set(range(1000)):
                found = countdown.check(prompt, f"{a:03d}{o}{b:03d}={written:03d};")
                valid = there and written == result
                assert found == countdown.Check((valid,), valid and can_make((pool[0], result), target), False)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), st.integers(1, 999))
def test_only_what_can_be_made_is_admitted(seed: int, a: int, b: int, c: int, target: int) -> None:
    question = f"Use {a}, {b}, {c} to make {target}"
    if can_make((a, b, c), target):
        assert countdown.check(question, countdown.solve(question)).solved
    else:
        with pytest.raises(InputError):
            countdown.canonical(question)


@pytest.mark.parametrize(
    ("text", "valid", "reachable", "solved"),
    [
        ("", (), True, False),
        ("012+007=019", (True,), True, False),
        ("012+007=019;019*005=095", (True, True), True, True),
        ("012+007=019;019*005=095;", (True, True), True, True),
        ("012+007=019;019*005=095\n;;nothing behind the end counts", (True, True), True, True),
        ("007+012=019;005*019=095", (True, True), True, True),
        ("012-007=005;005*005=025", (True, True), False, False),
        ("012+007=018;018*005=090", (False, False), False, False),
        ("012+007=019;019*005=096", (True, False), False, False),
        ("012+012=024", (False,), False, False),
        ("012+007=019;012*005=060", (True, False), False, False),
        ("012+007=019;019*005=095;095+000=095", (True, True, False), False, False),
        ("12+7=19;19*5=95", (False, False), False, False),
        ("095", (False,), False, False),
        ("012+007=019;019*005=09", (True, False), False, False),
    ],
)
def test_the_checker_says_what_is_wrong(text: str, valid: tuple[bool, ...], reachable: bool, solved: bool) -> None:
    assert countdown.check(PROMPT, text) == countdown.Check(valid, reachable, solved)


def test_steps_are_right_while_the_target_can_be_made() -> None:
    assert countdown.step_correct(PROMPT, ["012+007=019;", "019*005=095"]) == (True, True)
    assert countdown.step_correct(PROMPT, ["012-007=005;", "005*005=025\n"]) == (False, False)
    assert countdown.step_correct(PROMPT, ["012+007=019;", "019+005=024"]) == (True, False)
