import numpy as np
import torch

from ponder.papers.probabilistic.continual_digits import Digits, digits, digits_checks, softmax
from ponder.papers.probabilistic.sequential_bayes_continual import exact_checks, toy_checks, toy_tasks
from ponder.papers.report import Table


def test_the_exact_checks_of_the_reproduction_pass():
    checks = exact_checks()
    assert len(checks) == 4
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]


def test_toy_tasks_are_the_stated_blobs():
    tasks = toy_tasks(4000, np.random.default_rng(0))
    x, y = tasks[3]
    assert np.allclose([x[y == 0].mean(axis=0), x[y == 1].mean(axis=0)], [[1.6, -0.1], [1.7, -0.4]], atol=0.02)
    assert np.allclose(x[y == 1].std(axis=0), [0.24, 0.05], rtol=0.05)


def matrix(kept):
    """0.9 right after learning, `kept` for a task that was learned before."""
    return np.tril(np.full((5, 5), kept), -1) + 0.9 * np.eye(5)


def test_thresholds_on_forgetting_are_those_set_before_the_run():
    passed = lambda *given: [c.passed for c in toy_checks(*given)]  # noqa: E731
    assert passed([0.9], {"mixture": [matrix(0.75)]}, {"mixture": [0.05]}) == [True] * 3
    assert passed([0.89], {"mixture": [matrix(0.751)]}, {"mixture": [0.051]}) == [False] * 3


def test_methods_on_digits_depend_on_their_seed_alone():
    x, y = digits()
    tasks = [(x[y == t][:6], y[y == t][:6]) for t in range(2)]
    p = softmax(2, 5, tasks)(x[:3])
    torch.rand(1)  # what else draws from the global generator does not matter
    assert np.array_equal(softmax(2, 5, tasks)(x[:3]), p)
    assert not np.array_equal(softmax(2, 6, tasks)(x[:3]), p)


def test_thresholds_on_digits_are_those_set_before_the_run():
    def passed(ours, tuned):
        return [c.passed for c in digits_checks(Digits({"ProtoCL, memory 100": [ours], "softmax, fine-tuned": [tuned]}, Table("", (), ())))]

    assert passed(0.89, 0.3) == [True, True]
    assert passed(0.88, 0.31) == [False, False]
