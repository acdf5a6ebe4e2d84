"""The prior over jump processes, and the shipped network: symmetries, pieces and parts, the accuracy that its file states."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.prob.markov_jump import (
    JumpPrior,
    Panel,
    RateNetwork,
    checked_rates,
    fit,
    flashing_ratchet,
    infer_rates,
    shipped,
    simulate,
    stationary,
)
from ponder.prob.markov_jump.fitting import WEAK_PRIOR
from ponder.prob.markov_jump.network import SHIPPED, accuracy, pair_features

RATCHET = flashing_ratchet(1.0)
PANEL = simulate(RATCHET, stationary(RATCHET), np.linspace(0, 2.5, 40), 60, generator(0))


def test_chains_of_the_prior_are_connected_and_half_of_them_full():
    """The share of full chains is within 4 standard errors of 1/2 plus what random graphs of few states add (6 states: 2^-15)."""
    rates, n_states = JumpPrior(6, 6).chains(2000, generator(1))
    assert (n_states == 6).all()
    links = (rates > 0) & ~np.eye(6, dtype=bool)
    assert (links == links.swapaxes(1, 2)).all()
    assert (np.linalg.matrix_power(links + np.eye(6), 6) > 0).all()
    assert abs((links.sum(axis=(1, 2)) == 30).mean() - 0.5) < 4 * np.sqrt(0.25 / 2000)
    assert rates.sum(axis=2) == pytest.approx(0, abs=1e-12)
    assert rates[links].max() < 1
    small, few = JumpPrior(2, 3, padded=5).chains(50, generator(2))
    assert small.shape == (50, 5, 5)
    assert set(few) == {2, 3}
    assert not small[few == 2, 2:].any()


def test_tasks_follow_the_law_of_their_chains():
    """Labels at the last of regular times, and wrong labels, within 5 standard errors."""
    seen = [JumpPrior(3, 3, (0.0,)).tasks(1, 4000, 20, generator(s)) for s in range(6)]
    for tasks in seen:
        due = tasks.initial[0] @ expm(tasks.rates[0] * 10.0)
        last = np.bincount(tasks.states[0, :, -1], minlength=3) / 4000
        if np.ptp(tasks.times[0, :, -1]) == 0:
            assert np.abs(last - due).max() < 5 * np.sqrt(0.25 / 4000)
        assert (np.diff(tasks.times, axis=2) > 0).all()
        assert not tasks.times[:, :, 0].any()
    assert {bool(np.ptp(t.times[0, :, -1])) for t in seen} == {True, False}
    noisy = JumpPrior(2, 2, (0.3,)).tasks(1, 4000, 2, generator(3))
    clean = JumpPrior(2, 2, (0.0,)).tasks(1, 4000, 2, generator(3))
    wrong = (noisy.states[0] != clean.states[0]).mean()
    assert abs(wrong - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 8000)


def test_what_is_read_of_pairs_of_states():
    """A path 0 0 1 1 0 at times 0, .1, .3, .6, 1 and a label of padding behind it; gaps count twentyfold."""
    times = np.array([[0.0, 0.1, 0.3, 0.6, 1.0, 0.0]])
    found = pair_features(times, np.array([[0, 0, 1, 1, 0, 1]]), np.array([5]), 2)[0]
    there, back = found[0, 1], found[1, 0]
    assert there[:7] == pytest.approx([1, 4, 16, 0, 1, 1, 1])  # 0 1 once, .2 between; no 0 1 0; 0 1 1; 0 0 1; 0 0 1 1
    assert back[:7] == pytest.approx([1, 8, 64, 0, 0, 1, 0])
    assert there[7:14].tolist() == back[:7].tolist()
    assert there[14:22] == pytest.approx([2, 6, 20, 0, 1, 2, 1, 3])  # 0 is left twice, stays once for .1, is first, is seen three times
    assert there[22:30].tolist() == back[14:22].tolist()
    assert there[30:].tolist() == [5, 0]
    assert found[0, 0, 31] == 1
    other = pair_features(times, np.array([[0, 1, 0, 1, 0, 0]]), np.array([5]), 2)[0]
    assert other[0, 1, 3] == 2
    assert other[1, 0, 3] == 1


def test_states_have_no_names():
    """Another order of the states is the same chain."""
    order = generator(9).permutation(6)
    said, renamed = shipped().infer(PANEL), shipped().infer(Panel(order[PANEL.states], PANEL.lengths, PANEL.gaps, PANEL.gap, 6))
    assert renamed.rates[np.ix_(order, order)] == pytest.approx(said.rates, abs=1e-6)
    assert renamed.initial[order] == pytest.approx(said.initial, abs=1e-6)


def test_the_order_of_paths_does_not_count_and_time_has_no_unit():
    said = shipped().infer(PANEL)
    order = generator(4).permutation(60)
    mixed = shipped().infer(Panel(PANEL.states[order], PANEL.lengths[order], PANEL.gaps, PANEL.gap[order], 6))
    slower = shipped().infer(Panel(PANEL.states, PANEL.lengths, 7 * PANEL.gaps, PANEL.gap, 6))
    assert mixed.rates == pytest.approx(said.rates, abs=1e-9)
    assert 7 * slower.rates == pytest.approx(said.rates, abs=1e-9)
    assert 7 * slower.sd == pytest.approx(said.sd, abs=1e-9)
    assert said.rates.sum(axis=1) == pytest.approx(0, abs=1e-12)
    assert said.initial.sum() == pytest.approx(1)
    assert said.in_domain
    assert said.visited.all()


def test_long_paths_are_read_in_pieces_and_many_in_parts():
    """A path of 199 points is two of 100 that share one; of 400 paths two hundred are read at a time."""
    long = simulate(RATCHET, stationary(RATCHET), np.linspace(0, 5, 199), 20, generator(5))
    halves = np.concatenate([long.states[:, :100], long.states[:, 99:]])
    pieces = Panel.regular(np.linspace(0, 2.5, 100), halves, 6)
    assert shipped().infer(long).rates == pytest.approx(shipped().infer(pieces).rates, abs=1e-9)
    many = simulate(RATCHET, stationary(RATCHET), np.linspace(0, 2.5, 20), 200, generator(10))
    twice = Panel(np.repeat(many.states, 2, 0), np.repeat(many.lengths, 2), many.gaps, np.repeat(many.gap, 2, 0), 6)
    once, both = shipped().infer(many), shipped().infer(twice)
    assert both.rates == pytest.approx(once.rates, abs=1e-9)
    assert both.sd == pytest.approx(once.sd / np.sqrt(2), abs=1e-9)


def test_the_shipped_network_reaches_its_stated_accuracy():
    """On chains of another seed: the error is within a quarter of the stated one, intervals hold nine tenths of the rates, nearly."""
    facts = shipped().facts
    assert shipped().command == "python -m ponder.train jump-rates --out DIR --seed 0"
    assert SHIPPED.stat().st_size < 4_000_000
    found = accuracy(shipped(), JumpPrior().tasks(60, 50, 40, generator(6)))
    assert found.rmse == pytest.approx(facts["rmse"], rel=0.25)
    assert found.rmse < 0.6 * found.guess
    assert abs(found.coverage - facts["coverage"]) < 0.05


def test_what_it_was_not_trained_for_is_said():
    fast = checked_rates(30 * RATCHET)
    assert not shipped().infer(simulate(fast, stationary(fast), np.linspace(0, 2.5, 40), 50, generator(7))).in_domain
    short = simulate(RATCHET, stationary(RATCHET), np.array([0, 0.4, 0.8]), 50, generator(8))
    assert not shipped().infer(short).in_domain


def test_the_way_to_rates_is_chosen_by_what_is_known():
    assert infer_rates(PANEL).method == "network"
    assert infer_rates(PANEL).rates.tolist() == shipped().infer(PANEL).rates.tolist()
    assert infer_rates(PANEL, 0.0).method == "MAP-EM"
    assert infer_rates(PANEL, 0.0).rates == pytest.approx(fit(PANEL, WEAK_PRIOR).rates)
    noisy = infer_rates(PANEL, 0.1)
    assert (noisy.method, noisy.sd) == ("HMM-EM", None)
    many = Panel.regular(np.arange(5.0), generator(1).integers(0, 7, (4, 5)), 7)
    assert infer_rates(many).method == "MAP-EM"
    assert "7 states" in infer_rates(many).why
    with pytest.raises(InputError, match="below 1"):
        infer_rates(PANEL, 1.5)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: shipped().infer(Panel.regular(np.array([0.0, 1]), np.array([[0, 6]]), 7)), "up to 6 states"),
        (lambda: RateNetwork.load("nowhere.safetensors"), "holds no network"),
        (lambda: JumpPrior(1, 3), "2 states or more"),
        (lambda: JumpPrior(noise=(1.0,)), "label noise"),
        (lambda: JumpPrior().tasks(1, 1, 1, generator(0)), "2 to 100 points"),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(InputError, match=match):
        call()
