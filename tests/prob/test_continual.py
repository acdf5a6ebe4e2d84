"""Continual learning: conjugate updates against brute force, chains and particles against the exact posterior, carriers, the audit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal as normal

from ponder.core.errors import InputError, PonderError
from ponder.core.seeds import generator
from ponder.prob.continual import (
    HMC,
    ChainsFailed,
    LinearBelief,
    Memory,
    Mixture,
    Network,
    ProtoCL,
    Prototypes,
    SequentialPosterior,
    accuracy_matrix,
    average_accuracy,
    backward_transfer,
    flow,
    mixture,
    particle_posteriors,
)
from ponder.prob.errors import ImpossibleModelError

NOISE = 0.5
W = np.array([1.0, -1.0])


def linear_tasks(n=8, tasks=3):
    rng = generator(0)
    xs = [rng.standard_normal((n, 2)) for _ in range(tasks)]
    return [(x, x @ W * (1 - k) + np.sqrt(NOISE) * rng.standard_normal(n)) for k, x in enumerate(xs)]


def log_likelihood(theta, x, y):
    return -0.5 * ((y - x @ theta) ** 2).sum() / NOISE - 0.5 * len(y) * np.log(2 * np.pi * NOISE)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(4)), seed=st.integers(0, 1000))
def test_tasks_one_by_one_in_any_order_are_all_at_once(order, seed):
    rng = np.random.default_rng(seed)
    tasks = [(rng.standard_normal((n, 3)), rng.standard_normal(n)) for n in (1, 5, 2, 9)]
    prior = LinearBelief.prior(3, 0.1, 2.0)
    belief = prior
    for k in order:
        belief = belief.update(*tasks[k])
    batch = prior.update(np.concatenate([x for x, _ in tasks]), np.concatenate([y for _, y in tasks]))
    assert belief.mean == pytest.approx(batch.mean, abs=1e-12)
    assert belief.covariance == pytest.approx(batch.covariance, abs=1e-12)


@pytest.mark.parametrize("sizes", [(100, 100), (500, 100), (100, 500)])
def test_tasks_that_disagree_leave_a_compromise_that_the_larger_one_dominates(sizes):
    limit = (sizes[0] - sizes[1]) / sum(sizes)
    for precision, noise, near in ((1.0, 0.1, 0.05), (1e-9, 0.0, 1e-9)):
        belief, rng = LinearBelief.prior(1, 0.1, precision), np.random.default_rng(0)
        for n, w in zip(sizes, (1.0, -1.0), strict=True):
            x = np.resize([1.0, -1.0], (n, 1))
            belief = belief.update(x, w * x[:, 0] + np.sqrt(noise) * rng.standard_normal(n))
        assert belief.mean[0] == pytest.approx(limit, abs=near)


def test_prototypes_are_gaussian_conditioning():
    rng, noise, k = np.random.default_rng(3), 0.3, 2
    z, labels = rng.standard_normal((7, k)), np.array([0, 2, 0, 1, 0, 2, 1])
    prior = Prototypes.prior(3, k, noise, precision=0.7, concentration=1.5, dtype=torch.float64)
    found = prior.update(torch.as_tensor(z), torch.as_tensor(labels))
    new = rng.standard_normal(k)
    log_joint = found.log_joint(torch.as_tensor(new)[None])[0].numpy()
    for c in range(3):
        own = z[labels == c]
        n = len(own)
        cov = np.full((n + 1, n + 1), 1 / 0.7) + noise * np.eye(n + 1)  # of one coordinate of own embeddings and a new one
        mean = cov[n, :n] @ np.linalg.solve(cov[:n, :n], own)
        variance = cov[n, n] - cov[n, :n] @ np.linalg.solve(cov[:n, :n], cov[:n, n])
        share = (1.5 + n) / (3 * 1.5 + 7)
        assert log_joint[c] == pytest.approx(np.log(share) + normal.logpdf(new, mean, variance * np.eye(k)))
    order = rng.permutation(7)
    again = prior.update(torch.as_tensor(z[order[:4]]), torch.as_tensor(labels[order[:4]]))
    again = again.update(torch.as_tensor(z[order[4:]]), torch.as_tensor(labels[order[4:]]))
    assert torch.allclose(again.means, found.means, atol=1e-12)
    assert torch.equal(again.counts, found.counts)
    assert float(found.counts.sum()) == pytest.approx(3 * 1.5 + 7)


def test_an_embedding_is_judged_without_itself():
    rng = np.random.default_rng(4)
    z, labels = torch.as_tensor(rng.standard_normal((6, 3))), torch.as_tensor([0, 1, 0, 1, 1, 0])
    prior = Prototypes.prior(2, 3, dtype=torch.float64)
    found = prior.update(z, labels).log_joint_without_own(z, labels)
    for i in range(6):
        rest = torch.arange(6) != i
        without = prior.update(z[rest], labels[rest]).log_joint(z[i : i + 1])[0]
        # The share's denominator differs by one; it is common to all classes.
        assert found[i].softmax(0).numpy() == pytest.approx(without.softmax(0).numpy())


class Gaussian:
    """A carrier, and the density it makes, that are exact for a linear model."""

    def __init__(self, mean=None, covariance=None):
        self.mean, self.covariance = mean, covariance

    def fit(self, samples, seed):
        return Gaussian(samples.mean(axis=0), np.cov(samples.T))

    def log_prob(self, theta):
        off = theta - self.mean
        return -0.5 * off @ np.linalg.inv(self.covariance) @ off

    def sample(self, n, rng):
        return rng.multivariate_normal(self.mean, self.covariance, n)


def test_chains_under_a_carrier_that_is_exact_follow_the_exact_posterior():
    tasks, exact = linear_tasks(), LinearBelief.prior(2, NOISE)
    found = SequentialPosterior(log_likelihood, Mixture.isotropic(2, 1.0), Gaussian(), HMC(4, 200, 500, 8))
    for x, y in tasks[:2]:
        exact, found = exact.update(x, y), found.update(x, y)
    sd = np.sqrt(np.diag(exact.covariance))
    assert np.all(np.abs(found.chains.pooled.mean(axis=0) - exact.mean) < 0.15 * sd)
    assert np.cov(found.chains.pooled.T) == pytest.approx(exact.covariance, abs=0.15 * float(sd.max()) ** 2)
    assert found.chains.rhat < 1.02
    assert found.chains.ess > 300
    assert found.carried(4000).mean(axis=0) == pytest.approx(found.chains.pooled.mean(axis=0), abs=0.1 * float(sd.max()))


def test_particles_follow_the_exact_posterior_and_its_evidence():
    tasks, exact = linear_tasks(tasks=2), LinearBelief.prior(2, NOISE)
    populations = particle_posteriors(log_likelihood, Mixture.isotropic(2, 1.0), tasks, 1000)
    x, y = np.zeros((0, 2)), np.zeros(0)
    for (a, b), population in zip(tasks, populations, strict=True):
        exact, x, y = exact.update(a, b), np.concatenate([x, a]), np.concatenate([y, b])
        evidence = normal.logpdf(y, np.zeros(len(y)), x @ x.T + NOISE * np.eye(len(y)))
        assert population.log_evidence == pytest.approx(evidence, abs=0.25)
        assert np.all(np.abs(population.mean() - exact.mean) < 0.2 * np.sqrt(np.diag(exact.covariance)))


@pytest.mark.parametrize("carrier", [mixture((1, 2, 4)), flow(couplings=2, hidden=16, epochs=12, patience=10)])
def test_a_carrier_is_a_density_and_samples_from_it(carrier):
    rng = generator(1)
    samples = np.concatenate([rng.standard_normal((600, 2)) * [0.3, 1] + [2, 0], rng.standard_normal((600, 2)) * [0.5, 0.4] - [1, 1]])
    found = carrier.fit(samples, 0)
    axis = np.linspace(-6, 7, 240)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    log_p = np.asarray(jax.jit(jax.vmap(found.log_prob))(grid))
    assert np.exp(log_p).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=2e-3)
    drawn = found.sample(6000, generator(2))
    assert drawn.mean(axis=0) == pytest.approx(samples.mean(axis=0), abs=0.2)
    # The mean of -log p over own draws is the entropy that the grid gives.
    entropy = -np.sum(np.exp(log_p) * log_p) * (axis[1] - axis[0]) ** 2
    assert -np.asarray(jax.jit(jax.vmap(found.log_prob))(drawn)).mean() == pytest.approx(entropy, abs=0.06)
    assert found.held_out == pytest.approx(-entropy, abs=0.25)


def test_a_network_is_its_formula():
    net = Network((2, 3, 2))
    theta, x = generator(0).standard_normal(net.dimension), generator(1).standard_normal((4, 2))
    w1, b1, w2, b2 = theta[:6].reshape(2, 3), theta[6:9], theta[9:15].reshape(3, 2), theta[15:]
    logits = np.maximum(x @ w1 + b1, 0) @ w2 + b2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert net.probabilities(theta[None], x) == pytest.approx(p, abs=1e-5)
    assert float(net.log_likelihood(theta, x, np.array([0, 1, 1, 0]))) == pytest.approx(np.log(p[range(4), [0, 1, 1, 0]]).sum(), abs=1e-4)
    two = generator(2).standard_normal((2, net.dimension))
    each = np.stack([net.probabilities(t[None], x) for t in two])
    assert net.probabilities(two, x, np.array([0.25, 0.75])) == pytest.approx(0.25 * each[0] + 0.75 * each[1], abs=1e-6)


def test_the_audit_counts_what_is_lost():
    tasks = [(np.arange(4), np.array([0, 0, 0, 0])), (np.arange(4), np.array([1, 1, 1, 1]))]
    matrix = accuracy_matrix([lambda x: np.zeros(4), lambda x: np.array([1, 1, 1, 0])], tasks)
    assert matrix.tolist() == [[1, 0], [0.25, 0.75]]
    assert average_accuracy(matrix) == 0.5
    assert backward_transfer(matrix) == -0.75


def test_a_memory_is_shared_by_its_tasks():
    memory = Memory(10)
    for k in range(4):
        memory = memory.keep(np.full((20, 1), k), np.full(20, k), generator(k))
    assert [len(y) for _, y in memory.tasks] == [2, 2, 2, 2]
    x, y = memory.mixed(np.full((24, 1), 9), np.full(24, 9))
    assert len(x) == len(y) == 48
    assert sorted(set(y.tolist())) == [0, 1, 2, 3, 9]
    assert len(Memory(0).keep(x, y, generator(0)).mixed(x, y)[1]) == 48


def blobs(classes, n=30):
    rng = generator(7)
    y = np.repeat(classes, n)
    return np.stack([np.cos(y), np.sin(y)], axis=1) * 2 + 0.1 * rng.standard_normal((len(y), 2)), y


def test_prototypes_learn_classes_one_task_after_another_and_do_not_change_when_asked():
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    model = ProtoCL(encoder, memory=12, epochs=15, rate=5e-3)
    for classes in ([0, 1], [5, 3]):
        model.partial_fit(*blobs(classes))
    x, y = blobs([0, 1, 3, 5])
    assert model.classes.tolist() == [0, 1, 3, 5]
    assert np.mean(model.predict(x) == y) > 0.9
    before = model.predict_proba(x)
    model.log_loss(x, y)
    assert np.array_equal(model.predict_proba(x), before)
    assert np.array_equal(model.predict_proba(x[:1]), before[:1]) or np.allclose(model.predict_proba(x[:1]), before[:1], atol=1e-6)
    # How common a class is, is counted on all examples, not on those remembered.
    assert model.prototypes().counts.tolist() == pytest.approx([32.2] * 4)


def test_chains_that_cannot_be_trusted_are_refused():
    with pytest.raises(ChainsFailed, match="diverged"):
        HMC(2, 1, 50, 10).run(lambda t: -(t**4).sum() * 1e8, np.full((2, 2), 3.0), 0)


NET = Network((2, 3, 2))
GOOD = blobs([0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LinearBelief.prior(1, 0.0), "noise > 0"),
        (lambda: LinearBelief.prior(2, 1.0).update(np.ones((3, 1)), np.ones(3)), r"\(n, 2\)"),
        (lambda: LinearBelief.prior(1, 1.0).update([[np.nan]], [1.0]), "finite"),
        (lambda: Network((2, 1)), "at least 2 classes"),
        (lambda: NET.checked(np.ones((3, 2)), np.zeros(3, dtype=int)), "only the class 0"),
        (lambda: NET.checked(np.ones((3, 2)), np.array([0, 1, 2])), "from 0 to 1"),
        (lambda: NET.checked(np.ones((3, 1)), np.array([0, 1, 1])), "shape"),
        (lambda: HMC(chains=0), "at least 1"),
        (lambda: HMC(2).run(lambda t: -(t**2).sum(), np.ones((3, 2)), 0), "as many starts"),
        (lambda: HMC(2).run(lambda t: jnp.log(-1.0 + 0 * t.sum()), np.ones((2, 2)), 0), "not finite"),
        (lambda: Mixture.isotropic(2, -1.0), "precision > 0"),
        (lambda: mixture().fit(np.ones((3, 2)), 0), "at least 8"),
        (lambda: mixture((9,)).fit(np.ones((8, 2)), 0), "not by"),
        (lambda: flow().fit(np.ones((30, 1)), 0), "at least 2"),
        (lambda: particle_posteriors(log_likelihood, Mixture.isotropic(2, 1.0), []), "at least 1 task"),
        (lambda: Prototypes.prior(2, 2, noise=0.0), "noise"),
        (lambda: Memory(-1), "0 examples or more"),
        (lambda: ProtoCL(None).predict_proba(np.ones((1, 2))), "call partial_fit first"),
        (lambda: ProtoCL(None).partial_fit(*blobs([3])), "nothing to tell apart"),
        (lambda: ProtoCL(None).partial_fit(np.ones((2, 1)), np.array([0, 1, 1])), "as many labels"),
        (lambda: accuracy_matrix([], []), "needs a learner"),
        (lambda: backward_transfer([[1.0]]), "at least 2 tasks"),
        (lambda: average_accuracy([[1.0, 2.0], [0.0, 0.0]]), "entries in"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_an_encoder_without_weights_is_not_trained():
    model, (x, y) = ProtoCL(torch.nn.Identity(), memory=0), GOOD
    exact = (
        Prototypes.prior(2, 2)
        .update(torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y))
        .log_joint(torch.as_tensor(x, dtype=torch.float32))
    )
    assert model.partial_fit(x, y).predict_proba(x) == pytest.approx(exact.softmax(-1).numpy(), abs=1e-6)


def test_an_unseen_label_has_no_probability():
    model = ProtoCL(torch.nn.Linear(2, 2), epochs=1).partial_fit(*GOOD)
    with pytest.raises(InputError, match=r"\[4\] were never learned"):
        model.log_loss(np.ones((1, 2)), np.array([4]))


def test_a_task_that_is_impossible_under_all_particles_is_refused():
    with pytest.raises(ImpossibleModelError, match="task 0 has likelihood zero"):
        particle_posteriors(lambda theta, x, y: -jnp.inf + 0 * theta.sum(), Mixture.isotropic(2, 1.0), [((), ())], 8)


def test_a_belief_without_tasks_has_no_chains():
    with pytest.raises(PonderError, match="call update first"):
        _ = SequentialPosterior(log_likelihood, Mixture.isotropic(2, 1.0)).chains


def test_few_samples_for_many_parameters_are_warned_of():
    with pytest.warns(UserWarning, match="10 samples in 20 dimensions"):
        mixture((1,)).fit(generator(0).standard_normal((10, 20)), 0)
