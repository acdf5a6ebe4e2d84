"""Optimisers and the search: what they visit, what halving gives up, what wins, what it is worth on other questions."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.core.errors import BudgetExhausted, InputError
from ponder.search.judging import holdout, judge
from ponder.search.optimisers import OPTIMISERS, Told
from ponder.search.searching import Plan, Table, halving, search
from ponder.search.template import Space

SPACE = Space("sample({1, 2, 4, 8}, temperature={0.5, 0.8, 1.0}) | {weigh({likelihood, random}), None} | {vote(), argmax()}")
M = len(SPACE)


def additive(seed: int) -> np.ndarray:
    """A score for every configuration: each option adds its own."""
    rng = np.random.default_rng(seed)
    effects = [rng.normal(size=len(c.options)) for c in SPACE.choices]
    return np.array([sum(e[o] for e, o in zip(effects, c.options, strict=True) if o is not None) for c in SPACE])


def table(scores: np.ndarray, questions: int = 40, costs: np.ndarray | None = None) -> Table:
    """Every question graded with the configuration's score, moved into [0, 1]."""
    unit = (scores - scores.min()) / (scores.max() - scores.min())
    cost = np.ones(M) if costs is None else costs
    return Table(np.repeat(unit[:, None], questions, 1), np.repeat(cost[:, None], questions, 1))


def visits(name: str, scores: np.ndarray, seed: int, most: int = M, space: Space = SPACE) -> list[int]:
    proposals = OPTIMISERS[name](space, seed, 1)
    seen = [next(proposals)]
    while len(seen) < most:
        try:
            seen.append(proposals.send(Told((scores[seen[-1]],))))
        except StopIteration:
            break
    return seen


@pytest.mark.parametrize("name", ["random", "grid", "greedy", "tpe"])
def test_every_optimiser_visits_every_configuration_once_and_is_determined_by_its_seed(name: str):
    space = Space("sample({1, 2, 4}) | {weigh({likelihood, random}), None} | vote()")
    scores = np.arange(len(space)) % 5.0
    first = visits(name, scores, 3, space=space)
    assert sorted(first) == list(range(len(space)))
    assert visits(name, scores, 3, 5, space) == first[:5]


def test_random_finds_the_best_after_half_the_space_on_the_mean():
    at = [visits("random", np.zeros(M), seed).index(17) + 1 for seed in range(600)]
    # The mean of a uniform place in 1..m is (m + 1) / 2, its standard error sqrt((m^2 - 1) / 12 / 600); 4 of them: one miss in 15,000.
    assert abs(np.mean(at) - (M + 1) / 2) < 4 * np.sqrt((M**2 - 1) / 12 / 600)


def test_guided_optimisers_are_better_than_random_after_as_many_tries_on_additive_tables():
    ranks: dict[str, list[int]] = {"random": [], "greedy": [], "tpe": []}
    for seed in range(5):
        scores = additive(seed)
        order = np.argsort(-scores).tolist()
        for name, found in ranks.items():
            found.append(min(order.index(i) for i in visits(name, scores, seed, 24)))
    assert np.mean(ranks["tpe"]) < np.mean(ranks["random"])
    assert np.mean(ranks["greedy"]) < np.mean(ranks["random"])


def test_greedy_stops_at_a_local_optimum_and_goes_on_from_elsewhere():
    scores = np.zeros(M)
    scores[M - 1] = 2.0  # far from the first: every choice differs
    scores[0] = 1.0
    seen = visits("greedy", scores, 0)
    around = 1 + sum(len(c.options) - 1 for c in SPACE.choices if c.inside is None or SPACE[0].options[c.inside[0]] == c.inside[1])
    assert M - 1 not in seen[:around]
    assert sorted(seen) == list(range(M))


def test_the_winner_is_the_best_within_the_limit_and_the_cheapest_of_equals():
    scores, costs = additive(1), np.array([[1, 2, 4, 8][c.options[0] or 0] for c in SPACE], dtype=float)
    found = search(SPACE, table(scores, costs=costs), Plan(40, "grid"))
    assert found.best is not None
    assert found.best.index == int(np.argmax(scores))
    limited = search(SPACE, table(scores, costs=costs), Plan(40, "grid", within=2))
    assert limited.best is not None
    assert limited.best.index == max(np.flatnonzero(costs <= 2), key=lambda i: scores[i])
    flat = search(SPACE, Table(np.ones((M, 5)), np.repeat(costs[:, None], 5, 1)), Plan(5, "random"))
    assert flat.best is not None
    assert flat.best.cost == 1
    nothing = search(SPACE, table(scores, costs=costs), Plan(40, "grid", within=0.5))
    assert nothing.best is None


def test_the_front_is_what_no_other_trial_beats():
    scores, costs = additive(2), np.array([[1, 2, 4, 8][c.options[0] or 0] for c in SPACE], dtype=float)
    found = search(SPACE, table(scores, costs=costs), Plan(40, "tpe", evaluations=30, front=True))
    for t in found.front:
        assert not any(o.cost <= t.cost and o.score > t.score for o in found.trials)


def test_halving_asks_less_and_keeps_the_best_where_questions_agree():
    scores = additive(3)
    rungs = halving(90, 3)
    assert rungs == (10, 30)
    full, halved = search(SPACE, table(scores, 90), Plan(90, "random")), search(SPACE, table(scores, 90), Plan(90, "random", rungs=rungs))
    assert full.best is not None
    assert halved.best is not None
    assert halved.best.index == full.best.index
    assert full.asked == 90 * M
    assert halved.asked < 0.4 * full.asked
    assert all(t.questions in (10, 30, 90) and t.complete == (t.questions == 90) for t in halved.trials)


def test_importance_is_the_share_of_variance_and_adds_up_on_an_additive_grid():
    space = Space("sample({1, 2, 4}) | {vote(), argmax()}")
    scores = np.array([[0.0, 0.1], [0.3, 0.4], [0.6, 0.7]]).ravel()
    found = search(space, Table(np.repeat(scores[:, None], 3, 1), np.ones((6, 3))), Plan(3, "grid"))
    shares = found.importance()
    assert shares["sample.n"] == pytest.approx(0.06 / 0.0625)
    assert sum(shares.values()) == pytest.approx(1)
    equal = search(space, Table(np.full((6, 10), 0.1), np.ones((6, 10))), Plan(10, "grid"))
    assert set(equal.importance().values()) == {0.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimiser": "tpee"}, {"evaluations": 0}, {"within": 0}, {"rungs": (40,)}, {"rungs": (20, 10)}, {"rungs": (10,), "front": True},
        {"keep": 1},
    ],
)  # fmt: skip
def test_impossible_plans_are_refused(wrong: dict[str, object]):
    with pytest.raises(InputError):
        Plan(40, **wrong)  # pyright: ignore[reportArgumentType]


def test_an_overfit_search_claims_a_gain_naively_and_none_when_judged():
    naive, honest, gaps, missed = 0, 0, [], 0
    for seed in range(60):
        grades = (np.random.default_rng(seed).random((M, 400)) < 0.5).astype(float)
        found = search(SPACE, Table(grades[:, :200], np.ones((M, 200))), Plan(200, "random", seed=seed))
        assert found.best is not None
        at = found.best.index
        told = judge((grades[at, :200], grades[at, 200:]), (grades[0, :200], grades[0, 200:]), holdout(200, seed=seed))
        naive, honest = naive + told.claims[0], honest + told.claims[1]
        gaps.append(told.gap)
        missed += not told.held.low <= 0.5 <= told.held.high
    assert naive >= 15  # a coin that is no better claims a gain in 2.5% of cases, 1 or 2 of 60
    assert honest <= 5  # 2.5% of 60 is 1.5; more than 5 comes once in 200
    assert np.mean(gaps) > 0.05
    assert missed <= 8


def test_a_real_gain_is_found_and_the_holdout_ends():
    grades = (np.random.default_rng(0).random((2, 600)) < np.array([[0.4], [0.7]])).astype(float)
    asked = holdout(300, seed=1, budget=4)
    told = judge((grades[1, :300], grades[1, 300:]), (grades[0, :300], grades[0, 300:]), asked, "a")
    assert told.claims == (True, True)
    again = judge((grades[1, :300], grades[1, 300:]), (grades[0, :300], grades[0, 300:]), asked, "a")
    assert again == told
    other = (grades[1, :300], 1 - grades[1, 300:]), (grades[0, :300], grades[0, 300:])
    judge(*other, asked, "b")
    with pytest.raises(BudgetExhausted):
        judge(*other, asked, "c")
