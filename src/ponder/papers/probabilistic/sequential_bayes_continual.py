"""Reproduction: on sequential Bayesian inference for continual learning (Kessler et al. 2023, arXiv 2301.01828)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, MARKERS, finish, new_figure, save
from ponder.core.seeds import generator
from ponder.papers.probabilistic.continual_digits import digits_checks, digits_table
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.prob.continual import (
    HMC,
    Carrier,
    LinearBelief,
    Mixture,
    Network,
    SequentialPosterior,
    accuracy_matrix,
    backward_transfer,
    flow,
    mixture,
    particle_posteriors,
)

SLUG = "sequential-bayes-continual"
TITLE = "On sequential Bayesian inference for continual learning"
CLAIM = (
    "Yesterday's posterior as today's prior does not stop a neural network from forgetting, even with Hamiltonian Monte Carlo; conjugate "
    "Gaussians over class embeddings with a small replay memory do better."
)
FLOW = flow(epochs=100, patience=15)
NET, SMALL, PRECISION = Network((2, 10, 10, 2)), Network((2, 5, 2)), 10.0
CENTRES = np.array([[(0, 0.2), (0.6, 0.9), (1.3, 0.4), (1.6, -0.1), (2, 0.3)], [(0.45, 0), (0.7, 0.45), (1, 0.1), (1.7, -0.4), (2.3, 0.1)]])
SPREADS = np.array(
    [
        [(0.08, 0.22), (0.24, 0.08), (0.04, 0.2), (0.16, 0.05), (0.05, 0.16)],
        [(0.08, 0.16), (0.16, 0.08), (0.06, 0.16), (0.24, 0.05), (0.05, 0.22)],
    ]
)
NOTES = (
    "Toy tasks are the official code's continuous Gaussians, 200 points a class, and 500 held out. Chains adapt step and mass.",
    "Drop: accuracy on tasks 1 to 4 right after learning less that after task 5, mean over tasks.",
    "Lost by the carrier: accuracy of the chains on their task less that of samples of the density fitted to them, the most over tasks. "
    "Only where it is small does a drop speak of sequential inference and not of the density.",
    "Particles see all tasks so far and fit nothing in between, so that their belief is the exact posterior up to their number.",
    "ProtoCL's prior is fixed (mean 0, precision 1), an embedding is judged without itself in training, prototypes come from memory anew "
    "after each task, and a test label is never looked at; the official code differs in each (its test labels move the prototypes).",
    "Replay does most of the work on the digits. ProtoCL's probabilities are far too sure (-log p of the label): the few images remembered "
    "are embedded much nearer to each other than new ones.",
)
UNTESTED = "Split-MNIST, -FMNIST, -CIFAR10 and -CIFAR100, whose tables could not be read: digits stand in for them."


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Exact identities, toy tasks under carried posteriors, which part is to blame, and the digits class by class.

    Args:
        quick: 1 seed, the mixture only, shorter chains, 2 seeds of digits; nothing on which part is to blame.
        seed: the first seed.
        out: a folder for the figure, accuracy against tasks learned; none is drawn without it.
    """
    hmc = HMC(4, 200, 200) if quick else HMC(8, 500, 1000)
    carriers: dict[str, Carrier] = {"mixture": mixture((1, 16))} if quick else {"mixture": mixture(), "flow": FLOW}
    seeds = range(seed, seed + (1 if quick else 2))
    whole = [multitask_accuracy(s, hmc) for s in seeds]
    matrices: dict[str, list[np.ndarray]] = {name: [] for name in carriers}
    losses: dict[str, list[float]] = {name: [] for name in carriers}
    rows = []
    for name, carrier in carriers.items():
        for s in seeds:
            matrix, carried, belief = learn_in_turn(NET, carrier, hmc, s)
            matrices[name].append(matrix)
            losses[name].append(float(np.max(np.diag(matrix) - carried)))
            rates = [c.acceptance for c in belief.history]
            rhat = max(c.rhat for c in belief.history)
            drop = -backward_transfer(matrix)
            rows.append((name, s, float(np.diag(matrix).mean()), float(matrix[-1].mean()), drop, losses[name][-1], min(rates), rhat))
    columns = ("carrier", "seed", "right after", "after task 5", "drop", "lost by the carrier", "least acceptance", "largest R-hat")
    tables = [Table(f"Toy tasks, {hmc.chains} chains of {hmc.draws}", columns, tuple(rows))]
    checks = [*exact_checks(), *toy_checks(whole, matrices, losses)]
    if not quick:
        tables.append(blame_table(seed, hmc))
    digits = digits_table(range(seed, seed + (2 if quick else 5)))
    checks += digits_checks(digits)
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED,
        tables=(*tables, digits.table),
        figures=(forgetting_figure(matrices, float(np.mean(whole)), out),) if out is not None else (),
        notes=NOTES,
    )


def toy_tasks(per_class: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Five tasks: one Gaussian blob against another."""
    y = np.repeat([0, 1], per_class)
    return [(CENTRES[y, i] + SPREADS[y, i] * rng.standard_normal((len(y), 2)), y) for i in range(5)]


def toy_data(seed: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[tuple[np.ndarray, np.ndarray]]]:
    """Training and held-out tasks."""
    return toy_tasks(200, generator(seed, ["training"])), toy_tasks(500, generator(seed, ["held out"]))


def exact_checks() -> list[Check]:
    """What Bayesian linear regression gives: one by one is all at once, and tasks that disagree leave a compromise."""
    rng = generator(0, ["linear"])
    tasks = [(rng.standard_normal((n, 3)), rng.standard_normal(n)) for n in (5, 20, 1)]
    one_by_one = prior = LinearBelief.prior(3, 0.1)
    for x, y in tasks[::-1]:
        one_by_one = one_by_one.update(x, y)
    batch = prior.update(np.concatenate([x for x, _ in tasks]), np.concatenate([y for _, y in tasks]))
    apart = float(np.abs(one_by_one.mean - batch.mean).max())
    checks = [Check("linear regression: task by task against all at once", apart, "below 1e-12", apart < 1e-12, False)]
    for sizes in ((100, 100), (500, 100), (100, 500)):
        belief, limit = LinearBelief.prior(1, 0.1), (sizes[0] - sizes[1]) / sum(sizes)
        for n, slope in zip(sizes, (1.0, -1.0), strict=True):
            x = np.resize([1.0, -1.0], (n, 1))
            belief = belief.update(x, slope * x[:, 0] + np.sqrt(0.1) * rng.standard_normal(n))
        found = float(belief.mean[0])
        near = abs(found - limit) < 0.05
        checks.append(Check(f"slopes +1 and -1, {sizes[0]} and {sizes[1]} points: final slope", found, f"{limit:.3f} +- .05", near))
    return checks


def multitask_accuracy(seed: int, hmc: HMC) -> float:
    """Mean accuracy of chains that see all tasks at once."""
    train, test = toy_data(seed)
    x, y = (np.concatenate(part) for part in zip(*train, strict=True))
    prior = Mixture.isotropic(NET.dimension, PRECISION)
    starts = prior.sample(hmc.chains, generator(seed, ["starts"]))
    chains = hmc.run(lambda theta: NET.log_likelihood(theta, x, y) + prior.log_prob(theta), starts, seed)
    return float(accuracy_matrix([predictor(NET, chains.pooled)], test).mean())


def predictor(net: Network, samples: np.ndarray, most: int = 500) -> Callable[[np.ndarray], np.ndarray]:
    """Labels by the predictive mean over at most so many of the samples."""
    some = samples[:: -(-len(samples) // most)]
    return lambda x: net.probabilities(some, x).argmax(axis=1)


def learn_in_turn(net: Network, carrier: Carrier, hmc: HMC, seed: int) -> tuple[np.ndarray, np.ndarray, SequentialPosterior]:
    """Accuracy after each task on each; accuracy on task t of samples of what is carried on from it; the belief at the end."""
    train, test = toy_data(seed)
    belief = SequentialPosterior(net.log_likelihood, Mixture.isotropic(net.dimension, PRECISION), carrier, hmc, seed)
    learners, carried = [], []
    for t, (x, y) in enumerate(train):
        belief = belief.update(*net.checked(x, y))
        learners.append(predictor(net, belief.chains.pooled))
        carried.append(accuracy_matrix([predictor(net, belief.carried(500))], [test[t]])[0, 0])
    return accuracy_matrix(learners, test), np.array(carried), belief


def toy_checks(whole: Sequence[float], matrices: Mapping[str, Sequence[np.ndarray]], losses: Mapping[str, Sequence[float]]) -> list[Check]:
    """Thresholds set before the run; the means are over seeds."""
    at_once = float(np.mean(whole))
    checks = [Check("all tasks at once: mean accuracy", at_once, "at least .90", at_once >= 0.9, False)]
    for name, found in matrices.items():
        drop, lost = -float(np.mean([backward_transfer(m) for m in found])), float(np.max(losses[name]))
        checks.append(Check(f"{name}: accuracy on tasks 1 to 4 that is lost by task 5", drop, "at least .15", drop >= 0.15))
        checks.append(Check(f"{name}: most that samples of the carrier lose on their own task", lost, "at most .05", lost <= 0.05, False))
    return checks


def blame_table(seed: int, hmc: HMC) -> Table:
    """A network of 27 weights: what carried posteriors lose, beside particles that are exact."""
    train, test = toy_data(seed)
    prior = Mixture.isotropic(SMALL.dimension, PRECISION)
    found = particle_posteriors(SMALL.log_likelihood, prior, train, particles=128, seed=seed)
    exact = accuracy_matrix([predictor(SMALL, np.asarray(p.items)) for p in found], test)
    carried = {name: learn_in_turn(SMALL, c, hmc, seed)[0] for name, c in (("mixture", mixture()), ("flow", FLOW))}
    rows = [(n, float(np.diag(m).mean()), float(m[-1].mean()), -backward_transfer(m)) for n, m in {"particles": exact, **carried}.items()]
    return Table(
        f"Which part is to blame: {SMALL.dimension} weights, one seed", ("belief", "right after", "after task 5", "drop"), tuple(rows)
    )


def forgetting_figure(matrices: Mapping[str, Sequence[np.ndarray]], whole: float, out: Path) -> Path:
    """Accuracy on the first task and on the newest, against tasks learned; the SVG's path."""
    figure, axes = new_figure()
    for i, (name, found) in enumerate(matrices.items()):
        mean, t = np.mean(found, axis=0), np.arange(1, 6)
        axes.plot(t, np.diag(mean), marker=MARKERS[i], ls="--", lw=1.2, color=COLOURS[i], label=f"{name}: the newest task")
        seen = [mean[k, : k + 1].mean() for k in range(5)]
        axes.plot(t, seen, marker=MARKERS[i], lw=1.6, color=COLOURS[i], label=f"{name}: mean of the tasks so far")
    axes.axhline(whole, color="#888888", ls=":", lw=1.4, label="all tasks at once")
    axes.set_xticks(range(1, 6))
    axes.set_xlabel("tasks learned")
    axes.set_ylabel("accuracy")
    axes.legend(frameon=False)
    finish(axes, "Yesterday's posterior as today's prior")
    return save(figure, out / "forgetting")[1]
