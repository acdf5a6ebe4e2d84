"""What the settings of a full factorial study do: main effects, interactions, additivity, with intervals over problems.

Every cell was tried on the same problems, so all comparisons are paired.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import Interval, bootstrap, paired_bootstrap, pareto
from ponder.core.errors import InputError

Floats = NDArray[np.float64]
Levels = tuple[int, ...]


@dataclass(frozen=True)
class Effect:
    """One level of an axis, all other axes averaged over.

    Attributes:
        axis, level: which.
        mean: accuracy.
        gain: over the axis's first level, paired; exactly 0 for that level.
        p: probability of as large a gain by chance, two-sided, by flipping the signs of the problems' differences; 1 for the first level.
        p_holm: the same, corrected for all gains of the study that are tested (Holm 1979).
    """

    axis: str
    level: str
    mean: Interval
    gain: Interval
    p: float
    p_holm: float = 1.0


@dataclass(frozen=True)
class Interaction:
    """How much more two levels of two axes gain together than alone: y_ij - y_i0 - y_0j + y_00, other axes averaged over."""

    axes: tuple[str, str]
    levels: tuple[str, str]
    more: Interval


@dataclass(frozen=True)
class Additivity:
    """Whether the best setting of each axis adds up. The best are chosen on other problems than they are measured on.

    Attributes:
        chosen: for each axis how often each level was taken for the best (over folds), the first level included.
        singles: for each axis the gain of its best level alone over the first levels of all axes.
        sum: of the single gains.
        together: the gain of all best levels at once.
        gap: together minus the sum; below 0 they get in each other's way.
    """

    chosen: Mapping[str, Mapping[str, int]]
    singles: Mapping[str, Interval]
    sum: Interval
    together: Interval
    gap: Interval


@dataclass(frozen=True)
class StudyTable:
    """Grades and costs of all cells of a study on the same problems.

    Attributes:
        axes: name -> levels; the first level of each is the setting that others are compared with.
        grades: shape (levels of each axis ..., problems), in [0, 1].
        tokens: read and generated, of that shape.
    """

    axes: Mapping[str, tuple[str, ...]]
    grades: Floats
    tokens: Floats

    def __post_init__(self) -> None:
        sizes, shape = tuple(len(levels) for levels in self.axes.values()), self.grades.shape
        if not sizes or 0 in sizes or shape[:-1] != sizes or shape != self.tokens.shape or shape[-1] < 2:
            raise InputError(
                f"grades and tokens need one shape, a length for each axis {sizes} and one of at least 2 problems, not {self.grades.shape} "
                f"and {self.tokens.shape}"
            )
        if not (np.isfinite(self.grades).all() and np.isfinite(self.tokens).all()):
            raise InputError("grades and tokens must be finite numbers; a cell of the study is not answered")

    @property
    def cells(self) -> list[Levels]:
        """All combinations of levels, the last axis fastest."""
        return list(itertools.product(*(range(len(levels)) for levels in self.axes.values())))

    def label(self, cell: Levels) -> str:
        """A cell in words."""
        return ", ".join(f"{name}={levels[i]}" for (name, levels), i in zip(self.axes.items(), cell, strict=True))

    def accuracy(self, cell: Levels) -> Interval:
        """A cell's accuracy."""
        return bootstrap(self.grades[cell])

    def gain(self, cell: Levels, other: Levels) -> Interval:
        """How much more accurate a cell is than another."""
        return paired_bootstrap(self.grades[cell], self.grades[other])

    def front(self) -> list[Levels]:
        """The cells that no other beats, cheaper in tokens and better; cheapest first."""
        cells = self.cells
        return [cells[i] for i in pareto([self.tokens[c].mean() for c in cells], [self.grades[c].mean() for c in cells])]

    def main_effects(self, seed: int = 0) -> list[Effect]:
        """Every level of every axis against the first."""
        found: list[Effect] = []
        for at, (name, levels) in enumerate(self.axes.items()):
            means = self._over(at)
            for i, level in enumerate(levels):
                gain = paired_bootstrap(means[i], means[0])
                p = 1.0 if i == 0 else sign_flip(means[i] - means[0], seed)
                found.append(Effect(name, level, bootstrap(means[i]), gain, p))
        tested = [i for i, effect in enumerate(found) if effect.level != self.axes[effect.axis][0]]
        corrected = dict(zip(tested, holm([found[i].p for i in tested]), strict=True))
        return [Effect(e.axis, e.level, e.mean, e.gain, e.p, corrected.get(i, 1.0)) for i, e in enumerate(found)]

    def interactions(self) -> list[Interaction]:
        """Every pair of levels of two axes that are no first levels, the largest departure from adding up first."""
        found: list[Interaction] = []
        for a, b in itertools.combinations(range(len(self.axes)), 2):
            means, names = self._over(a, b), tuple(self.axes)
            for i, j in itertools.product(range(1, means.shape[0]), range(1, means.shape[1])):
                more = bootstrap(means[i, j] - means[i, 0] - means[0, j] + means[0, 0])
                levels = self.axes[names[a]][i], self.axes[names[b]][j]
                found.append(Interaction((names[a], names[b]), levels, more))
        return sorted(found, key=lambda f: -abs(f.more.value))

    def additivity(self, folds: int = 5, seed: int = 0) -> Additivity:
        """Best single settings against their combination, cross-fitted: what each fold is measured with, the other folds chose."""
        problems = self.grades.shape[-1]
        if not 2 <= folds <= problems:
            raise InputError(f"choosing and measuring on different problems needs 2 to {problems} folds, not {folds}")
        fold = np.random.default_rng(seed).permutation(problems) % folds
        first = (0,) * len(self.axes)
        base, together = self.grades[first], np.empty(problems)
        singles = np.empty((len(self.axes), problems))
        chosen = {name: dict.fromkeys(levels, 0) for name, levels in self.axes.items()}
        for f in range(folds):
            inside, outside = fold == f, fold != f
            best = tuple(self._best(at, outside) for at in range(len(self.axes)))
            for at, (name, levels) in enumerate(self.axes.items()):
                singles[at, inside] = (self.grades[(*first[:at], best[at], *first[at + 1 :])] - base)[inside]
                chosen[name][levels[best[at]]] += 1
            together[inside] = (self.grades[best] - base)[inside]
        total = singles.sum(axis=0)
        named = {name: bootstrap(gains) for name, gains in zip(self.axes, singles, strict=True)}
        return Additivity(chosen, named, bootstrap(total), bootstrap(together), bootstrap(together - total))

    def to_markdown(self) -> str:
        """The cells as a table."""
        rows = [f"| {' | '.join(self.axes)} | accuracy | tokens |", "|" + "---|" * (len(self.axes) + 2)]
        for cell in self.cells:
            levels = [levels[i] for levels, i in zip(self.axes.values(), cell, strict=True)]
            shown = " | ".join(f"`{level}`".replace("|", "\\|") for level in levels)
            rows.append(f"| {shown} | {self.accuracy(cell)} | {self.tokens[cell].mean():,.0f} |")
        return "\n".join(rows) + "\n"

    def _over(self, *axes: int) -> Floats:
        """Grades with all axes but these averaged over, these in order, shape (levels ..., problems)."""
        others = tuple(i for i in range(len(self.axes)) if i not in axes)
        return self.grades.mean(axis=others)

    def _best(self, axis: int, problems: NDArray[np.bool_]) -> int:
        """The most accurate level of an axis with the first levels of all others, the first of equals."""
        where = tuple(slice(None) if i == axis else 0 for i in range(len(self.axes)))
        return int(np.argmax(np.round(self.grades[where][:, problems].mean(axis=1), 12)))


def sign_flip(differences: Floats, seed: int = 0, flips: int = 9999) -> float:
    """The two-sided p value of a mean of paired differences, shape (problems,): how often random signs make it as large.

    All sign patterns are tried for up to 13 differences that are not 0, else `flips` random ones and the one observed.
    """
    values = differences[differences != 0]
    if not len(values):
        return 1.0
    observed = abs(values.sum()) - 1e-12
    if len(values) <= 13:
        signs = np.array(list(itertools.product((1, -1), repeat=len(values))))
        return float(np.mean(np.abs(signs @ values) >= observed))
    signs = np.random.default_rng(seed).choice(np.array([1.0, -1.0]), size=(flips, len(values)))
    return float((1 + np.sum(np.abs(signs @ values) >= observed)) / (flips + 1))


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for so many tests (Holm 1979), in the order given."""
    order = np.argsort(ps, kind="stable")
    corrected, largest = [0.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = largest
    return corrected
