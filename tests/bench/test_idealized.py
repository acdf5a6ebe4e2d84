"""Idealized runtime: published tables, laws of fits and estimates, what is refused; operations; bills."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.bench.flops import transformer
from ponder.bench.idealized import RuntimeModel, tradeoff
from ponder.core.errors import InputError
from ponder.core.pace import Pace
from ponder.front import ask
from ponder.lm.scripted import Scripted
from ponder.papers.efficiency.idealized_runtime import ALPHA, HELM, LAST, ORACLE, SECOND, exact_checks

GPTJ = {cell: t for (p, a), b, c in zip(ALPHA.items(), SECOND, LAST, strict=True) for cell, t in {(p, 1): a, (p, 2): b, (p, 64): c}.items()}
SIZES = st.integers(1, 3000)


def test_every_published_figure():
    assert [c.name for c in exact_checks() if not c.passed] == []


def test_gpt_j():
    model = RuntimeModel.fit(GPTJ, digits=3)
    assert model.pace.beta == 0.021
    assert dict(model.pace.alpha) == ALPHA
    assert model.r2 > 0.9999
    assert model.max_error < 0.02


@pytest.mark.parametrize(("query", "seconds"), ORACLE.items())
def test_helms_rule(query: tuple[int, int], seconds: float):
    assert RuntimeModel.from_helm(HELM).estimate(*query) == pytest.approx(seconds, abs=5e-7)


def test_helms_rule_jumps_and_ours_does_not():
    helm, ours = RuntimeModel.from_helm(HELM), RuntimeModel.fit(GPTJ)
    assert helm.estimate(17) < 0.6 * helm.estimate(16)
    steps = np.diff([ours.estimate(p) for p in range(1, 1921)])
    assert np.all(steps >= -1e-12)


@given(st.dictionaries(SIZES, st.floats(1e-3, 10), min_size=1, max_size=6), st.floats(1e-4, 1), st.floats(0, 0.5))
def test_a_line_is_found_again_exactly(alpha: dict[int, float], beta: float, overhead: float):
    cells = {(p, o): a + beta * (o - 1) for p, a in alpha.items() for o in (1, 3, 20)}
    model = RuntimeModel.fit(cells)
    assert model.pace.beta == pytest.approx(beta)
    assert model.max_error < 1e-9
    log = [(p, o, t + overhead + slow) for (p, o), t in cells.items() for slow in (0.0, 5.0, 9.0)]
    denoised = RuntimeModel.fit_denoised(log, quantile=0.0)
    smallest = min(alpha)
    for (p, o), t in cells.items():
        assert denoised.estimate(p, o) == pytest.approx(max(t, alpha[smallest] + beta * (o - 1)) + overhead, rel=1e-6)


@given(st.dictionaries(SIZES, st.floats(1e-3, 10), min_size=1, max_size=6), SIZES, st.integers(0, 50))
def test_estimates_lie_between_their_neighbours_and_outputs_add_up(alpha: dict[int, float], p: int, o: int):
    pace = Pace(alpha, 0.01)
    inside = min(alpha) <= p <= max(alpha)
    if inside:
        assert min(alpha.values()) - 1e-12 <= pace.seconds(p) <= max(alpha.values()) + 1e-12
    assert pace.extrapolated(p) == (p > max(alpha))
    assert pace.seconds(p, o) == pytest.approx(pace.seconds(p) + 0.01 * max(o - 1, 0))
    assert pace.seconds(p, 0) == pace.seconds(p, 1)
    assert Pace.from_dict(pace.to_dict()) == pace


def test_cost_and_energy_are_proportional():
    model = RuntimeModel.fit(GPTJ)
    seconds = model.estimate(512, 64)
    assert model.cost(512, 64, 8, 4.096) == pytest.approx(seconds * 8 * 4.096 / 36)
    assert model.energy(512, 64, 2, 300) == pytest.approx(seconds * 600)


@pytest.mark.parametrize(
    "cells",
    [
        {}, {(1, 1): 1.0}, {(1, 2): 1.0, (1, 3): 2.0}, {(1, 1): 1.0, (2, 2): 2.0}, {(0, 1): 1.0, (0, 2): 2.0}, {(1, 1): 0.0, (1, 2): 1.0},
        {(1, 1): float("nan"), (1, 2): 1.0}, {(1.5, 1): 1.0, (1.5, 2): 2.0},
    ],
)  # fmt: skip
def test_impossible_cells_are_refused(cells: dict[tuple[int, int], float]):
    with pytest.raises(InputError):
        RuntimeModel.fit(cells)


def test_impossible_queries_are_refused():
    pace = Pace({10: 1.0}, 0.1)
    for prompt, output in ((-1, 1), (1.5, 1), (1, -1)):
        with pytest.raises(InputError):
            pace.seconds(prompt, output)  # pyright: ignore[reportArgumentType]
    for alpha, beta in (({}, 0.1), ({10: 0.0}, 0.1), ({10: 1.0}, -1.0), ({-1: 1.0}, 0.1)):
        with pytest.raises(InputError):
            Pace(alpha, beta)
    for data in ({}, {"alpha": {"x": 1}, "beta": 1}, {"alpha": 3, "beta": 1}):
        with pytest.raises(InputError):
            Pace.from_dict(data)
    with pytest.raises(InputError):
        transformer(4096, 28, 50304, 0)
    with pytest.raises(InputError):
        RuntimeModel.fit_denoised([(1, 1, 1.0), (1, 1, 2.0)])


def test_the_front_of_models():
    assert tradeoff(["a", "b", "c"], [0.5, 0.9, 0.6], [1, 3, 4]) == ["a", "b"]


def test_bills_hold_the_idealized_seconds_of_every_call():
    engine = Scripted({"the answer is 5": 1.0})
    bare = ask("What is 2 + 3?", method="sample(3)", model=engine).bill
    engine.pace = Pace({1: 0.5, 1000: 0.5}, 0.25, overhead=1.0)  # pyright: ignore[reportAttributeAccessIssue]
    bill = ask("What is 2 + 3?", method="sample(3)", model=engine).bill
    assert bare.idealized_seconds == 0
    assert bill.tokens_out == 12
    assert bill.idealized_seconds == pytest.approx(0.5 + 0.25 * 11 + 1.0)  # one prompt, then twelve tokens
    weighed = ask("What is 2 + 3?", method="sample(2) + sample(1)", model=engine).bill
    assert weighed.idealized_seconds == pytest.approx(2 * 1.5 + 0.25 * (7 + 3))
    assert "idealized_seconds" in weighed.to_dict()
