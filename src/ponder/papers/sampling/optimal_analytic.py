"""The analytic part of card 09: best-of-N and beam search on chains of known difficulty, with steps that deceive the reward model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import Curve
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.seeds import derive
from ponder.methods import beam_search
from ponder.papers.report import Check, Table
from ponder.papers.sampling.analytic import QUESTION, Chain, Chains, chosen, problems, solved, verdict
from ponder.search import Allocation, Cache, ComputeOptimal, Difficulty, difficulty, fixed_curve, spent_for
from ponder.stages import extend, loop, start, vote, weigh

SUCCESSES = (0.985, 0.95, 0.88, 0.75, 0.5)
NS = (4, 16, 64)
BEST, BEAM = "weighted best of N", "beam, 4 wide"
JUDGE = verdict()
PREDICTING, PILOT = 32, 4
"""Samples behind the predicted difficulty, and behind the cheap one."""


@dataclass(frozen=True)
class Measured:
    """One seed's cache and allocations by how difficulty was told; costs are samples."""

    cache: Cache
    oracle: Allocation
    told: Mapping[str, Allocation]
    agreement: float


def measured(size: int, seed: int) -> Measured:
    """Both strategies at every budget on `size` problems of each difficulty, and policies cross-fitted on them."""
    asked = problems(SUCCESSES, size * len(SUCCESSES), seed, noise=1.2, memory=0.0, hack=0.004, liked=1.3)
    grades = np.empty((len(asked), 2, len(NS)))
    for i, n in enumerate(NS):
        grades[:, 0, i] = chosen(n, {BEST: weigh(JUDGE) | vote()}, asked, seed)[BEST]
        grades[:, 1, i] = solved({BEAM: beam_search(n, 4, JUDGE)}, asked, seed)[BEAM]
    costs = np.broadcast_to(np.array(NS, dtype=float), grades.shape)
    cache = Cache(tuple(map(str, range(len(asked)))), (BEST, BEAM), NS, grades, np.array(costs), np.full(grades.shape, np.nan))
    scores = judged_samples(asked, PREDICTING, seed)
    optimiser = ComputeOptimal((BEST, BEAM), NS, seed=seed)
    oracle = difficulty([p.pass_at_1 for p in asked], len(SUCCESSES))
    predicted = difficulty(scores, len(SUCCESSES), cost=1.0)
    told: dict[str, Difficulty] = {
        f"predicted by {PREDICTING} samples' mean score": predicted,
        f"predicted by {PILOT} samples' mean score": difficulty(scores, len(SUCCESSES), pilot=PILOT, cost=1.0),
    }
    return Measured(
        cache, optimiser.fit(cache, oracle), {k: optimiser.fit(cache, d) for k, d in told.items()}, spearman(oracle.ease, predicted.ease)
    )


def judged_samples(asked: Sequence[Chains], n: int, seed: int) -> NDArray[np.float64]:
    """The reward model's scores of n fresh samples of each problem, shape (problems, n)."""
    grow, scores = start(n) | loop(extend()), np.empty((len(asked), n))
    for i, problem in enumerate(asked):
        context = Context(problem=QUESTION, program=problem, root=derive(seed, ("difficulty", i)))
        chains: Sequence[Chain] = grow(Population((Candidate(),), [0.0]), context).items
        scores[i] = np.exp(JUDGE(chains, context))
    return scores


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Rank correlation, equal values sharing their mean rank; nan if one of them does not vary."""
    ranks = [np.unique(v, return_inverse=True, return_counts=True) for v in (a, b)]
    x, y = ((np.cumsum(counts) - (counts + 1) / 2)[inverse] for _, inverse, counts in ranks)
    return float(np.corrcoef(x, y)[0, 1]) if x.std() and y.std() else float("nan")


def analytic_part(seeds: Sequence[int], size: int) -> tuple[list[Check], list[Table], dict[str, Curve]]:
    """The card's four gates on every seed, accuracy by difficulty, and what difficulty costs."""
    runs = [measured(size, seed) for seed in seeds]
    policies = [run.oracle.curve(seed=s) for run, s in zip(runs, seeds, strict=True)]
    fixed = {name: [fixed_curve(run.cache, name) for run in runs] for name in (BEST, BEAM)}
    checks = [*_gates(runs, size), *_saving(policies, fixed[BEST])]
    agreement = min(run.agreement for run in runs)
    checks.append(
        Check("rank correlation of predicted difficulty and pass@1, smallest over seeds", agreement, "at least .7", agreement >= 0.7)
    )
    first = runs[0]
    curves: dict[str, Curve] = {BEST: fixed[BEST][0], BEAM: fixed[BEAM][0], "by difficulty (oracle)": policies[0]}
    return checks, [_by_bin(runs), _policies(first), _chosen(first)], curves


def _gates(runs: Sequence[Measured], size: int) -> list[Check]:
    by_bin = [run.cache.correct.reshape(size, len(SUCCESSES), 2, len(NS)).mean(axis=0) for run in runs]
    at = NS.index(16)
    easy = min(float((g[:2, 0, at] - g[:2, 1, at]).min()) for g in by_bin)
    hard = min(float((g[3:, 1, at] - g[3:, 0, at]).min()) for g in by_bin)
    policy = [run.oracle.curve(resamples=1).values for run in runs]
    behind = min(float((p - g.mean(axis=0).max(axis=0)).min()) for p, g in zip(policy, by_bin, strict=True))
    ahead = min(float(p[at] - g[:, 0, NS.index(64)].mean()) for p, g in zip(policy, by_bin, strict=True))
    seeds = f"smallest over {len(runs)} seed{'s' * (len(runs) > 1)}"
    return [
        Check(f"two easy bins, N=16: best of N less beam, {seeds}", easy, "at least 0", round(easy, 9) >= 0),
        Check(f"two hard bins, N=16: beam less best of N, {seeds}", hard, "at least .2", round(hard, 9) >= 0.2),
        Check(f"cross-fitted policy less the better strategy at any N, {seeds}", behind, "at least -.01", round(behind, 9) >= -0.01),
        Check(f"policy at 16 less best of N at 64, {seeds}", ahead, "at least 0", round(ahead, 9) >= 0),
    ]


def _saving(policies: Sequence[Curve], best: Sequence[Curve]) -> list[Check]:
    """Samples that best-of-N needs for what the policy reaches at 16, over 16."""
    factors = [spent_for(b.ks, b.values, p.values[NS.index(16)]) / 16 for p, b in zip(policies, best, strict=True)]
    said = ", ".join("more than 4" if np.isinf(f) else f"{f:.2f}" for f in factors)
    return [Check("samples best of N needs for the policy's accuracy at 16, over 16, by seed", said, "at least 4", min(factors) >= 4)]


def _by_bin(runs: Sequence[Measured]) -> Table:
    grades = np.concatenate([run.cache.correct.reshape(-1, len(SUCCESSES), 2, len(NS)) for run in runs]).mean(axis=0)
    columns = ("success a step", *(f"{name} N={n}" for name in (BEST, BEAM) for n in NS))
    rows = tuple((f"{q:g}", *(float(v) for v in grades[i].ravel())) for i, q in enumerate(SUCCESSES))
    mean = ("mean", *(float(v) for v in grades.mean(axis=0).ravel()))
    return Table(f"Accuracy by difficulty, {len(runs)} seeds", columns, (*rows, mean))


def _policies(run: Measured) -> Table:
    rows = []
    for name, allocation in (("oracle pass@1", run.oracle), *run.told.items()):
        free, paid = allocation.curve(), allocation.curve(charged=True)
        rows += [(name, n, free.values[i], free.low[i], free.high[i], free.costs[i], paid.costs[i]) for i, n in enumerate(NS)]
    columns = ("difficulty", "N", "accuracy", "low", "high", "samples", "with the estimate")
    return Table("Cross-fitted policies, first seed", columns, tuple(rows))


def _chosen(run: Measured) -> Table:
    table = run.oracle.table()
    rows = tuple((f"bin {b + 1}", *(table[b, n] for n in NS)) for b in range(len(run.oracle.difficulty)))
    return Table("What the policy uses, from easy to hard, first seed", ("", *(f"N={n}" for n in NS)), rows)
