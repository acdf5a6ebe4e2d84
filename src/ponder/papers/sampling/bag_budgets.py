"""Every method of card 06 on the chain organism at equal tokens, the judge's own counted, over several seeds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import bootstrap
from ponder.bench.study import affordable
from ponder.core.algebra import Pipeline
from ponder.core.errors import InputError, need
from ponder.core.seeds import derive
from ponder.methods import (
    beam_search,
    best_of_n,
    self_consistency,
    step_beam_search,
    tree_of_thoughts,
    tree_search,
    weighted_vote,
)
from ponder.papers.report import Check, Table
from ponder.papers.sampling.chain_runs import chain_runs
from ponder.scorers import minmax, prm, random

Floats = NDArray[np.float64]
REWARD = "organism:chain-reward-3"
METHODS: Mapping[str, Callable[[int], Pipeline]] = {
    "best of N, random verifier": lambda n: best_of_n(n, random()),
    "self-consistency": self_consistency,
    "best of N": lambda n: best_of_n(n, prm()),
    "weighted vote (min-max)": lambda n: weighted_vote(n, minmax(prm())),
    "step-level best of N": lambda n: step_beam_search(1, n),
    "beam, 4 wide": lambda n: beam_search(4 * n, 4),
    "MCTS": lambda n: tree_search(n, branching=4, select="argmax"),
    "tree of thoughts (DFS)": lambda n: tree_of_thoughts(4, paths=n),
}
TREES = ("MCTS", "tree of thoughts (DFS)")
PILOT, MOST = 6, 400
"""Questions that sizes are fitted on, and the largest size."""
EXHAUSTED = 64
"""The largest size of trees: by then those of these chains are searched to the end and spend no more."""


@dataclass(frozen=True)
class Budgeted:
    """What the methods reach within budgets.

    Attributes:
        budgets: tokens a question.
        n: (method, budget) -> the size that the pilot's questions could pay for; 0 where not even 1 could.
        correct: (method, budget) -> grades, shape (seeds, problems).
        tokens: (method, budget) -> mean tokens a question.
    """

    budgets: tuple[int, ...]
    n: Mapping[tuple[str, int], int]
    correct: Mapping[tuple[str, int], Floats]
    tokens: Mapping[tuple[str, int], float]

    def stability(self, budget: int) -> float:
        """Kendall's tau of the methods' accuracies between seeds, mean over pairs of seeds; NaN where all methods are alike."""
        kendall = need("scipy.stats", "bench").kendalltau
        means = [self.correct[m, budget].mean(axis=1) for m in METHODS if (m, budget) in self.correct]
        taus = [kendall(a, b).statistic for a, b in itertools.combinations(np.array(means).T, 2)]
        told = [float(tau) for tau in taus if not np.isnan(tau)]
        return float(np.mean(told)) if told else float("nan")


def budgeted(limit: int, budgets: Sequence[int], seeds: Sequence[int]) -> Budgeted:
    """Fit each method's size to each budget on questions of their own, then run all on the same questions."""
    sizes: dict[tuple[str, int], int] = {}
    for name, make in METHODS.items():
        known: dict[int, float] = {}

        def cost(n: int, make: Callable[[int], Pipeline] = make, known: dict[int, float] = known) -> float:
            if n not in known:
                answers = chain_runs({"pilot": make(n)}, PILOT, (derive(seeds[0], ("pilot",)),), REWARD).answers
                known[n] = float(np.mean([row["bill"]["tokens"] for row in answers.values()]))
            return known[n]

        for budget in budgets:
            try:
                sizes[name, budget] = affordable(cost, budget, EXHAUSTED if name in TREES else MOST)
            except InputError:
                sizes[name, budget] = 0
    methods = {(m, b): METHODS[m](n) for (m, b), n in sizes.items() if n}
    different = {str(method): method for method in methods.values()}
    answers = chain_runs(different, limit, tuple(seeds), REWARD).answers
    problems = sorted({key[3] for key in answers}, key=lambda p: int(p.rpartition("-")[2]))
    rows = {(key[1], key[2], key[3]): row for key, row in answers.items()}
    correct = {text: np.array([[rows[text, s, p]["correct"] for p in problems] for s in seeds]) for text in different}
    tokens = {text: float(np.mean([rows[text, s, p]["bill"]["tokens"] for s in seeds for p in problems])) for text in different}
    by_text = {key: str(method) for key, method in methods.items()}
    return Budgeted(
        tuple(budgets), sizes, {key: correct[text] for key, text in by_text.items()}, {key: tokens[text] for key, text in by_text.items()}
    )


def check_and_table(run: Budgeted) -> tuple[Check, Table]:
    """The gate on stable rankings, and the table of all methods."""
    taus = {budget: run.stability(budget) for budget in run.budgets}
    measured = ", ".join(f"{tau:.2f} at {budget}" for budget, tau in taus.items())
    stable = all(tau >= 0.6 for tau in taus.values())
    check = Check("methods at equal tokens: Kendall's tau between seeds", measured, "at least .6 each", stable)
    rows = []
    for name in METHODS:
        cells: list[str] = []
        for budget in run.budgets:
            grades = run.correct.get((name, budget))
            cells.append(
                "n = 1 costs more"
                if grades is None
                else f"{bootstrap(grades.mean(axis=0))}, n={run.n[name, budget]}, {run.tokens[name, budget]:,.0f} tokens"
            )
        rows.append((name, *cells))
    columns = ("method", *(f"{budget} tokens" for budget in run.budgets))
    return check, Table(f"Accuracy on chains at equal tokens, {REWARD} judging", columns, tuple(rows))
