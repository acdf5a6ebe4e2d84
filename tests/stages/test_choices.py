"""Options in several orders: the orders themselves, votes that do not depend on labels, readouts, what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.front import ask
from ponder.lm.scripted import Scripted
from ponder.stages.choices import KINDS, orders, original, positional, reordered

QUESTION = Problem("Which is a fruit?", choices=("hammer", "apple", "Kenya", "blue"), reads="choice")


def lines(prompt: str) -> dict[str, str]:
    """Letter -> option, as a prompt shows them."""
    return dict(line.split(". ", 1) for line in prompt.splitlines() if line[1:3] == ". ")


def by_content(shares: dict[str, float], bias: tuple[float, ...] = (0, 0, 0, 0)) -> Scripted:
    """A model whose letters have the probability of softmax(content + place)."""

    def answers(prompt: str) -> dict[str, float]:
        shown = lines(prompt)
        logits = {letter: math.log(shares[option]) + bias["ABCD".index(letter)] for letter, option in shown.items()}
        total = math.fsum(math.exp(v) for v in logits.values())
        return {letter: math.exp(v) / total for letter, v in logits.items()}

    return Scripted(answers)


def test_plain_hunt_is_the_bell_ringers():
    assert ["".join(map(str, o)) for o in orders(4, 99, "plain_hunt")] == ["0123", "1032", "1302", "3120", "3210", "2301", "2031", "0213"]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_each_option_stands_in_each_place_equally_often(n: int):
    for kind, times in (("plain_hunt", 2 if n > 2 else 1), ("cyclic", 1), ("all", math.factorial(n - 1))):
        found = orders(n, 1000, kind)
        assert len(set(found)) == len(found)
        for place in range(n):
            assert sorted(o[place] for o in found) == sorted(list(range(n)) * times)


@given(st.integers(2, 6), st.integers(1, 30), st.integers(0, 5))
def test_random_orders_are_different_and_as_many_as_there_are(n: int, m: int, seed: int):
    found = orders(n, m, "random", np.random.default_rng(seed))
    assert len(set(found)) == len(found) == min(m, math.factorial(n))
    assert all(sorted(o) == list(range(n)) for o in found)


@given(st.permutations(range(4)))
def test_letters_lead_back_to_where_options_stood(order: list[int]):
    moved = reordered(QUESTION, tuple(order))
    for place, letter in enumerate("ABCD"):
        assert QUESTION.choices["ABCD".index(original(letter, tuple(order)) or "")] == moved.choices[place]
    assert original(None, tuple(order)) is None
    assert original("E", tuple(order)) is None


@pytest.mark.parametrize("order", ["all", "cyclic", "plain_hunt"])
@pytest.mark.parametrize("by", ["text", "letters"])
def test_a_model_that_knows_only_places_gets_uniform_votes(order: str, by: str):
    m = {"all": 24, "cyclic": 4, "plain_hunt": 8}[order]
    answer = ask(QUESTION, method=f"shuffled({m}, {order!r}, by={by!r}) | vote()", model=Scripted({"B": 1.0}))
    assert answer.shares == pytest.approx(dict.fromkeys("ABCD", 0.25))


def test_content_and_a_place_have_the_argmax_of_content_under_all_orders():
    shares = {"hammer": 0.2, "apple": 0.35, "Kenya": 0.3, "blue": 0.15}
    biased = by_content(shares, (2.0, 0.0, -1.0, 0.5))
    plain = ask(QUESTION, method="shuffled(1, 'cyclic', by='letters') | vote()", model=biased)
    assert plain.value == "A"
    answer = ask(QUESTION, method="shuffled(24, 'all', by='letters') | vote()", model=biased)
    assert answer.value == "B"
    assert list(answer.shares) == ["B", "C", "A", "D"]


def test_relabelling_options_permutes_votes_and_nothing_else():
    shares = {"hammer": 0.1, "apple": 0.4, "Kenya": 0.3, "blue": 0.2}
    model = by_content(shares, (1.0, 0.0, 0.0, -1.0))
    base = ask(QUESTION, method="shuffled(24, 'all', by='letters') | vote()", model=model).shares
    for order in itertools.islice(itertools.permutations(range(4)), 5, 24, 6):
        moved = ask(reordered(QUESTION, order), method="shuffled(24, 'all', by='letters') | vote()", model=model).shares
        assert {original(letter, order): share for letter, share in moved.items()} == pytest.approx(base)


def test_bills_count_every_member():
    assert ask(QUESTION, method="shuffled(5) | vote()", model=Scripted({"B": 1.0})).bill.calls == 5
    assert ask(QUESTION, method="shuffled(5, by='letters') | vote()", model=Scripted({"B": 0.5, "A": 0.5})).bill.calls == 20


def test_few_orders_and_positional_options_are_told():
    answer = ask(QUESTION, method="shuffled(30, 'cyclic') | vote()", model=Scripted({"B": 1.0}))
    assert any("4 such orders" in note for note in answer.trace.notes)
    fixed = Problem("?", choices=("x", "y", "both A and B", "none of the above"), reads="choice")
    answer = ask(fixed, method="shuffled(4) | vote()", model=Scripted({"B": 1.0}))
    assert (answer.value, answer.confidence) == ("B", 1.0)
    assert any("left in their order" in note for note in answer.trace.notes)


@pytest.mark.parametrize("option", ["all of the above", "None of these", "both A and C", "A and B", "Neither B nor C"])
def test_options_that_speak_of_places_are_known(option: str):
    assert positional(("x", option))


@pytest.mark.parametrize("option", ["vitamins a and d3", "all men are mortal", "Vitamin A", "Kenya and Brazil"])
def test_other_options_are_not(option: str):
    assert not positional(("x", option))


@pytest.mark.parametrize("choices", [(), ("x",), ("x", "x "), ("x", " ")])
def test_options_must_be_different_and_not_empty(choices: tuple[str, ...]):
    with pytest.raises(InputError, match="all different"):
        ask(Problem("?", choices=choices, reads="choice"), method="shuffled(2) | vote()", model=Scripted({"A": 1.0}))


def test_impossible_orders_are_refused():
    for n, m, kind in ((1, 1, "random"), (4, 0, "random"), (7, 1, "all"), (4, 1, "odd")):
        with pytest.raises(InputError):
            orders(n, m, kind)
    assert set(KINDS) == {"random", "plain_hunt", "cyclic", "all"}
