"""Cause and effect from exchangeable data: independence across the samples of an environment tells the direction.

If causes and mechanisms vary independently between environments, what another sample of an environment says about a cause says nothing
about the mechanism. So in X -> Y, X_1 and Y_2 are independent given X_2 (Guo et al. 2023, theorem 1), and only in that direction.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ponder.causal.independence import Floats, Test, find_test, table
from ponder.core.errors import InputError, PonderError

OnTie = Literal["argmax", "abstain"]
Answer = Literal["x -> y", "y -> x", "none", "abstain"]
FEW = 200
"""Environments below which a warning is given: what tells the direction is small."""


class NoSinkError(PonderError):
    """No variable passes as an effect that causes nothing, and the learner was told to abstain."""


@dataclass(frozen=True)
class Direction:
    """Which of two variables causes the other.

    Attributes:
        answer: the direction, "none" for independent variables, or "abstain".
        p_xy: p-value of X_1, Y_2 given X_2; large if X causes Y.
        p_yx: p-value of Y_1, X_2 given Y_2; large if Y causes X.
        p_0: p-value of X_1, Y_1; large if the variables are independent.
        tie: True if the three values match no pattern.
    """

    answer: Answer
    p_xy: float
    p_yx: float
    p_0: float
    tie: bool


@dataclass(frozen=True)
class DagResult:
    """A causal graph over variables 0 to d - 1.

    Attributes:
        edges: (cause, effect) pairs.
        layers: variables, those that cause nothing first.
        pvalues: of each pair that was tested for an edge, (cause, effect).
        ties: layers (their index) that were chosen by the largest smallest p-value, because no variable passed.
    """

    edges: tuple[tuple[int, int], ...]
    layers: tuple[tuple[int, ...], ...]
    pvalues: dict[tuple[int, int], float]
    ties: tuple[int, ...]


def pairs(values: ArrayLike, groups: ArrayLike, rng: np.random.Generator) -> Floats:
    """A random ordered pair of rows of each group, shape (environments, 2, variables).

    All pairs of a larger group would depend on each other, so one is drawn. Rows of a group are taken as exchangeable.

    Args:
        values: shape (rows, variables).
        groups: a label a row, shape (rows,).

    Raises:
        InputError: if a group has fewer than 2 rows, or values are not finite.
    """
    rows, labels = table(values, "values"), np.asarray(groups)
    if labels.shape != (len(rows),):
        raise InputError(f"{len(rows)} rows need as many group labels, not shape {labels.shape}")
    kinds, codes = np.unique(labels, return_inverse=True)
    sizes = np.bincount(codes)
    if sizes.min() < 2:
        raise InputError(f"every group needs at least 2 rows; group {str(kinds[int(np.argmin(sizes))])!r} has {sizes.min()}")
    order = rng.permutation(len(rows))
    order = order[np.argsort(codes[order], kind="stable")]
    first = np.cumsum(sizes) - sizes
    return rows[np.stack([order[first], order[first + 1]], axis=1)]


def bivariate_direction(
    x: ArrayLike, y: ArrayLike, ci_test: str | Test = "kci", alpha: float = 0.05, on_tie: OnTie = "argmax"
) -> Direction:
    """Which of two variables causes the other, from two samples an environment.

    Args:
        x, y: shape (environments, 2), samples of an environment side by side.
        ci_test: "kci" for continuous numbers, "gtest" for categories, "fisherz", or a function (see `ponder.causal.independence`).
        alpha: level of the tests.
        on_tie: what to do where the p-values match no pattern: take the largest of them, or abstain.

    Raises:
        InputError: for other shapes, NaN, or numbers that the test cannot use.
    """
    groups = np.stack([_samples("x", x), _samples("y", y)], axis=2) if np.shape(x) == np.shape(y) else None
    if groups is None:
        raise InputError(f"x and y need the same shape (environments, 2); {np.shape(x)} and {np.shape(y)} were given")
    _check(groups, alpha, on_tie)
    test = _counting(find_test(ci_test))
    (x1, x2), (y1, y2) = groups[:, :, 0].T, groups[:, :, 1].T
    p_xy, p_yx = test(x1, y2, x2[:, None]), test(y1, x2, y2[:, None])
    p_0 = test(x1, y1, np.empty((len(x1), 0)))
    patterns: dict[tuple[bool, bool, bool], Answer] = {
        (True, False, False): "x -> y",
        (False, True, False): "y -> x",
        (True, True, True): "none",
    }
    answer = patterns.get((p_xy >= alpha, p_yx >= alpha, p_0 >= alpha))
    tie = answer is None
    if answer is None:
        largest: tuple[Answer, ...] = ("x -> y", "y -> x", "none")
        answer = largest[int(np.argmax([p_xy, p_yx, p_0]))] if on_tie == "argmax" else "abstain"
    return Direction(answer, p_xy, p_yx, p_0, tie)


@dataclass(frozen=True)
class CausalDeFinetti:
    """Learns a whole causal graph from two samples an environment: effects that cause nothing first, then edges between layers.

    Args:
        ci_test, alpha, on_tie: as for `bivariate_direction`. Where no variable passes as the next effect, "argmax" takes the one whose
            smallest p-value is largest, and "abstain" raises.
    """

    ci_test: str | Test = "kci"
    alpha: float = 0.05
    on_tie: OnTie = "argmax"

    def fit(self, groups: ArrayLike) -> DagResult:
        """Learn from samples of shape (environments, 2, variables); `pairs` makes them from a table with a group column.

        Raises:
            InputError: for another shape, NaN, or numbers that the test cannot use.
            NoSinkError: if no variable passes and `on_tie` is "abstain".
        """
        samples = np.asarray(groups, dtype=np.float64)
        _check(samples, self.alpha, self.on_tie)
        test = _counting(find_test(self.ci_test))
        layers, ties = self._layers(samples, test)
        edges, pvalues = self._edges(samples[:, 0], layers, test)
        return DagResult(tuple(sorted(edges)), layers, pvalues, ties)

    def _layers(self, samples: Floats, test: Callable[..., float]) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
        """Peel off the variables that cause nothing among those left, until none is left."""
        left = list(range(samples.shape[2]))
        layers: list[tuple[int, ...]] = []
        ties: list[int] = []
        while len(left) > 1:
            weakest = {}
            for v in left:
                others = [k for k in left if k != v]
                weakest[v] = min(test(samples[:, 0, v], samples[:, 1, k], samples[:, 0, others]) for k in others)
            sinks = tuple(v for v in left if weakest[v] >= self.alpha)
            if not sinks:
                if self.on_tie == "abstain":
                    shown = ", ".join(f"{v}: {p:.3g}" for v, p in weakest.items())
                    raise NoSinkError(f"no variable of {left} passes as one that causes nothing (smallest p-values {shown})")
                ties.append(len(layers))
                sinks = (max(left, key=weakest.__getitem__),)
            layers.append(sinks)
            left = [v for v in left if v not in sinks]
        return (*layers, *([tuple(left)] if left else [])), tuple(ties)

    def _edges(
        self, sample: Floats, layers: Sequence[tuple[int, ...]], test: Callable[..., float]
    ) -> tuple[set[tuple[int, int]], dict[tuple[int, int], float]]:
        """Test causes in higher layers against effects in lower ones, near layers first, given everything above the cause."""
        edges: set[tuple[int, int]] = set()
        pvalues: dict[tuple[int, int], float] = {}
        for low, high in sorted(combinations(range(len(layers)), 2), key=lambda pair: pair[1] - pair[0]):
            above = [v for layer in layers[high + 1 :] for v in layer]
            between = {v for layer in layers[low + 1 : high] for v in layer}
            for cause in layers[high]:
                for effect in layers[low]:
                    given = list(above)
                    if between:
                        given += [v for v in layers[high] if v != cause] + sorted(u for u, v in edges if v == effect and u in between)
                    p = test(sample[:, cause], sample[:, effect], sample[:, given])
                    pvalues[cause, effect] = p
                    if p < self.alpha:
                        edges.add((cause, effect))
        return edges, pvalues


def _counting(test: Test) -> Callable[..., float]:
    """The test's p-value; warns where most of its cells are nearly empty."""

    def p_value(x: Floats, y: Floats, z: Floats) -> float:
        found = test(x, y, z)
        if found.sparse:
            warnings.warn("most cells of a G-test expect fewer than 5 counts: its p-value is rough; more environments help", stacklevel=5)
        return found.p

    return p_value


def _samples(name: str, values: ArrayLike) -> Floats:
    array: np.ndarray[Any, Any] = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise InputError(f"{name} needs shape (environments, 2), not {array.shape}")
    return array


def _check(samples: Floats, alpha: float, on_tie: str) -> None:
    if samples.ndim != 3 or samples.shape[1] != 2 or samples.shape[2] < 2 or not len(samples):
        raise InputError(
            f"two samples of at least two variables are needed, shape (environments, 2, variables), not {samples.shape}; "
            "`pairs` draws two where an environment has more"
        )
    if not np.all(np.isfinite(samples)):
        raise InputError("samples must be finite; NaN or infinity was given")
    if not 0 < alpha < 1:
        raise InputError(f"alpha must be between 0 and 1, not {alpha}")
    if on_tie not in get_args(OnTie):
        raise InputError(f"on_tie must be one of {get_args(OnTie)}, not {on_tie!r}")
    if len(samples) < FEW:
        warnings.warn(f"{len(samples)} environments are few: what tells the direction is small, and hundreds are needed", stacklevel=4)
