"""The shipped weights are what their files say, measured again on other problems."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.organisms.card import Card
from ponder.organisms.net import Net
from ponder.organisms.shelf import find, shelf
from ponder.train import measure
from ponder.train.net import load
from ponder.train.revise import revision_figures

PROBLEMS, SAMPLES = 100, 16
POLICIES = [card for card in shelf() if "pass@1" in card.facts and card.writes and card.config.context <= 60]
VERIFIERS = [card for card in shelf() if card.reward is not None and card.reward.kind == "likelihood"]
HEADS = [card for card in shelf() if card.reward is not None and card.reward.kind == "head"]


@lru_cache
def samples_of(name: str) -> measure.Samples:
    return measure.sampled(Net.load(find(name).path), PROBLEMS, SAMPLES, np.random.default_rng(2024))


def test_every_file_is_small_and_says_what_it_is():
    assert shelf()
    for card in shelf():
        assert card.path.stat().st_size < 4_000_000
        assert card.command.startswith("python -m ponder.train ")
        assert card.about
        assert card.facts


@pytest.mark.parametrize("card", POLICIES, ids=lambda c: c.name)
def test_policies_reach_their_stated_pass_at_1(card: Card):
    """The difference of the two estimates is within 4 of its standard errors, of which the statement's own is one part
    (false alarm 6e-5 a policy)."""
    samples = samples_of(card.name)
    each = samples.solved.mean(1)
    error = math.hypot(each.std(ddof=1) / PROBLEMS**0.5, card.facts["pass@1_standard_error"])
    assert each.mean() == pytest.approx(card.facts["pass@1"], abs=4 * error)
    assert np.quantile(each, 0.9) - np.quantile(each, 0.1) > 0.3, "difficulty is spread"


@pytest.mark.parametrize("card", VERIFIERS, ids=lambda c: c.name)
def test_verifiers_reach_their_stated_auroc_within_a_problem(card: Card):
    """Within 4 standard errors of the difference. A mean over problems and steps varies by problems: its squared error is
    the sum over problems of squared summed deviations, over the squared number of steps; the statement's own is as for its problems."""
    samples = samples_of(card.facts["policy"])
    scores = measure.log_probability(Net.load(card.path), samples)
    before = np.concatenate([np.ones_like(samples.right[..., :1]), samples.right[..., :-1]], -1) & samples.live[:, None]
    each = np.array(
        [
            [measure.auroc(x[u], y[u]) for x, y, u in zip(*(a[i].T for a in (scores, samples.right, before)), strict=True)]
            for i in range(PROBLEMS)
        ]
    )
    mean, used = np.nanmean(each), np.isfinite(each).sum()
    error = np.sqrt((np.nansum(each - mean, 1) ** 2).sum()) / used
    both = error * math.sqrt(1 + PROBLEMS / card.facts["problems"])
    assert mean == pytest.approx(measure.verifier_figures(scores, samples)["auroc_step_within"], abs=1e-4)
    assert mean == pytest.approx(card.facts["auroc_step_within"], abs=4 * both)
    assert both < 0.04


@pytest.mark.parametrize("card", HEADS, ids=lambda c: c.name)
def test_judges_tell_right_from_wrong_as_well_as_they_state(card: Card):
    """AUROC of whole responses within a problem, within 4 standard errors of the difference; problems vary independently.
    So few problems show a damaged judge of .9, and hardly one of .6."""
    samples = samples_of(card.config.grammar)
    scores = measure.head(Net.load(card.path), samples)
    last = samples.live.sum(1) - 1
    each = np.array([measure.auroc(scores[i, :, last[i]], samples.solved[i]) for i in range(PROBLEMS)])
    error = np.nanstd(each, ddof=1) / np.isfinite(each).sum() ** 0.5 * math.sqrt(1 + PROBLEMS / card.facts["problems"])
    stated = card.facts.get("auroc_final_within", card.facts.get("auroc_finished_within"))
    assert np.nanmean(each) == pytest.approx(stated, abs=4 * error)
    assert error < 0.05


def test_the_revision_model_writes_five_attempts_of_the_stated_worth():
    """Each within 4 standard errors of the difference, of which the statement's own, from more problems, is one part."""
    card = find("chain-revise")
    problems = 24
    figures = revision_figures(load(card.path), problems, 4, np.random.default_rng(2024))
    error = figures["pass@1_standard_error"] * math.sqrt(1 + problems / card.facts["problems"])
    assert figures["pass@1_by_attempt"] == pytest.approx(card.facts["pass@1_by_attempt"], abs=4 * error)
    assert error < 0.1
