"""Marked point processes: the Hawkes density against brute force, neural densities that integrate to 1, sampling that fits its density."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.prob.point_process import EventBatch, HawkesExp
from ponder.prob.point_process.neural import MarkedTPP
from ponder.prob.point_process.training import fit

MU, ALPHA, BETA = np.array([0.1, 0.05]), np.array([[0.2, 0.1], [0.2, 0.3]]), np.array([[1.0, 0.5], [2.0, 1.0]])
HAWKES = HawkesExp(MU, ALPHA, BETA)
TIMES, MARKS = [np.array([0.7, 1.0, 3.2]), np.array([]), np.array([2.5])], [np.array([0, 1, 1]), np.array([]), np.array([1])]
BATCH = EventBatch.from_lists(TIMES, MARKS, 5.0, 2)
KINDS = ("time_given_mark", "independent", "mark_given_time")


def rates(t, times, marks):
    return MU + sum(ALPHA[:, m] * np.exp(-BETA[:, m] * (t - s)) for s, m in zip(times, marks, strict=True) if s < t)


def test_the_hawkes_density_is_the_brute_force_one():
    found = HAWKES.log_prob(BATCH)
    for i, (times, marks) in enumerate(zip(TIMES, MARKS, strict=True)):
        own = sum(np.log(rates(t, times, marks)[m]) for t, m in zip(times, marks.astype(int), strict=True))
        ends = [0, *times, 5.0]
        spent = [quad(lambda t: rates(t, times, marks).sum(), a, b)[0] for a, b in pairwise(ends)]  # noqa: B023
        assert found.total[i] == pytest.approx(own - sum(spent), abs=1e-9)
        assert found.survival[i] == pytest.approx(-spent[-1], abs=1e-9)
        conditional = [rates(t, times, marks)[int(m)] / rates(t, times, marks).sum() for t, m in zip(times, marks, strict=True)]
        assert found.mark[i] == pytest.approx(np.log(conditional).sum(), abs=1e-9)
    assert found.total[1] == pytest.approx(-MU.sum() * 5)
    assert HAWKES.intensity(BATCH[:1], [0.5, 1.0, 4.0]) == pytest.approx(np.array([rates(t, TIMES[0], MARKS[0]) for t in (0.5, 1.0, 4.0)]))


def test_marks_without_their_time_are_averaged_over_it():
    given = HAWKES.mark_given_history(BATCH)
    times, marks = TIMES[0], MARKS[0]

    def density(t, k):  # of mark k at t, the third event of the first sequence
        past = lambda s: rates(s, times[:2], marks[:2])  # noqa: E731
        return past(t)[k] * np.exp(-quad(lambda s: past(s).sum(), times[1], t)[0])

    by_hand = [quad(density, times[1], times[1] + 200, args=(k,), limit=200)[0] for k in range(2)]
    assert given[0, 2] == pytest.approx(np.array(by_hand) / np.sum(by_hand), abs=1e-5)
    assert HAWKES.mark_given_time(BATCH)[0, 2] == pytest.approx(rates(3.2, times, marks) / rates(3.2, times, marks).sum())


def test_simulation_has_the_rates_and_rescaled_times_of_the_process():
    batch = HAWKES.simulate(100, 1500, generator(0))
    counts = np.stack([((batch.marks == k) & batch.inside).sum(axis=1) for k in range(2)], axis=1)
    # From an empty past the mean stays below the stationary one, by less than 5%.
    stationary = HAWKES.stationary_rates * 100
    error = counts.std(axis=0) / np.sqrt(len(batch))
    assert np.all(counts.mean(axis=0) < stationary + 3 * error)
    assert np.all(counts.mean(axis=0) > 0.95 * stationary - 3 * error)
    # A p below .001 comes by chance once in a thousand seeds.
    assert kstest(HAWKES.residuals(batch[:300]), "expon").pvalue > 1e-3
    assert kstest(HawkesExp(MU * 1.2, ALPHA, BETA).residuals(batch[:300]), "expon").pvalue < 1e-3


def test_simulation_with_one_mark_and_no_offspring_is_poisson():
    batch = HawkesExp([2.0], [[0.0]], 1.0).simulate(3.0, 4000, generator(1))
    assert batch.lengths.mean() == pytest.approx(6, abs=4 * np.sqrt(6 / 4000))
    assert batch.lengths.var() == pytest.approx(6, abs=0.6)
    assert np.all(np.diff(batch.times, axis=1)[batch.inside[:, 1:]] > 0)


def model(kind, marks=2, seed=1):
    made = MarkedTPP(marks, components=3, hidden=8, mark_dim=4, dependence=kind, seed=seed).double()
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(seed), dtype=p.dtype))
        made.centre.fill_(0.2)
        made.spread.fill_(1.3)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_the_joint_density_integrates_to_one_and_survival_is_what_is_left(kind):
    h = model(kind).contexts(BATCH)[0, 2].detach()
    x, w = np.polynomial.legendre.leggauss(400)

    def integral(low, high):
        logs = torch.as_tensor((high - low) / 2 * x + (high + low) / 2)
        joint = model(kind).log_joint(h.expand(len(logs), -1), logs.exp())[0].detach()
        return float(((joint.exp().sum(-1) * logs.exp()).numpy() * w).sum() * (high - low) / 2)

    assert integral(-25, 25) == pytest.approx(1, abs=1e-6)
    for tau in (0.1, 1.0, 7.0):
        survival = float(model(kind).log_joint(h, torch.tensor(tau, dtype=torch.float64))[1].detach().exp())
        assert survival == pytest.approx(1 - integral(-25, np.log(tau)), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_add_up_and_padding_does_not_matter(kind):
    made = model(kind)
    together, alone = made.log_prob(BATCH), [made.log_prob(BATCH[i : i + 1]) for i in range(3)]
    assert together.total == pytest.approx([float(a.total[0]) for a in alone], abs=1e-10)
    assert together.mark[1] == together.time[1] == 0
    assert together.survival[1] == pytest.approx(
        float(made.log_joint(made.first.detach(), torch.tensor(5.0, dtype=torch.float64))[1].detach())
    )
    given = made.mark_given_time(BATCH)
    assert together.mark[0] == pytest.approx(np.log(given[0, range(3), MARKS[0]]).sum())
    assert made.mark_given_history(BATCH).sum(axis=2) == pytest.approx(np.ones((3, 3)))


def test_the_mean_mark_probability_is_the_average_over_time():
    made = model("mark_given_time")
    h, (x, w) = made.contexts(BATCH)[0, 1].detach(), np.polynomial.legendre.leggauss(400)
    logs = torch.as_tensor(25 * x)
    joint = made.log_joint(h.expand(len(logs), -1), logs.exp())[0].detach().exp().numpy()
    by_hand = (joint * (np.exp(25 * x) * w * 25)[:, None]).sum(axis=0)
    assert made.mark_given_history(BATCH)[0, 1] == pytest.approx(by_hand, abs=1e-4)


def test_with_one_mark_the_joint_model_is_the_independent_one():
    one = EventBatch.from_lists(TIMES, [np.zeros(len(m), dtype=int) for m in MARKS], 5.0, 1)
    joint, split = model("time_given_mark", 1), model("independent", 1)
    split.load_state_dict(joint.state_dict())
    assert joint.log_prob(one).total == pytest.approx(split.log_prob(one).total, abs=1e-12)
    assert joint.log_prob(one).mark == pytest.approx(np.zeros(3), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_density_of_the_model(kind):
    made = model(kind)
    drawn = made.sample(6.0, 3000, seed=2)
    # Time rescaling of the first wait: its survival probability is uniform; waits beyond the end are known to be censored.
    first = np.where(drawn.lengths > 0, drawn.times[:, 0], np.inf)
    seen = torch.as_tensor(np.minimum(first, 6.0))
    survival = made.log_joint(made.first.detach().expand(len(seen), -1), seen)[1].detach().exp().numpy()
    least = float(survival[~np.isfinite(first)].max(initial=0.0))
    uniform = (survival[np.isfinite(first)] - least) / (1 - least)
    assert kstest(uniform, "uniform").pvalue > 1e-3
    p = made.mark_given_time(drawn)[:, 0]
    began = drawn.lengths > 0
    error = np.sqrt((p * (1 - p))[began, 0].sum())
    assert abs((drawn.marks[began, 0] == 0).sum() - p[began, 0].sum()) < 3.5 * error


def test_predictions_are_quantiles_of_the_wait():
    made = model("time_given_mark")
    marks, waits = made.predict_next(BATCH, [0.1, 0.5])
    h = made.contexts(BATCH)[torch.arange(3), torch.as_tensor(BATCH.lengths)].detach()
    for i, level in enumerate((0.1, 0.5)):
        survival = made.log_joint(h, torch.as_tensor(waits[:, i]))[1].detach().exp().numpy()
        assert survival == pytest.approx(np.full(3, 1 - level), abs=1e-5)
    assert marks.sum(axis=1) == pytest.approx(np.ones(3))


def test_rates_of_a_model_are_its_density_over_its_survival():
    made = model("time_given_mark")
    # The integral of the total rate from the last event on is minus the log of survival.
    total = quad(lambda t: made.intensity(BATCH[:1], [t])[0].sum(), 3.2, 5.0, epsabs=1e-8)[0]
    assert total == pytest.approx(-float(made.log_prob(BATCH[:1]).survival[0]), abs=1e-5)


def test_training_approaches_the_process_that_made_the_data():
    train, validation = HAWKES.simulate(40, 300, generator(2)), HAWKES.simulate(40, 300, generator(3))
    made = MarkedTPP(2, components=3, hidden=16, mark_dim=4, seed=0)
    before = -made.log_prob(validation).total.mean()
    history = fit(made, train, validation, epochs=6, batch=50, rate=1e-2)
    after, oracle = -made.log_prob(validation).total.mean(), -HAWKES.log_prob(validation).total.mean()
    assert after == pytest.approx(min(history.validation), abs=1e-4)
    assert oracle - 0.2 < after < oracle + 1.0
    assert after < before - 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HawkesExp([0.1, -0.2], ALPHA, 1.0), "mu is"),
        (lambda: HawkesExp(MU, -ALPHA, 1.0), "not negative; alpha"),
        (lambda: HawkesExp(MU, ALPHA, 0.0), "above 0; beta"),
        (lambda: HawkesExp(MU, 5 * ALPHA, 1.0), "explodes: the spectral radius"),
        (lambda: HawkesExp([0.0, 0.0], ALPHA, 1.0), "no event would ever come"),
        (lambda: HawkesExp(MU, ALPHA[:1], 1.0), "shape"),
        (lambda: HAWKES.simulate(0.0, 1, generator(0)), "above 0"),
        (lambda: EventBatch.from_lists([], [], 1.0, 2), "at least one"),
        (lambda: EventBatch.from_lists([[1.0, 1.0]], [[0, 1]], 2.0, 2), "increase; break ties"),
        (lambda: EventBatch.from_lists([[2.0, 1.0]], [[0, 1]], 3.0, 2), "increase"),
        (lambda: EventBatch.from_lists([[1.0]], [[2]], 2.0, 2), "from 0 to 1"),
        (lambda: EventBatch.from_lists([[3.0]], [[0]], 2.0, 2), "at most at 2"),
        (lambda: EventBatch.from_lists([[0.0]], [[0]], 2.0, 2), "above 0"),
        (lambda: EventBatch.from_lists([[1.0]], [[0, 1]], 2.0, 2), "must be"),
        (lambda: EventBatch.from_lists([[1.0]], [[0]], 0.0, 2), "finite time"),
        (lambda: HAWKES.log_prob(EventBatch.from_lists([[1.0]], [[0]], 2.0, 3)), "2 marks and the events 3"),
        (lambda: HAWKES.intensity(BATCH, [1.0]), "one sequence"),
        (lambda: MarkedTPP(0), "at least 1"),
        (lambda: MarkedTPP(2, dependence="both"), "'both'"),
        (lambda: MarkedTPP(3).log_prob(BATCH), "3 marks and the events 2"),
        (lambda: MarkedTPP(2).sample(1.0, 0), "n >= 1"),
        (lambda: MarkedTPP(2).predict_next(BATCH, [1.0]), "between 0 and 1"),
        (lambda: fit(MarkedTPP(2), BATCH[1:2], BATCH), "0 events"),
        (lambda: fit(MarkedTPP(2), BATCH, BATCH, epochs=0), "at least 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_times_are_counted_from_the_start_and_a_batch_without_events_is_one():
    moved = EventBatch.from_lists([t + 3 for t in TIMES], MARKS, 8.0, 2, starts=3.0)
    assert HAWKES.log_prob(moved).total == pytest.approx(HAWKES.log_prob(BATCH).total)
    nothing = EventBatch.from_lists([[], []], [[], []], [1.0, 2.0], 2)
    assert HAWKES.log_prob(nothing).total == pytest.approx(-MU.sum() * np.array([1.0, 2.0]))
    made = model("time_given_mark")
    assert made.log_prob(nothing).total == pytest.approx(made.log_prob(nothing).survival)
