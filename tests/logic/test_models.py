"""Finite models and the search for truth values, against enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logic.strategies import formulas

from ponder.core.errors import InputError
from ponder.logic.formula import Formula
from ponder.logic.models import Model, ModelTooLarge, counterexample, enough, find_model
from ponder.logic.satisfying import satisfying
from ponder.logic.syntax import parse


def test_truth_values_against_all_of_them() -> None:
    rng, found = np.random.default_rng(0), 0
    for _ in range(1500):
        n, most = int(rng.integers(1, 7)), int(rng.integers(1, 15))
        clauses = [[int(rng.choice([-1, 1]) * rng.integers(1, n + 1)) for _ in range(rng.integers(1, 4))] for _ in range(most)]

        def true(values: tuple[bool, ...] | list[bool], clauses: list[list[int]] = clauses) -> bool:
            return all(any(values[abs(x) - 1] == (x > 0) for x in c) for c in clauses)

        values = satisfying(clauses, n)
        assert (values is not None) == any(true(v) for v in product([False, True], repeat=n))
        if values is not None:
            found += 1
            assert true(values[1:])
    assert 300 < found < 1200


def test_an_empty_clause_cannot_be_true() -> None:
    assert satisfying([[1], []], 1) is None
    assert satisfying([], 2) == [False, False, False]


@settings(max_examples=60)
@given(st.lists(formulas(depth=3, functions=False), min_size=1, max_size=3))
def test_a_model_is_found_exactly_if_there_is_one(given_: list[Formula]) -> None:
    """Over one or two things, with all interpretations of the symbols tried."""
    found = find_model(given_, largest=2)
    if found is not None:
        assert all(map(found.satisfies, given_))
    else:
        assert not any(all(map(m.satisfies, given_)) for size in (1, 2) for m in every_model(size))


def every_model(size: int) -> list[Model]:
    """All interpretations of the test formulas' symbols."""
    things = range(size)
    cells = [(p, (i,)) for p in ("P", "Q", "Größe") for i in things] + [("Rains", ())] + [("Likes", (i, j)) for i in things for j in things]
    names = [{("Bob", ()): b, ("Anne", ()): a} for a in things for b in things]
    chosen = [frozenset(c for c, on in zip(cells, bits, strict=True) if on) for bits in product([0, 1], repeat=len(cells))]
    return [Model(size, functions, predicates) for functions in names for predicates in chosen]


@settings(max_examples=150)
@given(formulas(depth=3))
def test_models_of_formulas_with_functions_and_equality_satisfy_them(formula: Formula) -> None:
    model = find_model([formula], largest=3)
    assert model is None or model.satisfies(formula)


@pytest.mark.parametrize(
    ("texts", "size"),
    [
        (["P(Bob)"], 1),
        (["Bob != Anne"], 2),
        (["Bob != Anne", "Anne != Carl", "Carl != Bob"], 3),
        (["Bob != Anne", "all x. (x = Bob | x = Anne)", "all x. f(x) != x"], 2),
        (["all x. exists y. (R(x, y) & -R(y, x))"], 3),
        (["P(Bob) & -P(Bob)"], None),
    ],
)
def test_the_smallest_model_is_found(texts: list[str], size: int | None) -> None:
    model = find_model([parse(t) for t in texts], largest=4)
    assert (None if model is None else model.size) == size


def test_a_counterexample_shows_that_something_does_not_follow() -> None:
    premises = [parse("all x. exists y. R(x, y)")]
    model = counterexample(premises, parse("exists y. all x. R(x, y)"))
    assert model is not None
    assert model.satisfies(premises[0])
    assert not model.satisfies(parse("exists y. all x. R(x, y)"))
    assert counterexample([parse("P(Bob)")], parse("exists x. P(x)")) is None


def test_enough_counts_constants_and_existential_ones() -> None:
    assert enough([parse("P(Bob)"), parse("exists x. Q(x)"), parse("all x. (P(x) -> Likes(x, Anne))")]) == 3
    assert enough([parse("all x. P(x)")]) == 1
    assert enough([parse("all x. exists y. R(x, y)")]) is None


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        find_model([], largest=0)
    deep = parse("".join(f"all x{i}. " for i in range(12)) + "R(" + ", ".join(f"x{i}" for i in range(12)) + ")")
    with pytest.raises(ModelTooLarge):
        find_model([deep, parse("-R(" + ", ".join(["Bob"] * 12) + ")")], largest=4)
