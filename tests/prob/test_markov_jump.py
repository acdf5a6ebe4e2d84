"""Markov jump processes: published constants of the ratchet, likelihoods by enumeration, and EM that recovers rates."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.linalg import expm

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.prob.markov_jump import (
    Panel,
    checked_rates,
    entropy_production,
    fit,
    flashing_ratchet,
    hellinger,
    log_likelihood,
    mean_first_passage,
    ratchet_parameters,
    relaxation_times,
    simulate,
    stationary,
    transition_matrix,
)
from ponder.prob.markov_jump.fitting import WEAK_PRIOR

RATCHET = flashing_ratchet(1.0)
OFF = ~np.eye(6, dtype=bool)
RNG = generator(0)
SMALL = checked_rates(RNG.uniform(0.2, 1.5, (3, 3)))
TIMES = np.array([0.0, 0.4, 1.0, 1.4])


def test_the_ratchet_has_its_published_constants():
    assert np.sort(np.linalg.eigvals(RATCHET).real)[::-1] == pytest.approx([0, -2, -2.860, -3.564, -4.877, -6.295], abs=5e-4)
    assert stationary(RATCHET) == pytest.approx([0.3012, 0.1365, 0.0623, 0.2003, 0.1591, 0.1406], abs=5e-5)
    assert entropy_production(RATCHET) == pytest.approx(0.17919, abs=5e-6)
    assert ratchet_parameters(flashing_ratchet(2.5, 0.7, 1.3)) == pytest.approx((2.5, 0.7, 1.3))


def test_what_follows_from_the_rates():
    assert transition_matrix(SMALL, 0.3) @ transition_matrix(SMALL, 0.5) == pytest.approx(transition_matrix(SMALL, 0.8))
    assert stationary(SMALL) @ SMALL == pytest.approx(np.zeros(3), abs=1e-12)
    passage = mean_first_passage(SMALL, 1)
    assert (SMALL @ passage)[[0, 2]] == pytest.approx([-1, -1])
    assert passage[1] == 0
    reversible = np.array([[0, 1, 0], [2, 0, 3], [0, 1, 0.0]])
    assert entropy_production(reversible) == pytest.approx(0, abs=1e-12)
    assert relaxation_times(3 * SMALL) == pytest.approx(relaxation_times(SMALL) / 3)
    assert hellinger(np.array([1.0, 0]), np.array([[0.0, 1], [1, 0]])) == pytest.approx([1, 0])


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_likelihood_is_the_sum_over_hidden_paths(noise):
    p0, labels = np.array([0.5, 0.3, 0.2]), np.array([[0, 2, 1, 1], [1, 1, 2, 0]])
    steps = [expm(SMALL * d) for d in np.diff(TIMES)]
    total = 0.0
    for seen in labels:
        paths = itertools.product(range(3), repeat=4)
        emit = lambda z, y: 1 - noise if z == y else noise / 2  # noqa: E731
        total += np.log(
            sum(
                p0[z[0]]
                * np.prod([steps[k][z[k], z[k + 1]] for k in range(3)])
                * np.prod([emit(a, b) for a, b in zip(z, seen, strict=True)])
                for z in paths
            )
        )
    assert log_likelihood(Panel.regular(TIMES, labels, 3), SMALL, p0, noise) == pytest.approx(total)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_em_climbs_to_a_stationary_point_of_the_likelihood(noise):
    panel = simulate(SMALL, np.full(3, 1 / 3), np.arange(0, 8, 0.4), 60, generator(1), noise)
    found = fit(panel, label_noise=noise, tol=1e-9, steps=4000)
    assert found.converged
    assert np.diff(found.log_likelihood).min() > -1e-9
    best = log_likelihood(panel, found.rates, found.initial, noise)
    for i, j in itertools.permutations(range(3), 2):
        for factor in (0.99, 1.01):
            moved = found.rates.copy()
            moved[i, j] *= factor
            assert log_likelihood(panel, moved, found.initial, noise) < best + 1e-7


def test_rates_come_back_from_many_paths_and_time_scales_out():
    times = np.linspace(0, 2.5, 100)
    panel = simulate(RATCHET, stationary(RATCHET), times, 5000, generator(2))
    found = fit(panel, steps=60)
    assert np.sqrt(np.mean((found.rates - RATCHET)[OFF] ** 2)) < 0.04
    slower = Panel(panel.states, panel.lengths, 3 * panel.gaps, panel.gap, 6)
    assert 3 * fit(slower, steps=20).rates == pytest.approx(fit(panel, steps=20).rates, rel=1e-9)
    later = np.bincount(panel.states[:, -1], minlength=6) / 5000
    assert np.abs(later - stationary(RATCHET)).max() < 4.5 * np.sqrt(0.25 / 5000)


def test_knowing_the_label_noise_helps():
    panel = simulate(RATCHET, stationary(RATCHET), np.linspace(0, 2.5, 50), 300, generator(3), 0.1)
    plain, hidden = (np.sqrt(np.mean((fit(panel, label_noise=e, steps=60).rates - RATCHET)[OFF] ** 2)) for e in (0.0, 0.1))
    assert hidden < 0.5 * plain


def test_irregular_paths_unseen_states_and_single_points():
    times = [np.array([0, 0.5, 1.1]), np.array([0.3]), np.array([0.2, 0.7])]
    with pytest.warns(UserWarning, match="1 paths"):
        panel = Panel.from_paths(times, [np.array([0, 1, 0]), np.array([0]), np.array([1, 0])], 3)
    assert panel.gaps == pytest.approx([0.5, 0.6])
    assert panel.counts().sum(axis=(1, 2)).tolist() == [2, 1]
    found = fit(panel, prior=WEAK_PRIOR)
    assert found.visited.tolist() == [True, True, False]
    assert found.rates[2, :2] == pytest.approx([0.5 / 1.6] * 2, rel=0.4)
    swapped = Panel.from_paths(times[::-2], [np.array([1, 0]), np.array([0, 1, 0])], 3)
    assert fit(swapped, prior=WEAK_PRIOR).rates == pytest.approx(found.rates, abs=1e-12)


PAIR = [np.array([0.0, 1.0])]
GOOD = simulate(SMALL, np.full(3, 1 / 3), TIMES, 3, generator(5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checked_rates(np.array([[0, -1.0], [1, 0]])), "from 0 to 1 is -1"),
        (lambda: checked_rates(np.ones((2, 3))), "square"),
        (lambda: Panel.from_paths([], [], 2), "at least one"),
        (lambda: Panel.from_paths([np.array([1.0, 0.5])], [np.array([0, 1])], 2), "increase"),
        (lambda: Panel.from_paths(PAIR, [np.array([0, 2])], 2), "from 0 to 1"),
        (lambda: Panel.from_paths(PAIR, [np.array([0.0, 1.0])], 2), "whole numbers"),
        (lambda: simulate(SMALL, np.array([1.0, 1, 0]), TIMES, 2, generator(0)), "sum to 1"),
        (lambda: simulate(SMALL, np.full(3, 1 / 3), TIMES, 0, generator(0)), "at least 1 path"),
        (lambda: fit(GOOD, label_noise=1.0), "below 1"),
        (lambda: fit(GOOD, prior=(-1, 1)), "neither negative"),
        (lambda: stationary(np.zeros((3, 3))), "not unique"),
        (lambda: mean_first_passage(np.array([[0, 1.0], [0, 0]]), 0), "not reached from state 1"),
        (lambda: transition_matrix(SMALL, -1.0), "not negative"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
