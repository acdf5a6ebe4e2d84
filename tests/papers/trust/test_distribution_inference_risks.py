"""What the reproduction of distribution inference counts, on reports that are known."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.papers.trust import distribution_inference_risks as paper
from ponder.trust.distribution_inference import AttackReport, Networks


def found(accuracy: float, low: float = 0.4) -> AttackReport:
    return AttackReport(accuracy, (low, 1.0), (accuracy, accuracy), 1.0, 5.0, (100, 100))


def reports(kl: float, threshold: float, loss: float, meta: float, raw: float) -> dict[str, list[AttackReport]]:
    names = ("KL", "threshold test", "loss test", paper.META, paper.RAW)
    return {name: [found(a - 0.02), found(a + 0.02)] for name, a in zip(names, (kl, threshold, loss, meta, raw), strict=True)}


def test_thresholds_are_those_set_before_the_run():
    good, bad = reports(0.651, 0.60001, 0.59, 0.69, 0.68), reports(0.649, 0.7, 0.61, 0.70, 0.71)
    assert [c.passed for c in (*paper.cheap_checks(good), *paper.white_box_checks(good))] == [True] * 6
    assert [c.passed for c in (*paper.cheap_checks(bad), *paper.white_box_checks(bad))] == [False, True, False, False, False, False]


def test_dose_and_directions():
    dose = {a: found(v) for a, v in zip(paper.RATIOS, (0.95, 0.8, 0.6, 0.55, 0.7, 0.85), strict=True)}
    assert [c.passed for c in paper.dose_checks(dose)] == [True, True]
    flat = {a: found(0.7) for a in paper.RATIOS} | {0.4: found(0.72)}
    checks = paper.dose_checks(flat)
    assert [c.passed for c in checks] == [False, False]


def test_standard_error_of_a_difference():
    assert paper.unlike(found(0.5), found(0.5)) == pytest.approx(np.sqrt(4 * 0.25 / 100 / 4))


def test_graphs_count_by_the_lower_end():
    graphs = {"mean degree": {n: found(0.7, 0.51) for n in paper.BLACK_BOX}, "clustering": {n: found(0.7, 0.49) for n in paper.BLACK_BOX}}
    assert [c.passed for c in paper.graph_checks(graphs)] == [True, False]
    assert paper.graphs_table(graphs).rows[0][-1] > 0
    assert paper.graphs_table(graphs).rows[-1][-1] is None


def test_weights_in_a_row():
    nets = Networks((np.arange(12, dtype=np.float32).reshape(2, 2, 3), np.ones((2, 1, 3), np.float32)))
    assert paper.flat(nets).shape == (2, 9)
    assert paper.flat(nets)[1].tolist() == [6, 7, 8, 9, 10, 11, 1, 1, 1]


def test_graph_worlds_have_one_size():
    for kind in ("mean degree", "clustering"):
        for world in (0, 1):
            assert paper.graph_of(kind, world, np.random.default_rng(0)).x.shape == (1000, 24)
