import numpy as np

from ponder.papers.causal import dynamic_connectome as paper


def test_the_planted_tensor_is_found():
    checks = paper.tensor_checks(seed=3)
    assert len(checks) == 3
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]


def test_weighted_communities_have_the_shares_they_were_made_with():
    rng = np.random.default_rng(0)
    edges_out, weight_out, degrees = [], [], []
    for _ in range(20):
        weights, groups = paper.weighted_communities(rng, outside=0.25, outside_weight=0.75)
        apart = groups[:, None] != groups
        assert np.array_equal(weights, weights.T)
        edges_out.append((weights > 0)[apart].sum() / (weights > 0).sum())
        weight_out.append(weights[apart].sum() / weights.sum())
        degrees.append((weights > 0).sum(1).mean())
    assert 0.25 < np.mean(edges_out) < 0.32  # hubs of small communities have too few members to link to
    assert abs(np.mean(weight_out) - 0.75) < 0.04
    assert 20 < np.mean(degrees) < 27


def test_agreement_is_of_active_units_alone():
    truth = np.array([0, 0, 1, 1, 2, 2])
    assert paper.agreement(truth, [5, 5, 3, 3, 5, 3]) == 1
    assert paper.agreement(truth, [5, 3, 5, 3, 1, 1]) < 0.01
