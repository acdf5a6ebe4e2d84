from ponder.papers.causal import grn_dropout as paper


def test_the_population_law_is_exact():
    checks = paper.exact_checks()
    assert len(checks) == 3
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]


def test_deletion_restores_the_recall_of_independence():
    scored = paper.calls("raw", "logistic", 1, seed=3)
    assert scored["zeros deleted", 2].recall > scored["naive", 2].recall
    assert 0 < scored["no dropouts", 2].f1 <= 1
