from pathlib import Path

import numpy as np

from ponder.core.seeds import generator
from ponder.papers.causal import string_diagram_surgery as paper


def test_the_worked_example_is_exact():
    checks = paper.exact_checks()
    assert len(checks) == 9
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]


def test_the_front_door_formula_on_300_random_models():
    rng = generator(7, ["front door"])
    errors, naive = zip(*(paper.front_door(rng) for _ in range(300)), strict=True)
    assert max(errors) < 1e-12
    assert np.mean(naive) > 0.02


def test_random_graphs_are_computed_or_refused():
    worst, refused = paper.random_graphs(30, generator(7, ["graphs"]))
    assert worst < 1e-12
    assert refused == 30


def test_random_states_are_put_back():
    assert max(paper.recomposition(200, generator(7, ["combs"]))) < 1e-12


def test_the_diagram_is_drawn_before_and_after(tmp_path: Path):
    before, after = paper.drawings(tmp_path)
    assert before.read_text() != after.read_text()
