import numpy as np
import pytest

from ponder.papers.sampling.analytic import problems
from ponder.papers.sampling.compute_optimal import exact_checks, exchange_table, weighted_example
from ponder.papers.sampling.optimal_analytic import BEAM, BEST, NS, SUCCESSES, analytic_part, judged_samples, measured, spearman
from ponder.papers.sampling.optimal_organism import STRATEGIES
from ponder.papers.sampling.optimal_organism import organism_part as on_organism
from ponder.search import spent_for


def test_the_cards_exact_checks():
    assert all(c.passed for c in exact_checks())
    assert len(exact_checks()) == 4
    assert weighted_example() == ("A", "B")
    assert exchange_table().rows[-1][1:] == pytest.approx((257.75, 63.367, 15.773), abs=1e-3)


def test_rank_correlation_by_hand():
    assert spearman(np.array([1.0, 2, 3]), np.array([10.0, 20, 99])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    # Ranks 0 1.5 1.5 3 against 0 1 2 3: 4.5 over the root of 4.5 * 5.
    assert spearman(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))


def test_scores_of_samples_tell_difficulty():
    scores = judged_samples(problems(SUCCESSES, 25, 0, noise=1.2, memory=0.0), 16, 0)
    assert scores.shape == (25, 16)
    by_success = scores.reshape(5, 5, 16).mean(axis=(0, 2))
    assert all(np.diff(by_success) < 0)


def test_the_analytic_policy_is_cross_fitted_on_every_budget():
    run = measured(8, 3)
    assert run.cache.correct.shape == (40, 2, 3)
    assert run.oracle.curve().ks.tolist() == list(NS)
    assert [run.oracle.difficulty.of(p.pass_at_1) for p in problems(SUCCESSES, 5, 0, hack=0.004)] == [0, 1, 2, 3, 4]
    costs = [a.curve(charged=True).costs - a.curve().costs for a in run.told.values()]
    assert [c.tolist() for c in costs] == [[32] * 3, [4] * 3]
    # On the hardest problems only the beam finds anything.
    assert {run.oracle.table()[4, n] for n in NS} == {BEAM}
    assert run.cache.at(BEST, 64)[0][4::5].mean() < 0.3 < run.cache.at(BEAM, 64)[0][4::5].mean()


def test_the_analytic_part_tests_the_cards_gates():
    checks, tables, curves = analytic_part((1,), 4)
    assert len(checks) == 6
    assert all(c.claim for c in checks)
    assert len(tables) == 3
    assert set(curves) == {BEST, BEAM, "by difficulty (oracle)"}


def test_the_organism_part_gives_factors_with_and_without_the_estimate():
    checks, tables, curves = on_organism(20, (4, 8), 5, 0)
    assert [c.claim for c in checks] == [True, True]
    policies = tables[1].rows
    assert len(policies) == 3 * 2
    assert set(curves) == {*STRATEGIES, "by difficulty (oracle)", "by difficulty (predicted)"}
    assert spent_for(curves[BEST].ks, curves[BEST].values, float(curves[BEST].values[0])) == 4
