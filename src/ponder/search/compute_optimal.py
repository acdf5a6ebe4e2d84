"""Compute-optimal allocation: which strategy to use for a question of this difficulty at this budget (Snell et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.bench.stats import Curve, mean_ends
from ponder.core.errors import InputError
from ponder.search.cache import Cache
from ponder.search.difficulty import Difficulty

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PolicyCurve(Curve):
    """Accuracy against budget, with what a question costs on the mean, shape (budgets,)."""

    costs: Floats


@dataclass(frozen=True)
class ComputeOptimal:
    """The best strategy for every bin of difficulty and budget, learnt from a cache (arXiv 2408.03314, section 3).

    Args:
        strategies: names of the cache's strategies to choose among; of equally good ones the first is taken.
        budgets: budgets of the cache to learn for.
        folds: parts into which each bin's questions are cut for judging the policy. A question is judged by the choice
            that the other parts made.
        seed: of the cut.
    """

    strategies: tuple[str, ...]
    budgets: tuple[int, ...]
    folds: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategies", tuple(self.strategies))
        object.__setattr__(self, "budgets", tuple(sorted(self.budgets)))
        for name, values in (("strategies", self.strategies), ("budgets", self.budgets)):
            if not values or len(set(values)) < len(values):
                raise InputError(f"{name} must be different ones, at least one, not {values!r}")
        if self.folds < 2:
            raise InputError(f"a choice is judged on other questions than it was made on, so that folds is at least 2, not {self.folds}")

    def fit(self, cache: Cache, difficulty: Difficulty) -> Allocation:
        """Learn from what the strategies did on questions of known difficulty.

        A bin with fewer than 2 questions a fold is united with its smaller neighbour, and the allocation's notes say so.

        Raises:
            InputError: a strategy was never tried at one of the budgets, or there are fewer than 2 questions a fold in all.
        """
        if len(difficulty.bins) != len(cache.questions):
            raise InputError(f"the difficulty of {len(difficulty.bins)} questions does not fit a cache of {len(cache.questions)}")
        grades = np.stack([[cache.at(s, b)[0] for b in self.budgets] for s in self.strategies])
        costs = np.stack([[cache.at(s, b)[1] for b in self.budgets] for s in self.strategies])
        merged, notes = _merged(difficulty, 2 * self.folds)
        fold = np.empty(len(merged.bins), dtype=np.intp)
        choices, crossed = [], np.empty((len(self.budgets), len(fold)), dtype=np.intp)
        for bin_ in range(len(merged)):
            members = np.flatnonzero(merged.bins == bin_)
            fold[members] = np.random.default_rng([self.seed, bin_]).permutation(len(members)) % self.folds
            choices.append(_best(grades[:, :, members]))
            for f in range(self.folds):
                inside = members[fold[members] == f]
                crossed[:, inside] = _best(grades[:, :, members[fold[members] != f]])[:, None]
        at = (crossed, np.arange(len(self.budgets))[:, None], np.arange(len(fold))[None, :])
        return Allocation(self, merged, np.array(choices), crossed, fold, grades[at], costs[at], notes)


def _best(grades: Floats) -> NDArray[np.intp]:
    """The strategy with the highest mean grade at each budget, shape (budgets,); grades have shape (strategies, budgets, questions)."""
    return np.argmax(np.round(grades.mean(axis=2), 12), axis=0)


def _merged(difficulty: Difficulty, least: int) -> tuple[Difficulty, tuple[str, ...]]:
    """The difficulty with bins of at least so many questions."""
    notes: list[str] = []
    if len(difficulty.bins) < least:
        raise InputError(f"an allocation needs at least {least} questions, 2 a fold, not {len(difficulty.bins)}")
    while True:
        sizes = np.bincount(difficulty.bins, minlength=len(difficulty))
        small = np.flatnonzero(sizes < least)
        if not len(small):
            return difficulty, tuple(notes)
        i = int(small[0])
        beside = min((j for j in (i - 1, i + 1) if 0 <= j < len(sizes)), key=lambda j: (sizes[j], j))
        notes.append(f"bin {i + 1} of {len(sizes)} had {sizes[i]} questions, {least} are needed; it was united with bin {beside + 1}")
        first = min(i, beside)
        bins = np.where(difficulty.bins > first, difficulty.bins - 1, difficulty.bins)
        difficulty = replace(difficulty, bins=bins, edges=np.delete(difficulty.edges, first))


@dataclass(frozen=True)
class Allocation:
    """A fitted policy.

    Attributes:
        policy: what was fitted.
        difficulty: the bins, small ones united.
        choices: index of the strategy for every bin and budget, learnt from all questions, shape (bins, budgets).
        crossed: index of the strategy by which each question is judged, from the other folds only, shape (budgets, questions).
        fold: each question's fold, shape (questions,).
        grades, costs: cross-fitted, shape (budgets, questions).
        notes: what a reader must know.
    """

    policy: ComputeOptimal
    difficulty: Difficulty
    choices: NDArray[np.intp]
    crossed: NDArray[np.intp]
    fold: NDArray[np.intp]
    grades: Floats
    costs: Floats
    notes: tuple[str, ...] = ()

    def predict(self, ease: float, budget: int) -> str:
        """The strategy for a question of this ease (pass@1, mean score, ...: what the bins were cut by) at this budget.

        Raises:
            InputError: the budget is none that was fitted.
        """
        if budget not in self.policy.budgets:
            raise InputError(f"no strategy was fitted for a budget of {budget}; there are {', '.join(map(str, self.policy.budgets))}")
        bin_ = int(self.difficulty.of(ease))
        return self.policy.strategies[self.choices[bin_, self.policy.budgets.index(budget)]]

    def table(self) -> dict[tuple[int, int], str]:
        """(bin, budget) -> strategy; bin 0 is the easiest."""
        return {
            (b, budget): self.policy.strategies[self.choices[b, i]]
            for b in range(len(self.difficulty))
            for i, budget in enumerate(self.policy.budgets)
        }

    def curve(self, charged: bool = False, resamples: int = 1000, seed: int = 0) -> PolicyCurve:
        """Cross-fitted accuracy at every budget, with bootstrap intervals over questions.

        Args:
            charged: add the cost of estimating the difficulty to every question's cost.
        """
        low, high = mean_ends(self.grades.T, resamples, seed)
        costs = self.costs.mean(axis=1) + (self.difficulty.cost if charged else 0.0)
        return PolicyCurve(np.array(self.policy.budgets), self.grades.mean(axis=1), low, high, costs)


def fixed_curve(cache: Cache, strategy: str, budgets: Sequence[int] = (), resamples: int = 1000, seed: int = 0) -> PolicyCurve:
    """Accuracy and cost of one strategy at its budgets: what an allocation is compared with."""
    chosen = tuple(sorted(budgets or cache.budgets))
    found = [cache.at(strategy, b) for b in chosen]
    grades = np.stack([g for g, _ in found], axis=1)
    low, high = mean_ends(grades, resamples, seed)
    return PolicyCurve(np.array(chosen), grades.mean(axis=0), low, high, np.array([c.mean() for _, c in found]))


def spent_for(costs: ArrayLike, values: ArrayLike, target: float) -> float:
    """The least cost at which a curve reaches a value, straight in log cost between its points; inf if it never does.

    Args:
        costs: rising, above 0, shape (n,).
        values: the curve, shape (n,).
    """
    x, y = np.asarray(costs, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x) or np.any(x <= 0) or np.any(np.diff(x) <= 0):
        raise InputError(f"costs must rise and be above 0, one a value; {costs!r:.80} were given for {values!r:.80}")
    if y[0] >= target:
        return float(x[0])
    for (x0, x1), (y0, y1) in zip(pairwise(x), pairwise(y), strict=True):
        if y0 < target <= y1:
            return float(np.exp(np.interp(target, [y0, y1], np.log([x0, x1]))))
    return float("inf")
