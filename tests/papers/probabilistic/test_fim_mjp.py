"""The exact checks of the reproduction, and its comparison on a few chains."""

from __future__ import annotations

import numpy as np

from ponder.core.seeds import generator
from ponder.papers.probabilistic.fim_mjp import (
    SMALL,
    compared,
    constant_checks,
    distance,
    prior_checks,
    prior_means,
    ratchet_errors,
    rmse,
    symmetry_checks,
)
from ponder.prob.markov_jump import shipped


def test_the_exact_checks_pass():
    checks = [*constant_checks(), *symmetry_checks(shipped(), 0)]
    assert len(checks) == 4
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]


def test_methods_are_compared_on_the_same_chains():
    """The mean of the prior is worse than what reads the data; truth has no error."""
    tasks = SMALL.tasks(4, 20, 30, generator(1), regular=True)
    errors, seconds, covered = compared(tasks, shipped())
    assert set(errors) == {"network", "prior", "em", "map", "hmm"}
    assert all(len(rates) == 4 for rates in errors.values())
    assert rmse(errors["hmm"], tasks) < rmse(errors["prior"], tasks)
    truths = [tasks.truth(k) for k in range(4)]
    assert rmse(truths, tasks) == 0
    assert distance(truths, tasks) < 1e-6
    assert 0 < covered <= 1
    assert min(seconds[m] for m in ("network", "em", "map", "hmm")) > 0
    assert next(c.measured for c in prior_checks("x", errors | {"network": errors["prior"]}, 0.5, tasks)) == 1
    assert list(prior_means()) == [2, 3, 4]
    again, _, _ = compared(tasks, shipped(), ("hmm",), errors)
    assert np.array_equal(again["network"][0], errors["network"][0])
    assert again["hmm"] is errors["hmm"]


def test_em_nears_the_ratchet_as_paths_grow():
    errors, rows = ratchet_errors(shipped(), 1, 0, (30, 300))
    assert errors["EM"][300] < 0.14 < errors["EM"][30]
    assert [row[0] for row in rows] == [30, 300]
    assert rows[1][-1] == 0.162
