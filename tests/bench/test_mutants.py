"""Mutation operators: what each makes of a program, and that nothing else changes."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from ponder.bench.mutants import OPERATORS, mutants, mutate
from ponder.core.errors import InputError

SOURCE = '''
def f(xs, n):
    """What f does."""
    total = 0
    for i in range(n):
        if xs[i] > 2 and i != n:
            total += xs[i] * 3
        else:
            total -= 1
    return total or xs[1:]
'''

MADE = {
    "comparison": ("xs[i] >= 2", "xs[i] < 2", "i == n"),
    "constant": ("total = 1", "total = -1", "xs[i] * 4", "xs[0:]"),
    "arithmetic": ("total -= xs[i] * 3", "xs[i] + 3", "total += 1"),
    "logic": ("xs[i] > 2 or i != n", "total and xs[1:]"),
    "condition": ("if not (xs[i] > 2 and i != n)",),
    "branch": ("pass\n",),
    "bounds": ("range(n + 1)", "range(n - 1)", "xs[1 + 1:]", "xs[1 - 1:]"),
    "result": ("return 0", "return None", "return []", "return ''"),
}


@pytest.mark.parametrize("operator", list(OPERATORS))
def test_what_an_operator_makes(operator: str) -> None:
    made = [text for name, text in mutants(SOURCE, [operator]) if name == operator]
    for fragment in MADE[operator]:
        assert sum(fragment in text for text in made) >= 1, fragment
    original = ast.unparse(ast.parse(SOURCE)).splitlines()
    for text in made:
        ast.parse(text)
        if operator != "branch":
            changed = [(a, b) for a, b in zip(original, text.splitlines(), strict=True) if a != b]
            assert len(changed) == 1


def test_every_mutant_is_another_program_and_comes_once() -> None:
    texts = [text for _, text in mutants(SOURCE)]
    assert len(texts) == len(set(texts)) > 30
    assert ast.unparse(ast.parse(SOURCE)) not in texts
    assert all('"""What f does."""' in text for text in texts)


def test_a_dropped_branch_is_either_half() -> None:
    texts = [text for _, text in mutants(SOURCE, ["branch"])]
    assert len(texts) == 2
    assert sum("else" in text for text in texts) == 1


def test_the_seed_decides() -> None:
    drawn = [mutate(SOURCE, np.random.default_rng(seed)) for seed in range(20)]
    assert drawn == [mutate(SOURCE, np.random.default_rng(seed)) for seed in range(20)]
    assert len(set(drawn)) > 10
    every = {text for _, text in mutants(SOURCE, ["bounds"])}
    assert {mutate(SOURCE, np.random.default_rng(seed), ["bounds"]) for seed in range(100)} == every


def test_a_mutant_is_never_the_original() -> None:
    source = "def f():\n    return None"
    assert {mutate(source, np.random.default_rng(seed), ["result"]) for seed in range(60)} == {t for _, t in mutants(source, ["result"])}
    assert source not in {text for _, text in mutants(source)}


def test_nothing_to_change() -> None:
    assert mutate("def f(x):\n    pass", np.random.default_rng(0)) is None
    assert mutate("def f(x:", np.random.default_rng(0)) is None
    assert mutants("\0") == []


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(InputError, match="comparison"):
        mutate(SOURCE, np.random.default_rng(0), ["comparisn"])
