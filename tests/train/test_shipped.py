"""The shipped weights are what their files say, measured again on other problems."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.organisms.card import Card
from ponder.organisms.net import Net
from ponder.organisms.shelf import find, shelf
from ponder.train import measure

PROBLEMS, SAMPLES = 60, 16
POLICIES = [card for card in shelf() if "pass@1" in card.facts and card.writes and card.config.context <= 60]
VERIFIERS = [card for card in shelf() if card.reward is not None and card.reward.kind == "likelihood"]


def test_every_file_is_small_and_says_what_it_is():
    assert shelf()
    for card in shelf():
        assert card.path.stat().st_size < 4_000_000
        assert card.command.startswith("python -m ponder.train ")
        assert card.about
        assert card.facts


@pytest.mark.parametrize("card", POLICIES, ids=lambda c: c.name)
def test_policies_reach_their_stated_pass_at_1(card: Card):
    """60 problems: the difference of the two estimates is within 4 of its standard errors, of which the statement's own is one part
    (false alarm 6e-5 a policy)."""
    samples = measure.sampled(Net.load(card.path), PROBLEMS, SAMPLES, np.random.default_rng(2024))
    each = samples.solved.mean(1)
    error = math.hypot(each.std(ddof=1) / PROBLEMS**0.5, card.facts["pass@1_standard_error"])
    assert each.mean() == pytest.approx(card.facts["pass@1"], abs=4 * error)
    assert np.quantile(each, 0.9) - np.quantile(each, 0.1) > 0.3, "difficulty is spread"


@pytest.mark.parametrize("card", VERIFIERS, ids=lambda c: c.name)
def test_verifiers_reach_their_stated_auroc_within_a_problem(card: Card):
    """Bootstrapping the statement's problems gave a standard error near .012 for 60 of them; the tolerance is 4 of these."""
    samples = measure.sampled(Net.load(find(card.facts["policy"]).path), PROBLEMS, 2 * SAMPLES, np.random.default_rng(2025))
    figures = measure.verifier_figures(measure.log_probability(Net.load(card.path), samples), samples)
    assert figures["auroc_step_within"] == pytest.approx(card.facts["auroc_step_within"], abs=0.05)
