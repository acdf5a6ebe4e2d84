from ponder.papers.probabilistic.gpdp import GRID, policy_of, published_checks, true_policy_check, true_transitions
from ponder.prob.gpdp import Fishery


def test_the_true_policy_passes_and_a_wrong_one_does_not():
    policy = policy_of(true_transitions(Fishery(), GRID))
    assert true_policy_check(policy).passed
    assert not true_policy_check(policy + (GRID > 14)).passed


def passed(gp, gone, ricker, out):
    checks = published_checks({"Gaussian process": gp, "ricker": ricker}, {"Gaussian process": gone, "ricker": out})
    return [c.passed for c in checks]


def test_thresholds_are_those_set_before_the_run():
    assert passed(0.95, [3, 0], 0.3, [95, 100]) == [True] * 4
    assert passed(0.94, [3, 1], 0.31, [94, 100]) == [False] * 4
