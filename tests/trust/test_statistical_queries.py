"""Noisy answers, private multiplicative weights, their accounting, and the scikit-learn scorer."""

import numpy as np
import pytest

from ponder.core.errors import BudgetExhausted, InputError
from ponder.trust.holdout import (
    Holdout,
    HoldoutScorer,
    MultiplicativeWeights,
    NaiveHoldout,
    StatisticalQueries,
    attack_accuracy,
    epsilon_of,
    epsilon_of_rho,
    required_n,
    transfer_error,
)


def test_without_noise_an_answer_is_the_mean():
    rows = np.arange(10) / 10
    assert StatisticalQueries(rows, sigma=0.0, budget=1).ask(lambda x: x) == pytest.approx(0.45)


@pytest.mark.parametrize("query", [lambda x: x + 1, lambda x: x * np.nan, lambda x: x[:5], lambda x: 0.5])
def test_a_query_that_is_no_statistical_query_is_refused_and_costs_nothing(query):
    queries = StatisticalQueries(np.arange(10) / 10, sigma=0.1, budget=1)
    with pytest.raises(InputError, match=r"one number in \[0, 1\] for each of the 10 rows"):
        queries.ask(query)
    assert queries.ledger.spent == 0


def test_the_budget_holds_across_processes(tmp_path):
    rows = np.zeros(4)
    one = StatisticalQueries(rows, 0.1, 2, ledger=tmp_path / "ledger")
    one.ask(lambda x: x + 0.5)
    two = StatisticalQueries(rows, 0.1, 2, ledger=tmp_path / "ledger")
    two.ask(lambda x: x + 0.5)
    with pytest.raises(BudgetExhausted, match="all 2 questions"):
        one.ask(lambda x: x)
    with pytest.raises(InputError, match="opened with sigma"):
        StatisticalQueries(rows, 0.05, 2, ledger=tmp_path / "ledger")


@pytest.mark.parametrize(("mechanism", "deviation"), [("gaussian", 0.02), ("laplace", 0.02 * np.sqrt(2))])
def test_noise_has_the_stated_size(mechanism, deviation):
    told = StatisticalQueries(np.zeros(9), 0.02, 4000, mechanism=mechanism, seed=3).ask_means(np.full(4000, 0.5))
    assert told.std() == pytest.approx(deviation, rel=4 * np.sqrt(1.25 / 4000))  # kurtosis of Laplace: relative sd sqrt(5 / 4n)
    assert told.mean() == pytest.approx(0.5, abs=4 * deviation / np.sqrt(4000))


def test_neighbouring_samples_give_answers_of_nearly_equal_probability():
    """Empirical privacy of one Laplace answer: no bin is more likely under one neighbour by more than exp(epsilon)."""
    n, rate, draws = 20, 0.1, 10_000
    epsilon = 1 / (n * rate)
    told = []
    for mean, seed in ((0.5, 0), (0.5 + 1 / n, 1)):
        told.append(StatisticalQueries(np.zeros(n), rate, draws, mechanism="laplace", seed=seed).ask_means(np.full(draws, mean)))
    counts = [np.histogram(t, np.linspace(0, 1, 21))[0] for t in told]
    common = (counts[0] > 100) & (counts[1] > 100)
    ratios = np.abs(np.log(counts[0][common] / counts[1][common]))
    errors = np.sqrt(1 / counts[0][common] + 1 / counts[1][common])
    assert common.sum() >= 12
    assert np.all(ratios <= epsilon + 4 * errors)
    assert ratios.max() > epsilon / 2, "the bound is nearly reached: a smaller noise would be seen"


def test_privacy_accounting():
    queries = StatisticalQueries(np.zeros(100), 0.1, 9)
    assert queries.epsilon() == 0
    queries.ask_means([0.5, 0.5])
    rho = 2 / (2 * 100**2 * 0.1**2)
    assert queries.epsilon(1e-5) == pytest.approx(rho + 2 * np.sqrt(rho * np.log(1e5))) == pytest.approx(epsilon_of_rho(rho, 1e-5))
    assert epsilon_of(0.1, 3) == pytest.approx(0.3)
    assert epsilon_of(0.01, 1000, 1e-6) == pytest.approx(np.sqrt(2000 * np.log(1e6)) * 0.01 + 10 * np.expm1(0.01))
    with pytest.raises(InputError):
        epsilon_of(-1, 1)


def test_rows_that_the_theory_asks_for():
    assert required_n(1000, 0.1, 0.05, "fixed") == int(np.ceil(np.log(2 * 1000 / 0.05) / 0.02))
    assert required_n(1000, 0.1, 0.05, "splitting") == 1000 * required_n(1000, 0.1, 0.05, "fixed")
    n = required_n(100_000, 0.1)
    assert transfer_error(n, 100_000) <= 0.1 < transfer_error(int(n * 0.99), 100_000)
    assert n < required_n(100_000, 0.1, 0.05, "splitting"), "many questions: noise beats splitting"
    assert required_n(10, 0.1) > required_n(10, 0.1, 0.05, "splitting"), "few questions: splitting wins"
    assert 1.7 < required_n(400_000, 0.1) / n < 2.1, "rows grow with the root of the number of questions"
    with pytest.raises(InputError):
        required_n(0, 0.1)


@pytest.mark.parametrize("sigma", [0.0, 0.045])
def test_the_attack_has_its_closed_form(sigma):
    """Random signs, random labels: 3 sets of 1000 x 1000; the standard error of the mean accuracy is below .01."""
    n, reported = 1000, []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, y = rng.choice([-1.0, 1.0], (n, n)), rng.choice([-1.0, 1.0], n)
        queries = StatisticalQueries(x, sigma / 2, n + 1, seed=seed)  # a correlation c is the query (1 + c) / 2
        agree = 2 * queries.ask_means((1 + x.T @ y / n) / 2) - 1
        reported.append(np.mean(np.sign(x @ np.sign(agree)) == y))
    assert np.mean(reported) == pytest.approx(attack_accuracy(n, n, sigma), abs=0.03)
    assert attack_accuracy(4000, 4000) == pytest.approx(0.7875, abs=5e-4)


def parities(rng, n):
    """Questions: the share of rows whose bits at some places have an odd sum; shape (n, 256)."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    return ((rng.integers(0, 2, (n, 8)) @ bits.T) % 2).astype(float)


def test_multiplicative_weights_answers_thousands_of_questions_from_a_few_corrections():
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(256, 0.3))
    counts = rng.multinomial(20_000, truth)
    asked = parities(rng, 2000)
    engine = MultiplicativeWeights(counts)
    errors = np.array([engine.ask(q) - q @ truth for q in asked])
    assert np.sqrt(np.mean(errors**2)) <= 0.03
    once = engine.updated
    assert 0 < once <= engine.updates
    for q in asked:
        engine.ask(q)
    assert engine.updated - once < once / 2, "a family that was asked before is known"
    assert engine.synthetic.sum() == pytest.approx(1)


def test_multiplicative_weights_without_noise_keeps_its_threshold():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 50, 256)
    engine = MultiplicativeWeights(counts, sigma=0.0)
    assert max(abs(engine.ask(q) - q @ counts / counts.sum()) for q in parities(rng, 500)) <= 0.05


def test_multiplicative_weights_refuses_what_it_cannot_use():
    with pytest.raises(InputError):
        MultiplicativeWeights([1.0])
    with pytest.raises(InputError):
        MultiplicativeWeights([1, 2], threshold=0)
    engine = MultiplicativeWeights([9, 0], threshold=0.1, sigma=0.0, updates=1)
    with pytest.raises(InputError, match="each of the 2 elements"):
        engine.ask([0.5, 2])
    assert engine.ask([1, 0]) == 1
    with pytest.raises(BudgetExhausted, match="all 1 corrections"):
        engine.ask([1, 0])


def test_a_grid_search_sees_only_what_the_holdout_tells():
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    X, y = make_classification(400, 10, random_state=0)
    scorer = HoldoutScorer(Holdout(200, threshold=0.3, noise=0.01, seed=0), X[200:], y[200:])
    rows = np.arange(200)
    search = GridSearchCV(LogisticRegression(), {"C": [1e-3, 1.0]}, scoring=scorer, cv=[(rows, rows)], error_score="raise")
    search.fit(X[:200], y[:200])
    assert search.best_score_ == pytest.approx(search.best_estimator_.score(X[:200], y[:200])), (
        "the halves agree, so the training score is told"
    )
    naive = HoldoutScorer(NaiveHoldout(200), X[200:], y[200:])
    assert naive(search.best_estimator_, X[:200], y[:200]) == pytest.approx(search.best_estimator_.score(X[200:], y[200:]))
    with pytest.raises(InputError, match="also holdout rows"):
        scorer(search.best_estimator_, X[150:250], y[150:250])
    with pytest.raises(InputError, match="200 rows"):
        HoldoutScorer(Holdout(200), X[:10], y[:10])
