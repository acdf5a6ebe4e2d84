from ponder.papers.probabilistic.denotational_validation import joint_checks, kernel_checks, length_shares, sprinkler_checks


def test_the_exact_checks_of_the_reproduction_pass():
    checks = [*sprinkler_checks(), *kernel_checks(), *joint_checks(2000, 0)]
    assert len(checks) == 14
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]


def test_mutants_of_the_length_ratio_have_their_figures():
    assert all(abs(found - due) < 1e-9 for _, found, due in length_shares())
