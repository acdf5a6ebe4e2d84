import pytest

from ponder.papers.causal import causal_de_finetti as paper


def test_the_exact_law_and_its_independences():
    checks = paper.exact_checks()
    assert len(checks) == 6
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]


def test_graphs_are_found_better_than_from_pooled_data():
    ours, best, worst = paper.graph_distances(10_000, 6, seed=3)
    assert ours.mean() < 0.1 < worst.mean()
    assert best.mean() <= worst.mean()


@pytest.mark.filterwarnings("ignore:.*environments are few")
def test_directions_are_told_better_than_from_pooled_data():
    assert paper.pair_accuracy(paper.two_samples, 100, 8, seed=3).value > 1 / 2
    assert paper.pair_accuracy(paper.lingam, 100, 12, seed=3).value < 0.6
