"""Spaces of pipelines: what a template's configurations are, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError, ParseError
from ponder.core.text import parse
from ponder.search.template import MOST, Space


def texts(template: str) -> list[str]:
    return [str(c) for c in Space(template)]


def test_configurations_are_all_combinations_in_order():
    assert texts("sample({4, 16}) | {vote(), argmax()}") == [
        "sample(4) | vote()",
        "sample(4) | argmax()",
        "sample(16) | vote()",
        "sample(16) | argmax()",
    ]


def test_none_leaves_a_stage_out_and_inner_choices_with_it():
    space = Space("sample(4) | {weigh({likelihood, random}), None} | vote()")
    assert [str(c) for c in space] == [
        "sample(4) | weigh(likelihood) | vote()",
        "sample(4) | weigh(random) | vote()",
        "sample(4) | vote()",
    ]
    assert [c.options for c in space] == [(0, 0), (0, 1), (1, None)]
    assert [(c.name, c.inside) for c in space.choices] == [("stage", None), ("weigh.scorer", (0, 0))]


def test_options_may_be_pipelines_and_precedence_holds():
    assert texts("{sample(1) | weigh(likelihood), sample(2)} + {sample(3), None} | vote()") == [
        "(sample(1) | weigh(likelihood)) + sample(3) | vote()",
        "sample(1) | weigh(likelihood) | vote()",
        "sample(2) + sample(3) | vote()",
        "sample(2) | vote()",
    ]


def test_equal_pipelines_come_once_and_all_their_options_lead_to_them():
    space = Space("sample({4, 5}) | {vote(), vote('same'), argmax()}")
    assert len(space) == 4
    assert space.index[0, 0] == space.index[0, 1] == 0
    assert len(space.index) == 6


def test_names_of_choices_are_those_of_arguments():
    space = Space("sample({1, 2}, temperature={0.5, 1.0}) | sample(n={3, 4}) | {vote(), argmax()}")
    assert [c.name for c in space.choices] == ["sample.n 1", "sample.temperature", "sample.n 2", "stage"]


@given(st.lists(st.integers(1, 30), min_size=2, max_size=4, unique=True), st.integers(1, 3))
def test_the_size_of_a_space_is_the_product_of_its_options(ns: list[int], stages: int):
    options = ", ".join(map(str, ns))
    space = Space(" | ".join(f"until(confident(0.9), sample({{{options}}}))" for _ in range(stages)))
    assert len(space) == len(ns) ** stages
    assert all(parse(str(c)) == c.pipeline for c in space)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("sample(4) | vote()", "nothing to choose"),
        ("sample({4}) | vote()", "at least two"),
        ("sample({4, 4}) | vote()", "different"),
        ("sample({4: 5})", "commas"),
        ("{None, sample(4)}", "leave all"),
        ("sample({4, 'x'})", "must be"),
        ("sample({4, 5}) | open('x')", "nothing is called 'open'"),
        ("sample({__import__('os'), 4})", "nothing is called"),
        ("sample({x for x in y})", "nothing to choose"),
        ("sample({4, 5}", "not a method"),
        ("", "empty"),
        (" | ".join(["sample({1,2,3,4,5,6,7,8})"] * 6), f"more than {MOST}"),
    ],
)
def test_bad_templates_are_refused_before_anything_is_spent(template: str, said: str):
    with pytest.raises((InputError, ParseError), match=said):
        Space(template)
