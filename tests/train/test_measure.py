"""Samples, labels and figures: against enumeration, brute force and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.organisms import chain
from ponder.organisms.characters import ALPHABET
from ponder.train import measure
from ponder.train.net import Shape, TorchNet


def small(value: bool = False, grammar: str = "chain") -> TorchNet:
    net = TorchNet(Shape(8, 1, 2, 60, ALPHABET, grammar, value=value), seed=3)
    rng = np.random.default_rng(3)
    return net.take({k: rng.normal(0, 0.4, v.shape) for k, v in net.tensors().items()})


def right_samples(n: int, count: int) -> tuple[chain.Problems, measure.Samples]:
    chains = chain.problems(n, np.random.default_rng(1), np.random.default_rng(2).integers(4, 9, n))
    tokens = chain.encode(chains)
    responses = np.repeat(tokens[:, None, chain.PROMPT :], count, 1)
    return chains, measure.labelled_chains(chains, tokens[:, : chain.PROMPT], responses)


def test_right_responses_are_right_at_every_step():
    _, samples = right_samples(20, 2)
    assert samples.solved.all()
    assert samples.right[np.broadcast_to(samples.live[:, None], samples.right.shape)].all()


def test_one_wrong_digit_spoils_its_step_and_all_after_it():
    chains, samples = right_samples(20, 1)
    responses = samples.responses.copy()
    place = 2 * chain.STEP
    responses[:, :, place] = responses[:, :, place] % 10 + 1
    spoilt = measure.labelled_chains(chains, samples.prompts, responses)
    assert spoilt.right[:, :, :2].all()
    assert not spoilt.right[:, :, 2:].any()
    assert spoilt.solved.all(), "the last value is still right"


def test_a_response_that_goes_on_behind_its_last_step_is_not_solved():
    chains, samples = right_samples(30, 1)
    responses = samples.responses.copy()
    short = np.flatnonzero(chains.lengths < chain.SLOTS)
    responses[short, :, chain.STEP * chains.lengths[short] - 1] = ALPHABET.index(";")
    solved = measure.labelled_chains(chains, samples.prompts, responses).solved
    assert not solved[short].any()
    assert solved[chains.lengths == chain.SLOTS].all()


def test_draws_follow_the_nets_probabilities():
    """10,000 draws of one token: every frequency within five standard errors; false alarm below 1e-4 over the alphabet."""
    net = measure.forward(small())
    prompts = chain.encode(chain.problems(1, np.random.default_rng(0), 8))[:, : chain.PROMPT]
    drawn = measure.draw(net, prompts, 10_000, 1, np.random.default_rng(7))
    logits = net.logits(net.feed(net.cache(1), prompts))[0, 0].astype(float)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    seen = np.bincount(drawn.ravel(), minlength=len(p)) / drawn.size
    assert (np.abs(seen - p) < 5 * np.sqrt(p * (1 - p) / drawn.size) + 1e-9).all()


def test_log_probabilities_are_the_sums_of_token_log_probabilities():
    net = measure.forward(small())
    _, samples = right_samples(5, 2)
    tokens = samples.tokens
    logits = net.logits(net.feed(net.cache(len(tokens)), tokens, every=True)).astype(float)
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    each = np.array([[logp[i, t - 1, tokens[i, t]] for t in range(chain.PROMPT, 60)] for i in range(len(tokens))])
    expected = each.reshape(5, 2, chain.SLOTS, chain.STEP)[..., :-1].sum(-1).cumsum(-1)
    np.testing.assert_allclose(measure.log_probability(net, samples), expected, atol=1e-4)


def test_head_reads_the_last_token_of_each_step():
    net = measure.forward(small(value=True))
    _, samples = right_samples(3, 2)
    values = net.values(net.feed(net.cache(6), samples.tokens, every=True))
    expected = values[:, chain.PROMPT + chain.STEP - 1 :: chain.STEP].reshape(3, 2, chain.SLOTS)
    np.testing.assert_allclose(measure.head(net, samples), expected, atol=1e-5)


def test_auroc_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(5)
    scores, labels = rng.integers(0, 6, 60), rng.random(60) < 0.4
    pairs = [float(a > b) + 0.5 * float(a == b) for a in scores[labels] for b in scores[~labels]]
    assert measure.auroc(scores, labels) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert np.isnan(measure.auroc(scores, np.ones(60)))


def test_within_does_not_see_differences_between_problems():
    labels = np.array([[True, False, True, False], [True, True, False, False]])[..., None]
    scores = np.array([[0.0, 0, 0, 0], [9.0, 9, 9, 9]])[..., None]
    used = np.ones_like(labels)
    assert measure.within(scores, labels, used) == 0.5
    assert measure.within(scores + labels, labels, used) == 1.0


def test_logistic_regression_finds_the_truth_it_was_drawn_from():
    """40,000 labels from slope 0.7, offset -0.3; the standard errors are about .014 and .012, the tolerance 5 of them."""
    rng = np.random.default_rng(11)
    x = rng.normal(0, 1, 40_000)
    y = rng.random(40_000) < 1 / (1 + np.exp(-(0.7 * x - 0.3)))
    a, b = measure.fitted(x, y, 0.0, rng)
    assert a == pytest.approx(0.7, abs=0.07)
    assert b == pytest.approx(-0.3, abs=0.06)


def test_flipped_labels_bound_the_confidence():
    x = np.repeat([-8.0, 8.0], 5000)
    a, b = measure.fitted(x, x > 0, 0.1, np.random.default_rng(1))
    assert 1 / (1 + np.exp(-(8 * a + b))) == pytest.approx(0.9, abs=0.02)


def test_best_of_takes_the_highest_score_of_each_group():
    scores = np.array([[0.1, 0.9, 0.3, 0.2]])
    solved = np.array([[True, False, True, False]])
    assert measure.best_of(1, scores, solved) == 0.5
    assert measure.best_of(2, scores, solved) == 0.5
    assert measure.best_of(4, scores, solved) == 0.0


def test_verifier_figures_of_a_perfect_and_an_ignorant_judge():
    _, samples = right_samples(10, 8)
    rng = np.random.default_rng(4)
    right = np.logical_and.accumulate(rng.random(samples.right.shape) < 0.8, -1)
    last = np.broadcast_to(samples.live.sum(1)[:, None, None] - 1, (10, 8, 1))
    samples = measure.Samples(samples.prompts, samples.responses, right, samples.live, np.take_along_axis(right, last, -1)[..., 0])
    assert set(measure.verifier_figures(right.astype(float), samples).values()) == {1.0}
    assert set(measure.verifier_figures(np.zeros(right.shape), samples).values()) == {0.5}
