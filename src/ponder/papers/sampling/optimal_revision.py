"""The revision part of card 09: does a model trained on chains of attempts improve on them, and when does sequence beat breadth?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.seeds import derive
from ponder.lm.load import load
from ponder.methods import revisions
from ponder.papers.report import Check, Table
from ponder.papers.sampling.chain_runs import AS_TRAINED, chain_runs, fresh_samples
from ponder.papers.sampling.optimal_analytic import spearman
from ponder.scorers import prm
from ponder.search import difficulty
from ponder.stages import revise, sample
from ponder.stages.revise import chain_of
from ponder.tasks import load as load_task

REVISER, REWARD = "organism:chain-revise", "organism:chain-reward-3"
CHAINS = "chain:low=8,high=8"
"""What the revision model was trained on: attempts of one length."""
BUDGET, RATIOS = 16, (1, 2, 4, 8)
"""Answers a question, and how many of them stand in a row."""
BINS = 5


def attempts_right(limit: int, chains: int, revised: int, seed: int) -> NDArray[np.bool_]:
    """Which attempts are right: `chains` first attempts at each problem and their revisions, shape (problems, chains, revised + 1)."""
    task, engine = load_task(CHAINS, limit=limit, seed=seed), load(REVISER)
    method = sample(chains) | revise(times=revised)
    right = np.zeros((limit, chains, revised + 1), dtype=bool)
    for i, problem in enumerate(task.problems):
        context = Context(problem=problem, models={REVISER: engine}, sampling=AS_TRAINED, root=derive(seed, ("revise", i)))
        for c, last in enumerate(method(Population((Candidate(),), [0.0]), context).items):
            tried = chain_of(last)
            right[i, c, : len(tried)] = [task.grade(problem, t.value, t.text) >= 1 for t in tried]
    return right


def revision_part(limit: int, chains: int, samples: int, seed: int) -> tuple[list[Check], list[Table]]:
    """Pass@1 over the first four revisions, right answers that are revised into wrong ones, and the best ratio by difficulty."""
    right = attempts_right(limit, chains, 4, seed)
    by_step = right.mean(axis=(0, 1))
    was, became = right[:, :, :-1], right[:, :, 1:]
    rise = float(by_step[-1] - by_step[0])
    spoilt, mended = float((was & ~became).sum() / max(1, was.sum())), float((~was & became).sum() / max(1, (~was).sum()))
    table, trend, named = ratio_table(limit, samples, seed)
    first = Table(
        f"Revision model, {limit} chains: pass@1 of an attempt",
        ("first", *(f"revision {i}" for i in range(1, 5)), "right to wrong", "wrong to right"),
        ((*map(float, by_step), spoilt, mended),),
    )
    return [
        Check("revision model: pass@1 after 4 revisions less at first", rise, "above 0", rise > 0),
        Check(
            "rank correlation over bins of ease and of the best length of a chain",
            f"{trend:.2f} ({named})",
            "not below 0: easy questions want sequence",
            not trend < 0,
        ),
    ], [first, table]


def ratio_table(limit: int, samples: int, seed: int) -> tuple[Table, float, str]:
    """Accuracy of equal budgets by difficulty and by how many attempts stand in a row; the trend over bins; the best lengths."""
    methods = {f"{BUDGET // r} x {r}": revisions(BUDGET // r, r, prm()) for r in RATIOS}
    runs = chain_runs(methods, limit, (seed,), REWARD, REVISER, CHAINS)
    bins = difficulty(fresh_samples(limit, samples, seed, REWARD, REVISER, CHAINS)[0], BINS).bins
    grades = np.stack([[runs.correct[name][bins == b].mean() for name in methods] for b in range(BINS)])
    # Where several ratios are equally good, as on questions that all solve, the bin wants none of them more than the others.
    best = np.array([np.mean(np.log2(RATIOS)[row >= row.max() - 1e-9]) for row in grades], dtype=np.float64)
    rows = tuple((f"bin {b + 1}", *map(float, row)) for b, row in enumerate(grades))
    mean = ("all", *(float(runs.correct[name].mean()) for name in methods))
    title = f"Revision model, {BUDGET} answers as chains x attempts, hierarchical selection by {REWARD}"
    named = "from easy to hard " + ", ".join(f"{2**v:.1f}" for v in best)
    return Table(title, ("", *methods), (*rows, mean)), spearman(-np.arange(BINS, dtype=float), best), named
