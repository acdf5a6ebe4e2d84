from ponder.papers.probabilistic.slepian_iia import matching_check, refusals


def test_the_exact_checks_of_the_reproduction_pass():
    checks = [matching_check(), *refusals()]
    assert len(checks) == 4
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]
