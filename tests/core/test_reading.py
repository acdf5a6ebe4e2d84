"""Answer readers: a table of what models write, and laws that hold for every text."""

# ruff: noqa: E501 (tables)
from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.reading import (
    READERS,
    after_mark,
    boxed,
    marked,
    numbers,
    read_auto,
    read_boolean,
    read_choice,
    read_math,
    read_number,
    read_text,
)

TWELVE = [
    "12", " 12\n", "12.", "**12**", "*12*", "_12_", "`12`", "#### 12", "####12", "12, because 5 + 7 is that", "12 because 3 * 4 = 12",
    "12 apples because there are 3 bags of 4", "The answer is 12.", "The answer is: $12$", "the answer is **12**", r"\boxed{12}",
    r"\[\boxed{12}\]", r"The final answer is $\boxed{12}$.", "Answer: 12", "**Answer:** 12", "**Answer**: 12", "### Final Answer\n12",
    "The answer is:\n\n12", "12.0", "12.00", "$12", "12 dollars", "12km", "+12", "The answer to 3 * 4 is 12", "Therefore, 12 is the answer.",
    "3 * 4 = 12", "3*4=12", "3 x 4 = 12", r"3 \times 4 = 12", "12 = 3 * 4", "x = 12", "36/3", "1200%", "1.2e1", "١٢", "１２",
    "He buys 3 bags.\nEach holds 4.\nSo he has 3 * 4 = 12 apples.", "So 5 apples + 7 apples = 12 apples", "It is 12 because 11 + 1",
    "First it is 7. Then 5 more make 12.", "He has 3 + 4 = 7. Then he gets 5 more, which makes 12.", "48/2 = 24\n24/2 = 12",
    "Janet has 24/2 = 12 eggs.\n#### 12", "#### Step 1: count 3 bags\n12 apples", "1. First 3 + 4 = 7\n2. Then 7 + 5 = 12", "1) 24 / 2 = 12",
    "Answer: Let's think step by step.\n3 + 4 = 7\n7 + 5 = 12", "On 2024-05-01 at 09:30 he had 12", "12. It is 3 times 4.",
    "The answer is 13. Wait, that is wrong: the answer is 12.", r"\boxed{13}. I forgot one. The answer is 12.", r"The answer is 13, no: \boxed{12}",
    "3 * 4 = 12. I hope the answer is clear.", "The answer is not 13 but 12", "The answer is 3 * 4 = 12", "10 ≈ 12",
    "The answer would be 12", "My final answer: 12", "user: hello\nassistant: 12", "Final result: 12", r"\boxed{1} \boxed{12}",
]  # fmt: skip

NUMBERS = [
    ("1,200", "1200"), ("1{,}200", "1200"), (r"1\,200", "1200"), ("$1,200.50", "2401/2"), ("-3", "-3"), ("−3", "-3"), ("-$5", "-5"), ("$-5", "-5"),
    ("x = - 5", "-5"), ("3/4", "3/4"), (r"\frac{3}{4}", "3/4"), (r"\dfrac{3}{4}", "3/4"), (r"\frac34", "3/4"), ("0.75", "3/4"), ("75%", "3/4"),
    (r"75\%", "3/4"), ("75 percent", "3/4"), (r"$\frac{3}{4}$", "3/4"), ("6/8", "3/4"), ("2 1/2", "5/2"), ("2½", "5/2"), ("½", "1/2"),
    (r"2\frac{1}{2}", "5/2"), (".5", "1/2"), ("0", "0"), ("-0", "0"), ("007", "7"), ("2 million", "2000000"), ("$1.5 million", "1500000"),
    (r"1.2 \times 10^3", "1200"), ("1.2 × 10^{-1}", "3/25"), ("1e5", "100000"), ("56. It is seven eights.", "56"), ("7 * 8 = 56.", "56"),
    ("12 * 7 = 84\n", "84"), ("5, 3 and 2 make 10.", "10"), ("-12/5", "-12/5"), ("1", "1"), ("1.", "1"),
    ("097;873;871", "871"), ("097;873;", "873"), ("097;87+;883;000\n", "0"), ("097;", "97"),
]  # fmt: skip

NO_NUMBER = [
    "", " \n\t", "none", "NaN", "nan", "inf", "-infinity", "∞", "twelve", "x", "x2", "H2O", "5x", "v1.2.3", "192.168.0.1", "0x1F", "12:30", "3:4",
    "2024-05-01", "05/06/2024", "12 + 1", "12-5", "12 -5", "2^10", "3 * ", "7 * 8 =", "7 * 8 = ?", "1/0", "(3,4)", "1,2000", "1e999999", "9" * 5000,
    "The answer is 12 + 1", "The answer is 2024-05-01", r"The answer is \sqrt{2}", r"3 + 4 = 7. The answer is \frac{\pi}{2}", "²", "####", r"\boxed{}",
    "097;873;88+",
]  # fmt: skip


@pytest.mark.parametrize("text", TWELVE)
def test_one_number_in_all_its_clothes(text: str) -> None:
    assert read_number(text) == "12"


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_numbers_are_exact(text: str, value: str) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize("text", [t for t in NO_NUMBER if t not in ("3 * ",)])
def test_what_states_no_number_is_none(text: str) -> None:
    assert read_number(text) is None


def test_numbers_lists_all_in_order() -> None:
    assert numbers("1,234.50 and -3, then 1/2; on 2024-05-01 at 12:30") == ["2469/2", "-3", "1/2"]


ANIMALS = ("dog", "cat", "sea lion", "lion")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("B", "B"), ("(B)", "B"), ("B.", "B"), ("b)", "B"), ("b) foo", "B"), ("(b)", "B"), ("**B**", "B"), ("B: cat", "B"), ("B) cat", "B"),
        ("The answer is (B)", "B"), ("The answer is B.", "B"), ("Answer: B", "B"), (r"\boxed{B}", "B"), (r"\boxed{\text{(B)}}", "B"), ("#### B", "B"),
        ("The correct answer is B because cats purr", "B"), ("B is correct.", "B"), ("B because", "B"), ("I choose B", "B"), ("Option B", "B"),
        ("So option (B) fits", "B"), ("(A) barks. So it must be (B).\n(B)", "B"), ("cat", "B"), ("Cat.", "B"), ("It is the cat.", "B"), ("A cat", "B"),
        ("A cat is what purrs", "B"), ("The answer is a cat.", "B"), ("A", "A"), ("A.", "A"), ("(A)", "A"), ("A is correct", "A"), ("a", "A"),
        ("sea lion", "C"), ("the sea lion, of course", "C"), ("lion", "D"), ("B is the correct answer. A is not.", "B"), ("A, since it barks", "A"),
        ("The answer is A. No: the answer is B.", "B"), ("The answer is (A).\nCorrection, the answer is (B).", "B"), ("A) dog\nB) cat\nAnswer: B", "B"),
        ("I think it is D", "D"), ("A bird is what flies", None), ("A and B", None), ("A, B and D are wrong", None), ("dog or cat", None), ("", None),
        ("E", None), ("The answer is E", None), ("Because", None), ("catalogue", None), ("I", None), ("a bird", None), ("The answer is a bird", None),
        ("A) dog\nB) cat\nC) sea lion", None), ("(A) and (B)", None), ("Beautiful", None), ("B'day", None),
    ],
)  # fmt: skip
def test_choices(text: str, value: str | None) -> None:
    assert read_choice(text, ANIMALS) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", "A"),
        ("The answer is 12", "A"),
        ("12.5", None),
        ("-12", None),
        ("The answer is 13, as 12 + 1 = 13", None),
        ("So 14 it is", "B"),
        ("112", None),
    ],
)
def test_choices_that_are_numbers(text: str, value: str | None) -> None:
    assert read_choice(text, ("12", "14")) == value


def test_choices_without_options_and_with_many() -> None:
    assert read_choice("The answer is (J)", ()) == "J"
    assert read_choice("option 29", tuple(f"option {i}" for i in range(30))) is None
    assert read_choice("option 25", tuple(f"option {i}" for i in range(30))) == "Z"
    assert read_choice("same", ("same", "same")) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("No", "no"), ("No, it is not.", "no"), ("**Yes**, because", "yes"), ("True", "yes"), ("false.", "no"), ("The answer is no.", "no"),
        ("Answer: yes", "yes"), (r"\boxed{\text{True}}", "yes"), ("It is true.", "yes"), ("It is not true.", "no"), ("It isn't true", "no"),
        ("The answer is yes. Wait. The answer is no.", "no"), ("Some say yes.\nBut the facts say no.", "no"), ("I would say: no!", "no"),
        ("There is no evidence of it.", None), ("True or false?", None), ("yes/no", None), ("maybe", None), ("", None), ("nothing", None), ("yesterday", None),
    ],
)  # fmt: skip
def test_booleans(text: str, value: str | None) -> None:
    assert read_boolean(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Paris", "paris"), ("**Paris**.", "paris"), ("The answer is Paris.", "paris"), ("The answer is Paris. It is the capital.", "paris"),
        ("The answer is St. Louis", "st. louis"), ("The answer is Paris, because it is.", "paris"), (r"\boxed{\text{Paris}}", "paris"),
        ("Answer:\n New   York", "new york"), ("a*b*c", "a*b*c"), ("my_var", "my_var"), ("", None), (" .,;\n", None),
        ('print("user: hello")', 'print("user: hello")'), ("User: hello\nAssistant: hi", "user: hello assistant: hi"), ("#### Berlin", "berlin"),
    ],
)  # fmt: skip
def test_texts(text: str, value: str | None) -> None:
    assert read_text(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\boxed{x^2 + 1}", "x^2+1"), (r"The answer is $x^2+1$.", "x^2+1"), (r"So the roots are $x+1$ and \(x + 2\)", "x+2"), (r"\boxed{12.0}", "12"),
        (r"\boxed{\dfrac{3}{4}}", "3/4"), (r"\boxed{\frac{x}{2}}", r"\frac{x}{2}"), (r"\boxed{\dfrac{x}{2}}", r"\frac{x}{2}"), ("x = 5", "5"),
        (r"\boxed{\left(3, 4\right)}", "(3,4)"), (r"\boxed{\sqrt{2}}", r"\sqrt{2}"), ("7 * 8 = 56", "56"), ("$x = 3$", "3"), ("-3", "-3"), ("", None),
    ],
)  # fmt: skip
def test_maths(text: str, value: str | None) -> None:
    assert read_math(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", "12"), ("The answer is 12.", "12"), ("7 * 8 = 56", "56"), ("Yes, it is.", "yes"), ("The answer is no", "no"), ("Paris", "paris"),
        ("The answer is Paris.", "paris"), ("Apollo 11", "apollo 11"), ("The answer is Apollo 11.", "apollo 11"), ("Room 12", "room 12"),
        ("So she has 72 clips in all.", "72"), ("2024-05-01", "2024-05-01"), ("It was on 2024-05-01, a Wednesday", "it was on 2024-05-01, a wednesday"),
        ("12:30", "12:30"), ("", None), ("nan", "nan"), ("The answer is x = 12", "12"), ("It is true that Paris is large", "it is true that paris is large"),
    ],
)  # fmt: skip
def test_auto(text: str, value: str | None) -> None:
    assert read_auto(text) == value


def test_answers_of_several_lines_are_told_apart() -> None:
    assert read_text("The answer is:\n_ Q\nQ _\n\nI hope this helps.") == "_ q q _"
    assert read_text("The answer is:\n_ Q\n_ Q") == "_ q _ q"
    assert read_number("The answer is:\n12 apples\nwhich is 3 times 4") == "12"


def test_auto_reads_a_letter_where_there_are_options() -> None:
    assert read_auto("The answer is (B), 12", ("11", "12")) == "B"


def test_boxes_and_marks() -> None:
    assert boxed(r"\boxed{1} then \boxed{\frac{1}{2}}") == r"\frac{1}{2}"
    assert boxed(r"\boxed{12") is None
    assert boxed("none") is None
    assert marked("The answer is 5 apples\nand more") == "5 apples"
    assert marked("Let us check whether the answer is right") is None
    assert marked("nothing here") is None
    assert after_mark("The answer is 1 1\n1 1\n\nSo.") == "1 1\n1 1\n\nSo."
    assert after_mark(r"The answer is \boxed{5}, I think") == "5"
    assert after_mark("nothing here") is None


def test_a_vote_never_joins_what_differs() -> None:
    texts = ["So the result of it is 13"] + ["So the result of it is 12"] * 4 + ["I do not know"] * 6
    candidates = [Candidate(t, Problem("6 + 6 = ?", reads="number").read(t)) for t in texts]
    classes = Population(tuple(candidates), [0.0] * len(texts)).classes(lambda c: c.value)
    assert {value: len(members) for value, members in classes.items()} == {"13": 1, "12": 4, None: 6}


CHOICES = st.sampled_from([(), ANIMALS, ("12", "14"), ("", "a", "A", "\\"), tuple(map(str, range(40)))])
WORDS = st.lists(
    st.sampled_from(
        ["the answer is", "answer:", "####", r"\boxed{", "}", "{", "12", "-3", "3/4", "1,200", "=", "+", "*", "**", "%", "because", "yes", "no", "(B)", "A",
         r"\frac{1}{2}", "$", "\n", ".", " ", "x", "½", "e5", "/", "10^", "million", "not", "Paris", "final", "_", "`", ":", "ß", "İ", "٣"]
    ), max_size=14,
)  # fmt: skip
TEXTS = st.text(max_size=60) | WORDS.map(" ".join) | WORDS.map("".join)


@settings(max_examples=600, deadline=None)
@given(TEXTS, CHOICES, st.sampled_from(sorted(READERS)))
@example("the answer\nis 5", (), "text")
@example("an*swer is 5", (), "auto")
@example("1" * 4300 + "/" + "7" * 4300, (), "number")
def test_readers_never_raise_and_their_values_read_as_themselves(text: str, choices: tuple[str, ...], reader: str) -> None:
    value = READERS[reader](text, choices)
    assert value is None or value
    if value is not None:
        assert READERS[reader](value, choices) == value


@given(
    st.fractions(max_denominator=10**6),
    st.sampled_from(["{}", "**{}**", "The answer is {}.", r"$\boxed{{{}}}$", "So x = {}", "Answer: {}\nThat is all."]),
)
def test_any_fraction_survives_any_clothes(value: object, clothes: str) -> None:
    assert read_number(clothes.format(value)) == str(value)


HUGE = 100_000


@pytest.mark.parametrize(
    "text",
    ["1" * HUGE, " " * HUGE, "the " + " " * HUGE + "answer", "1,234" * (HUGE // 5), ",123" * (HUGE // 4) + ",12", "the answer is " * (HUGE // 14), "#" * HUGE,
     "#### " * (HUGE // 5), "\\boxed{" * (HUGE // 7), "{" * HUGE, "*" * HUGE, "12 + " * (HUGE // 5), "1 " * (HUGE // 2), "a" * HUGE + "1", "1" + "a" * HUGE,
     "\n" * HUGE, "(A)" * (HUGE // 3), "not " * (HUGE // 4), "$" * HUGE, r"\frac{" * (HUGE // 6), "answer " * (HUGE // 7), "1 * 10 ^ " * (HUGE // 9), "= - " * (HUGE // 4),
     "_" * HUGE, "Mrs. A" * (HUGE // 6), "yes no " * (HUGE // 7), "answer" + " " * HUGE + "\n" + "*" * 50, "1/" * (HUGE // 2), "1.2." * (HUGE // 4), "\u00a0" * HUGE, "`" * HUGE],
)  # fmt: skip
def test_time_is_linear_or_this_would_not_end(text: str) -> None:
    for value in (read_auto(text), read_math(text), read_boolean(text), read_choice(text, ANIMALS)):
        assert value is None or value


def test_a_megabyte_of_reasoning_is_read() -> None:
    line = "So 3 apples + 4 apples = 7 apples, which the answer needs, and (B) is out since \\frac{1}{2} > 0.\n"
    text = line * (1_000_000 // len(line)) + "The answer is **12**."
    assert read_number(text) == read_auto(text) == read_math(text) == read_text(text) == "12"
