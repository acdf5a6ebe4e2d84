"""Tables of step-aware metrics on answers made by hand, and the closed form of a policy that never recovers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ponder.bench.steps import Graded, against_steps, by_class, by_task, expected_after_errors, grade, grade_texts, length_class, steps_plot
from ponder.core.errors import InputError
from ponder.core.steps import Steps, parse_steps
from ponder.tasks import load


def test_length_classes_are_the_published_ones() -> None:
    assert [k for k in range(2, 26) if length_class(k) == "short"] == [2, 3, 4, 5, 6]
    assert [k for k in range(2, 26) if length_class(k) == "medium"] == list(range(7, 17))
    assert [k for k in range(2, 26) if length_class(k) == "long"] == list(range(17, 26))
    for k in (1, 26):
        with pytest.raises(InputError, match="2 to 25"):
            length_class(k)


def test_texts_are_graded_and_failures_counted() -> None:
    task = load("procbench:tasks=15,21,lengths=2,8,per_length=2")
    golds = [task.gold(problem) for problem in task.problems]
    texts = [golds[0], "no idea", f"so {golds[2]} is it", '{"intermediate": [], "final": "x"}', *golds[4:]]
    graded = grade_texts(task, texts)
    assert [g.sm for g in graded] == [1, 0, 1, 0, 1, 1, 1, 1]
    assert [g.read for g in graded] == [True, False, *[True] * 6]
    assert [(g.task, g.k) for g in graded] == [(f"task{n}", k) for n in (15, 21) for k in (2, 2, 8, 8)]
    assert [g.pml for g in graded] == [2, 0, 8, 0, 2, 2, 8, 8]
    short, medium, everything = by_class(graded)
    assert (short.name, short.n, short.sm.value, short.parse_failures, short.zero_pml) == ("short", 4, 0.75, 1, 0.25)
    assert (medium.name, medium.n, medium.pa.value, medium.parse_failures) == ("medium", 4, 0.75, 0)
    assert (everything.name, everything.n, everything.fm.value) == ("all", 8, 0.75)
    assert [(s.name, s.n, s.pa.value) for s in by_task(graded)] == [("task15", 4, 0.5), ("task21", 4, 1.0)]


def test_another_extractor_may_read() -> None:
    task = load("procbench:tasks=21,lengths=2,per_length=1")
    right = parse_steps(task.gold(task.problems[0]))
    assert grade_texts(task, ["whatever"], extract=lambda text: right)[0].sm == 1
    with pytest.raises(InputError, match="1 problems, and 2 texts"):
        grade_texts(task, ["a", "b"])


def test_curves_are_means_by_steps() -> None:
    graded = [Graded("task01", k, pml, pml / k, float(pml == k), 0.0) for k, pml in ((2, 2), (2, 1), (5, 1), (3, 3))]
    curve = against_steps(graded, "pa")
    assert curve.ks.tolist() == [2, 3, 5]
    assert curve.values == pytest.approx([0.75, 1, 0.2])
    assert np.all((curve.low <= curve.values) & (curve.values <= curve.high))
    assert against_steps(graded, "pml").values == pytest.approx([1.5, 3, 1])
    with pytest.raises(InputError, match="no answers"):
        against_steps([], "pa")


def test_the_closed_form_at_the_published_point() -> None:
    sm, pa = expected_after_errors(0.05, 25)
    assert (round(sm, 4), round(pa, 4)) == (0.2774, 0.5492)
    assert expected_after_errors(0.0, 9) == (1.0, 1.0)
    assert expected_after_errors(1.0, 9) == (0.0, 0.0)
    assert pa == pytest.approx(0.95 * (1 - 0.95**25) / (0.05 * 25))
    for rate, k in ((-0.1, 3), (1.1, 3), (0.1, 0)):
        with pytest.raises(InputError, match="rate"):
            expected_after_errors(rate, k)


@pytest.mark.parametrize(("rate", "k"), [(0.05, 25), (0.3, 4)])
def test_the_metrics_of_simulated_runs_agree_with_it(rate: float, k: int) -> None:
    """20,000 runs; all three means within 3 standard errors."""
    rng = np.random.default_rng(4)
    right = Steps(tuple(f"s{j}" for j in range(1, k)), f"s{k}")
    first = np.where((wrong := rng.random((20_000, k)) < rate).any(axis=1), wrong.argmax(axis=1), k)
    runs = [tuple(f"s{j + 1}" if j < at else "?" for j in range(k)) for at in range(k + 1)]
    known = [grade(right, Steps(states[:-1], states[-1])) for states in runs]
    sm, pa = expected_after_errors(rate, k)
    for metric, expected in (("sm", sm), ("pa", pa), ("pml", k * pa)):
        values = np.array([getattr(g, metric) for g in known], dtype=float)[first]
        assert abs(values.mean() - expected) < 3 * values.std() / 20_000**0.5


def test_curves_are_drawn_with_the_same_bytes_every_time(tmp_path: Path) -> None:
    graded = [Graded("task01", k, 1, 1 / k, 0.0, 0.0) for k in range(2, 26) for _ in range(2)]
    curves = {"prefix accuracy": against_steps(graded, "pa"), "sequential match": against_steps(graded, "sm")}
    first, again = (steps_plot(curves, tmp_path / name, title="T", line=8) for name in ("a", "b"))
    assert [f.suffix for f in first] == [".png", ".svg"]
    assert all(f.read_bytes() == g.read_bytes() for f, g in zip(first, again, strict=True))
    with pytest.raises(InputError, match="no curves"):
        steps_plot({}, tmp_path / "c")
