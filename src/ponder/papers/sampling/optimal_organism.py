"""The trained part of card 09: strategies chosen by difficulty on the chain organism."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain as joined

import numpy as np
from numpy.typing import ArrayLike

from ponder.bench.stats import Curve, paired_bootstrap
from ponder.core.algebra import Pipeline
from ponder.core.resampling import multinomial
from ponder.methods import beam_search, dvts, particle_filter, weighted_vote
from ponder.papers.report import Check, Table
from ponder.papers.sampling.chain_runs import chain_runs, fresh_samples
from ponder.papers.sampling.optimal_analytic import spearman
from ponder.scorers import prm
from ponder.search import Allocation, Cache, ComputeOptimal, PolicyCurve, difficulty, fixed_curve, from_answers, spent_for

REWARD = "organism:chain-reward-3"
BEST = "weighted best of N"
BINS = 5
STRATEGIES: Mapping[str, Callable[[int], Pipeline]] = {
    BEST: lambda n: weighted_vote(n, prm()),
    "beam, 4 wide": lambda n: beam_search(n, 4),
    "DVTS, 4 wide": lambda n: dvts(n, 4),
    "particle filter": lambda n: particle_filter(n, scheme=multinomial()),
}


@dataclass(frozen=True)
class Measured:
    """What the strategies did, and the policies by how difficulty was told; costs are tokens computed, those from a cache left out."""

    cache: Cache
    best: PolicyCurve
    policies: Mapping[str, Allocation]
    agreement: float


def measured(limit: int, ns: Sequence[int], samples: int, pilot: int, seed: int) -> Measured:
    """All strategies at all budgets on so many chains; difficulty is told by fresh samples of each.

    Args:
        samples: how many tell the difficulty.
        pilot: how many do so cheaply.
    """
    methods = {f"{name} {n}": make(n) for name, make in STRATEGIES.items() for n in ns}
    runs = chain_runs(methods, limit, (seed,), REWARD)
    cache = from_answers(runs.answers, STRATEGIES, ns)
    right, scores = fresh_samples(limit, samples, seed, REWARD)
    order = [[f"{seed}-{i}" for i in range(limit)].index(q) for q in cache.questions]
    right, scores = right[order], scores[order]
    a_sample = float(np.nanmean(cache.at(BEST, max(ns))[1])) / max(ns)
    told = {
        f"pass@1 of {samples} samples": difficulty(right, BINS, cost=a_sample),
        f"mean score of {samples} samples": difficulty(scores, BINS, cost=a_sample),
        f"mean score of {pilot} samples": difficulty(scores, BINS, pilot=pilot, cost=a_sample),
    }
    optimiser = ComputeOptimal(tuple(STRATEGIES), tuple(ns), seed=seed)
    policies = {name: optimiser.fit(cache, d) for name, d in told.items()}
    return Measured(cache, fixed_curve(cache, BEST), policies, spearman(right.mean(axis=1), scores.mean(axis=1)))


def organism_part(limit: int, ns: Sequence[int], samples: int, seed: int) -> tuple[list[Check], list[Table], dict[str, Curve]]:
    """Does the policy at N match weighted best-of-N at 2N (the card's gate) or 4N (the paper's claim)?"""
    run = measured(limit, ns, samples, 4, seed)
    oracle, predicted = (list(run.policies)[i] for i in (0, 1))
    curve = run.policies[oracle].curve(seed=seed)
    gain, at = max((curve.values[i] - run.best.values[j], n) for i, n in enumerate(ns) for j, m in enumerate(ns) if m == 2 * n)
    checks = [
        Check(
            f"organism: policy at N less weighted best of N at 2N, the best N ({limit} chains)",
            f"{gain:.3f} at N={at}",
            "at least -.01",
            bool(round(gain, 9) >= -0.01),
        ),
        Check(f"organism: rank correlation of {predicted} and pass@1", run.agreement, "at least .7", run.agreement >= 0.7),
    ]
    curves: dict[str, Curve] = {name: fixed_curve(run.cache, name) for name in STRATEGIES}
    curves |= {"by difficulty (oracle)": curve, "by difficulty (predicted)": run.policies[predicted].curve(seed=seed)}
    return checks, [_strategies(run, limit), _policies(run), _by_bin(run, oracle)], curves


def _strategies(run: Measured, limit: int) -> Table:
    rows = []
    for name in STRATEGIES:
        curve = fixed_curve(run.cache, name)
        rows.append((name, *(f"{v:.3f} [{a:.3f}, {b:.3f}]" for v, a, b in zip(curve.values, curve.low, curve.high, strict=True))))
    return Table(f"Organism, {REWARD}, {limit} chains: accuracy", ("strategy", *(f"N={n}" for n in run.cache.budgets)), tuple(rows))


def _policies(run: Measured) -> Table:
    """Accuracies, and how many times the policy's samples or tokens best-of-N needs for them."""
    rows, best = [], run.best
    for name, allocation in run.policies.items():
        free, paid = allocation.curve(), allocation.curve(charged=True)
        for i, n in enumerate(run.cache.budgets):
            gain = paired_bootstrap(allocation.grades[i], run.cache.at(BEST, n)[0])
            factors = [_times(best.ks, best.values, free.values[i], n)]
            factors += [_times(best.costs, best.values, free.values[i], curve.costs[i]) for curve in (free, paid)]
            rows.append((name, n, f"{free.values[i]:.3f}", str(gain), *factors))
    columns = ("difficulty by", "N", "accuracy", "less best of N", "samples, times", "tokens, times", "with the estimate's")
    title = "Organism: cross-fitted policies, and what best of N needs for the same accuracy over what they need"
    return Table(title, columns, tuple(rows))


def _times(costs: ArrayLike, values: ArrayLike, target: float, spent: float) -> str:
    """What a curve needs to reach a value over what was spent for it, or that it is more than could be seen."""
    factor = spent_for(costs, values, target) / spent
    return f"over {np.max(costs) / spent:.2g}" if np.isinf(factor) else f"{factor:.2f}"


def _by_bin(run: Measured, name: str) -> Table:
    allocation = run.policies[name]
    table, ns = allocation.table(), run.cache.budgets
    rows = []
    for b in range(len(allocation.difficulty)):
        members = allocation.difficulty.bins == b
        accuracy = [[run.cache.at(s, n)[0][members].mean() for s in STRATEGIES] for n in (ns[0], ns[-1])]
        rows.append((f"bin {b + 1}", *(f"{v:.2f}" for v in joined(*accuracy)), *(table[b, n] for n in (ns[0], ns[-1]))))
    columns = ("", *(f"{s} N={n}" for n in (ns[0], ns[-1]) for s in STRATEGIES), *(f"used at {n}" for n in (ns[0], ns[-1])))
    return Table("Organism: accuracy by bin from easy to hard, and what the policy uses", columns, tuple(rows))
