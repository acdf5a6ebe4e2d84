import numpy as np
import pytest

from ponder.bench.flops import exchange, forward, train
from ponder.bench.run import Plan, run
from ponder.bench.store import RunStore
from ponder.core.errors import InputError
from ponder.lm.scripted import Scripted
from ponder.methods import repeated_sampling, self_consistency
from ponder.search import Cache, ComputeOptimal, difficulty, fixed_curve, from_answers, spent_for
from ponder.tasks import load


def cache_of(correct, budgets=(4,), cost=None):
    """A cache from grades of shape (questions, strategies, budgets)."""
    grades = np.asarray(correct, dtype=float)
    names = tuple("abcdef"[: grades.shape[1]])
    costs = np.broadcast_to(np.asarray(budgets, dtype=float), grades.shape) if cost is None else cost
    return Cache(tuple(str(i) for i in range(len(grades))), names, tuple(budgets), grades, np.array(costs), np.ones(grades.shape))


def test_each_bin_gets_its_best_strategy():
    # Easy questions: a always right, b never; hard ones the other way round.
    grades = np.array([[[1.0], [0.0]]] * 8 + [[[0.0], [1.0]]] * 8)
    found = ComputeOptimal(("a", "b"), (4,)).fit(cache_of(grades), difficulty(np.linspace(1, 0, 16), bins=2))
    assert (found.predict(0.9, 4), found.predict(0.1, 4)) == ("a", "b")
    assert found.table() == {(0, 4): "a", (1, 4): "b"}
    assert found.curve().values.tolist() == [1.0]
    assert fixed_curve(cache_of(grades), "a").values.tolist() == [0.5]


def test_no_question_is_judged_by_a_choice_that_it_took_part_in():
    """Poison a fold: b looks best on one fold only, so b may be chosen only for the others."""
    rng = np.random.default_rng(0)
    grades = rng.random((40, 2, 1)) * 0.1
    grades[:, 0] += 0.4
    ease = difficulty(rng.random(40), bins=2)
    optimiser = ComputeOptimal(("a", "b"), (4,), folds=4, seed=3)
    fold = optimiser.fit(cache_of(grades), ease).fold
    for poisoned in range(4):
        bad = grades.copy()
        bad[fold == poisoned, 1] = 100.0
        found = optimiser.fit(cache_of(bad), ease)
        assert np.array_equal(found.fold, fold)
        assert (found.crossed[0, fold == poisoned] == 0).all()
        assert (found.crossed[0, fold != poisoned] == 1).all()
        assert found.grades[0, fold == poisoned].max() < 1  # the poison is never collected
        assert set(found.table().values()) == {"b"}  # a fit that sees its own fold would be fooled


def test_cross_fitting_on_noise_gains_nothing():
    """Six strategies of equal worth: the choice on its own data looks .1 better than it is, the cross-fitted one does not."""
    rng = np.random.default_rng(1)
    gains, fooled = [], []
    for _ in range(200):
        grades = (rng.random((50, 6, 1)) < 0.5).astype(float)
        found = ComputeOptimal(tuple("abcdef"), (4,)).fit(cache_of(grades), difficulty(rng.random(50), bins=5))
        gains.append(found.curve(resamples=1).values[0] - 0.5)
        fooled.append(np.mean([grades[i, found.choices[found.difficulty.bins[i], 0], 0] for i in range(50)]) - 0.5)
    assert abs(np.mean(gains)) < 4 * np.std(gains) / np.sqrt(200)
    assert np.mean(fooled) > 0.1


def test_small_bins_are_united_and_it_is_said():
    ease = difficulty(np.arange(11.0), bins=5)  # bins of 3, 2, 2, 2, 2
    found = ComputeOptimal(("a",), (4,)).fit(cache_of(np.ones((11, 1, 1))), ease)
    assert np.bincount(found.difficulty.bins).min() >= 4
    assert len(found.notes) == 5 - len(found.difficulty)
    assert "united" in found.notes[0]
    assert len(found.difficulty.edges) == len(found.difficulty) - 1
    assert found.difficulty.of(found.difficulty.ease).tolist() == found.difficulty.bins.tolist()


def test_the_cost_of_the_estimate_is_added_where_it_is_asked_for():
    ease = difficulty(np.random.default_rng(0).random((8, 5)), bins=2, cost=3.0)
    found = ComputeOptimal(("a",), (4, 16)).fit(cache_of(np.ones((8, 1, 2)), (4, 16)), ease)
    assert found.curve().costs.tolist() == [4, 16]
    assert found.curve(charged=True).costs.tolist() == [19, 31]


def test_what_was_never_tried_is_refused():
    grades = np.ones((8, 2, 2))
    grades[3, 1, 1] = np.nan
    cache, ease = cache_of(grades, (4, 16)), difficulty(np.arange(8.0), bins=2)
    with pytest.raises(InputError, match="b was never tried at a budget of 16 on 1 of 8"):
        ComputeOptimal(("a", "b"), (4, 16)).fit(cache, ease)
    ComputeOptimal(("a", "b"), (4,)).fit(cache, ease)
    for strategies, budgets in ((("a", "z"), (4,)), (("a",), (5,))):
        with pytest.raises(InputError, match="was tried; there are"):
            ComputeOptimal(strategies, budgets).fit(cache, ease)
    with pytest.raises(InputError, match="fitted for a budget of 16"):
        ComputeOptimal(("a",), (4,)).fit(cache, ease).predict(0.5, 16)
    with pytest.raises(InputError, match="does not fit"):
        ComputeOptimal(("a",), (4,)).fit(cache, difficulty(np.arange(7.0), bins=2))
    with pytest.raises(InputError, match="at least 10 questions"):
        ComputeOptimal(("a",), (4,), folds=5).fit(cache, ease)


@pytest.mark.parametrize(("strategies", "budgets", "folds"), [((), (4,), 2), (("a", "a"), (4,), 2), (("a",), (), 2), (("a",), (4,), 1)])
def test_settings_that_make_no_policy_are_refused(strategies, budgets, folds):
    with pytest.raises(InputError):
        ComputeOptimal(strategies, budgets, folds)


def test_a_cache_from_the_users_own_run(tmp_path):
    task = load("arithmetic", limit=6, seed=0)
    makers = {"vote": self_consistency, "any": repeated_sampling}
    methods = [make(n) for make in makers.values() for n in (1, 2)]
    store = RunStore(tmp_path)
    run(Plan((task,), methods, {"m": Scripted({"The answer is 7.": 0.5, "The answer is 8.": 0.5})}, seeds=(0, 1)), store)
    answers = store.answers()
    cache = from_answers(answers, makers, (1, 2))
    assert (set(cache.strategies), cache.budgets, len(cache.questions)) == (set(makers), (1, 2), 6)
    for question in cache.questions:
        rows = [answers[task.name, str(self_consistency(2)), seed, question] for seed in (0, 1)]
        at = (cache.questions.index(question), cache.strategies.index("vote"), 1)
        assert cache.correct[at] == np.mean([r["correct"] for r in rows])
        assert cache.cost[at] == np.mean([r["bill"]["tokens"] - r["bill"]["cached"] for r in rows])
        assert cache.score[at] == np.mean([r["confidence"] for r in rows])
    with pytest.raises(InputError, match="none of the methods"):
        from_answers(answers, {"vote": self_consistency}, (64,))
    with pytest.raises(InputError, match="several tasks"):
        from_answers({**answers, ("other", "m", 0, "p"): next(iter(answers.values()))}, makers, (1, 2))


def test_the_cost_of_an_accuracy():
    assert spent_for([4, 16, 64], [0.2, 0.4, 0.8], 0.1) == 4
    assert spent_for([4, 16, 64], [0.2, 0.4, 0.8], 0.6) == pytest.approx(32)
    assert spent_for([4, 16, 64], [0.2, 0.4, 0.3], 0.41) == float("inf")
    with pytest.raises(InputError):
        spent_for([4, 4], [0, 1], 0.5)


@pytest.mark.parametrize(("ratio", "times"), [(0.16, 257.75), (0.79, 63.37), (22, 15.77)])
def test_the_papers_exchange_rates(ratio, times):
    assert exchange(14, ratio) == pytest.approx(times, abs=5e-3)


def test_the_exchange_rate_is_where_the_operations_are_equal():
    small, factor, pretrain, infer = 1e9, 14.0, 3e11, 4e10
    larger = train(factor * small, pretrain) + forward(factor * small, infer)
    assert train(small, pretrain) + forward(small, infer * exchange(factor, infer / pretrain)) == pytest.approx(larger)
    assert exchange(1, 5) == 1


@pytest.mark.parametrize(("factor", "ratio"), [(0.5, 1), (2, 0), (float("nan"), 1), (2, float("inf"))])
def test_rates_of_nothing_are_refused(factor, ratio):
    with pytest.raises(InputError):
        exchange(factor, ratio)
