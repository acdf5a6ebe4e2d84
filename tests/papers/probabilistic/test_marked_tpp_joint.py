import numpy as np
import pytest

from ponder.core.seeds import generator
from ponder.papers.probabilistic.marked_tpp_joint import (
    BEST_SPLIT,
    DEP,
    PROCESSES,
    Measured,
    best_independent,
    bound_checks,
    gain_checks,
    oracle_checks,
)


def test_the_oracle_has_the_figures_computed_elsewhere():
    checks = oracle_checks(0)
    assert len(checks) == 4
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]
    assert [round(p.radius, 3) for p in PROCESSES.values()] == [0.4, 0.2]


def runs(loss, with_time=0.56, events=70.0, spread=0.1):
    noise = np.linspace(-spread, spread, 200)
    return [Measured(loss + noise, events + noise, with_time, 0.56)]


def test_thresholds_are_those_set_before_the_run():
    good = {"oracle": runs(71.0), "independent": runs(71.6, 0.5649), "joint": runs(71.4, 0.585, 67.0)}
    assert [c.passed for c in gain_checks(good)] == [True] * 5
    poor = {"oracle": runs(70.0), "independent": runs(70.6, 0.5651), "joint": runs(70.55, 0.584)}
    assert [c.passed for c in gain_checks(poor)] == [False] * 5
    # A gain beyond what the oracle allows is as suspicious as none.
    beyond = {**good, "independent": runs(72.4, 0.5649)}
    assert not gain_checks(beyond)[1].passed


def test_a_model_that_beats_the_oracle_is_caught():
    oracles = {"oracle": runs(71.0), BEST_SPLIT: runs(71.35)}
    found = {**oracles, "independent": runs(71.4), "joint": runs(70.9, spread=0.2)}
    assert [c.passed for c in bound_checks("Hawkes", found)] == [True, False]
    found = {**oracles, "independent": runs(71.3, spread=0.2), "joint": runs(71.1)}
    assert [c.passed for c in bound_checks("Hawkes", found)] == [False, True]


def test_marks_that_do_not_know_their_time_cost_what_was_computed_elsewhere():
    process = PROCESSES[DEP]
    test = process.simulate(100, 300, generator(1))
    cost = best_independent(process, test).loss + process.log_prob(test).total
    assert cost.mean() == pytest.approx(0.35, abs=3 * cost.std() / np.sqrt(300))
