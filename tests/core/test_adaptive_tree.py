"""Adaptive branching: posteriors by hand, order-independent telling, and what the draws prefer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.adaptive_tree import ROOT, Adaptive, Trial, ask, beta_draw, normal_draw, normal_posterior, tell
from ponder.core.errors import InputError


def test_the_normal_posterior_by_hand() -> None:
    """Scores 1, .5: m = (.5 + 1.5) / 3, kappa = 3, nu = 3, spread = .1 + .125 + (2/3)(.25)^2."""
    m, kappa, nu, scale = normal_posterior([1.0, 0.5])
    assert (m, kappa, nu) == (pytest.approx(2 / 3), 3, 3)
    assert scale * nu == pytest.approx(0.1 + 0.125 + 2 / 3 * 0.0625)
    assert normal_posterior([]) == (0.5, 1.0, 1.0, 0.1)


def test_draws_have_the_posteriors_moments() -> None:
    """4,000 draws each: means within 4 standard errors of the exact ones."""
    rng = np.random.default_rng(0)
    scores = [0.9, 0.8, 0.7, 0.9, 1.0]
    m, kappa, nu, scale = normal_posterior(scores)
    drawn = np.array([normal_draw(scores, rng) for _ in range(4000)])
    deviation = (scale * (1 + 1 / kappa) * nu / (nu - 2)) ** 0.5
    assert abs(drawn.mean() - m) < 4 * deviation / 4000**0.5
    assert drawn.std() == pytest.approx(deviation, rel=0.1)
    a, b = 0.5 + 4.3, 0.5 + 0.7
    drawn = np.array([beta_draw(scores, rng) for _ in range(4000)])
    assert abs(drawn.mean() - a / (a + b)) < 4 * (a * b / (a + b) ** 2 / (a + b + 1)) ** 0.5 / 4000**0.5


@given(st.integers(0, 1000), st.permutations(range(6)), st.sampled_from(["normal", "beta"]))
def test_telling_in_any_order_gives_the_same_state_and_the_same_future(seed: int, order: list[int], posterior: str) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random(6)
    asked, trials = ask(Adaptive(2, posterior), 6, rng)
    assert [t.id for t in trials] == list(range(6))
    told = [asked, asked]
    for straight, shuffled in zip(range(6), order, strict=True):
        told = [tell(told[0], straight, scores[straight]), tell(told[1], shuffled, scores[shuffled])]
    assert told[0] == told[1]
    assert list(told[0].scores) == list(told[1].scores)
    assert tell(told[0], 3, scores[3]) == told[0]
    futures = [ask(state, 4, np.random.default_rng(seed))[1] for state in told]
    assert futures[0] == futures[1]
    assert asked.scores == {}


def test_what_was_not_told_is_not_revised() -> None:
    state, first = ask(Adaptive(), 5, np.random.default_rng(0))
    assert all(t.parent == ROOT for t in first)
    state = tell(state, 2, 1.0)
    for seed in range(50):
        _, more = ask(state, 2, np.random.default_rng(seed))
        assert all(t.parent in (ROOT, 2) for t in more)


def grown(pays_wide: float, pays_deep: float, n: int, seed: int, posterior: str) -> Adaptive:
    """A search in which new answers score one thing and revisions another."""
    rng = np.random.default_rng(seed)
    state = Adaptive(posterior=posterior)
    for _ in range(n):
        state, (trial,) = ask(state, 1, rng)
        state = tell(state, trial.id, pays_wide if trial.parent == ROOT else pays_deep)
    return state


@pytest.mark.parametrize("posterior", ["normal", "beta"])
def test_it_goes_deeper_where_revising_pays_and_wider_where_it_does_not(posterior: str) -> None:
    def deep(pays_wide: float, pays_deep: float) -> float:
        return float(np.mean([t.parent != ROOT for s in range(5) for t in grown(pays_wide, pays_deep, 60, s, posterior).trials]))

    assert deep(0.2, 0.9) > 0.5 > deep(0.9, 0.2)
    assert deep(0.2, 0.9) > deep(0.9, 0.2) + 0.3


def test_the_better_model_is_asked_more() -> None:
    rng = np.random.default_rng(1)
    state = Adaptive(2, "beta")
    for _ in range(80):
        state, (trial,) = ask(state, 1, rng)
        state = tell(state, trial.id, 0.9 if trial.action == 1 else 0.1)
    assert np.mean([t.action for t in state.trials]) > 0.65


def test_a_chain_of_revisions_counts_for_all_above_it() -> None:
    trials = (Trial(0, ROOT, 0), Trial(1, 0, 0), Trial(2, 1, 0), Trial(3, ROOT, 0))
    state = Adaptive(trials=trials, scores={0: 0.1, 1: 0.9, 2: 1.0, 3: 0.2})
    found = [ask(state, 1, np.random.default_rng(seed))[1][0].parent for seed in range(200)]
    assert sum(parent in (0, 1, 2) for parent in found) > sum(parent == 3 for parent in found)


@pytest.mark.parametrize("wrong", [lambda s: tell(s, 9, 0.5), lambda s: tell(s, 0, 1.5), lambda s: tell(tell(s, 0, 0.5), 0, 0.6)])
def test_wrong_news_is_refused(wrong: object) -> None:
    state, _ = ask(Adaptive(), 2, np.random.default_rng(0))
    with pytest.raises(InputError):
        wrong(state)  # pyright: ignore[reportCallIssue]


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError):
        Adaptive(0)
    with pytest.raises(InputError):
        Adaptive(posterior="cauchy")
