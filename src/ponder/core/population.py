"""A weighted population: the one data structure that every method works on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
LogWeights = NDArray[np.float64]


def logsumexp(values: NDArray[np.float64]) -> float:
    """log(sum(exp(values))), -inf for all -inf; exact where exp would overflow or underflow."""
    top = float(np.max(values))
    return top if np.isinf(top) else top + float(np.log(np.sum(np.exp(values - top))))


def take(items: Sequence[T], indices: NDArray[np.intp]) -> Sequence[T]:
    """Items at `indices`: one fancy index for arrays (leading axis), what a `Batch` does by itself, a tuple for other sequences."""
    if isinstance(items, np.ndarray):
        return cast(Any, items)[indices]
    if isinstance(items, Batch):
        return items.at(indices)
    return tuple(items[int(i)] for i in indices)


def joined(first: Any, second: Any) -> Any:
    """One sequence after another; arrays stay arrays, batches batches."""
    if isinstance(second, np.ndarray):
        return np.concatenate([first, cast(NDArray[Any], second)])
    if isinstance(second, Batch):
        return first.beside(second)
    return (*first, *second)


class Batch(Sequence[Any]):
    """Items that are kept as arrays with a leading axis, and what they have in common (a clock, a history)."""

    def at(self, indices: NDArray[np.intp]) -> Sequence[Any]:
        """The items at `indices`, shape (m,)."""
        raise NotImplementedError

    def beside(self, other: Any) -> Sequence[Any]:
        """These items, then those of another batch."""
        raise NotImplementedError


class Population(Generic[T]):
    """Items with log-weights; stands for the measure sum_i exp(log_weights[i]) * delta(items[i]).

    Immutable: operations return a new one. The weights are not normalised, and their total is the evidence estimate
    (`log_evidence`), so nothing else has to be carried along. All weights -inf is a legal population: its `ess` is 0, its
    `weights` are 0 and its `best()` is None.

    Args:
        items: n >= 1 items; any sequence, or an array with a leading axis of length n.
        log_weights: shape (n,), float64, no NaN and no +inf; by default n equal weights of total 1.

    Raises:
        InputError: for no items, a wrong shape, NaN or +inf.
    """

    __slots__ = ("_scaled", "items", "log_weights")

    items: Sequence[T]
    log_weights: LogWeights

    def __init__(self, items: Sequence[T], log_weights: ArrayLike | None = None) -> None:
        n = len(items)
        if n == 0:
            raise InputError("a population needs at least one item, 0 were given")
        if log_weights is None:
            array = np.full(n, -np.log(n))
        else:
            array = np.array(log_weights, dtype=np.float64)
        if array.shape != (n,):
            raise InputError(f"{n} items need log_weights of shape ({n},), not {array.shape}")
        if not np.max(array) < np.inf:  # the largest of numbers of which one is NaN is NaN
            raise InputError("log_weights must be finite or -inf; NaN or +inf was given")
        array.setflags(write=False)
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "log_weights", array)
        object.__setattr__(self, "_scaled", None)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Population is immutable; make a new one instead of setting {name!r}")

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Population(n={len(self)}, ess={self.ess:.1f}, log_evidence={self.log_evidence:.4g})"

    @property
    def log_evidence(self) -> float:
        """Log of the total weight: the estimate of the target's normalising constant while all stages are proper."""
        top, raw = self._relative()
        return top if np.isinf(top) else top + float(np.log(np.sum(raw)))

    def _relative(self) -> tuple[float, NDArray[np.float64]]:
        """The largest log-weight and all weights relative to it: one pass of exp, whatever is asked and how often."""
        if self._scaled is None:
            top = float(np.max(self.log_weights))
            raw = np.zeros(len(self)) if np.isinf(top) else np.exp(self.log_weights - top)
            object.__setattr__(self, "_scaled", (top, raw))
        return cast(tuple[float, NDArray[np.float64]], self._scaled)

    @property
    def dead(self) -> bool:
        """True if every weight is zero: no candidate is possible."""
        return bool(np.max(self.log_weights) == -np.inf)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Normalised weights, shape (n,); all zeros if the population is dead."""
        top, raw = self._relative()
        return np.zeros(len(self)) if np.isinf(top) else raw / raw.sum()

    @property
    def ess(self) -> float:
        """Effective sample size, (sum w)^2 / sum w^2, in [1, n]; 0 if dead (Kong, Liu & Wong 1994)."""
        top, raw = self._relative()
        return 0.0 if np.isinf(top) else float(raw.sum() ** 2 / np.dot(raw, raw))

    def reweight(self, log_factors: ArrayLike) -> Population[T]:
        """Multiply the weights by exp(log_factors), shape (n,); -inf stays -inf whatever the factor."""
        factors = np.asarray(log_factors, dtype=np.float64)
        if factors.shape not in ((), (len(self),)):
            raise InputError(f"{len(self)} items need factors of shape ({len(self)},), not {factors.shape}")
        return Population(self.items, self.log_weights + factors)

    def resample(
        self,
        scheme: Callable[[NDArray[np.float64], int, np.random.Generator], NDArray[np.intp]],
        rng: np.random.Generator,
        n: int | None = None,
    ) -> Population[T]:
        """n survivors of equal weight and the same total; a dead population is returned as it is."""
        if self.dead:
            return self
        size = len(self) if n is None else n
        indices = scheme(self.weights, size, rng)
        return self.equal(take(self.items, indices))

    def equal(self, items: Sequence[T]) -> Population[T]:
        """Other items of equal weight, with the total of this population."""
        level = self.log_evidence - np.log(len(items))
        same = Population(items, np.full(len(items), level))
        object.__setattr__(same, "_scaled", (level, np.full(len(items), 0.0 if np.isinf(level) else 1.0)))
        return same

    def grown(self, children: Sequence[T], log_factors: ArrayLike, width: int | Sequence[int] = 1) -> Population[T]:
        """Each item replaced by its children, side by side, that share its weight and bring a factor each.

        Args:
            children: of the first item, of the second, and so on.
            log_factors: their log-weight increments, shape (len(children),).
            width: children of every item, or of each.
        """
        shares = self.log_weights if width == 1 else np.repeat(self.log_weights - np.log(width), width)
        return Population(children, shares + np.asarray(log_factors, dtype=np.float64))

    def beside(self, other: Population[T]) -> Population[T]:
        """These items and those of another part of the same population, weights as they are."""
        return Population(joined(self.items, other.items), np.concatenate([self.log_weights, other.log_weights]))

    def at(self, indices: ArrayLike) -> Population[T]:
        """The items at `indices` with their weights as they are."""
        chosen = np.asarray(indices, dtype=np.intp)
        return Population(take(self.items, chosen), self.log_weights[chosen])

    def normalised(self) -> Population[T]:
        """The same items with weights of total 1; a dead population is returned as it is."""
        return self if self.dead else Population(self.items, self.log_weights - self.log_evidence)

    def sharing(self, other: Population[Any], parts: int) -> Population[T]:
        """The same items with one of so many equal parts of another population's total; a dead population is returned as it is."""
        return self.normalised().reweight(other.log_evidence - np.log(parts))

    def union(self, other: Population[T]) -> Population[T]:
        """Pool two estimates of the same measure, each counting in proportion to its size."""
        n, m = len(self), len(other)
        items = tuple(self.items) + tuple(other.items)
        shares = np.log([n / (n + m), m / (n + m)])
        return Population(items, np.concatenate([self.log_weights + shares[0], other.log_weights + shares[1]]))

    def classes(self, key: Callable[[T], K]) -> dict[K, NDArray[np.intp]]:
        """Indices of the items of each class, in order of first appearance."""
        groups: dict[K, list[int]] = {}
        for i, item in enumerate(self.items):
            groups.setdefault(key(item), []).append(i)
        return {k: np.array(v, dtype=np.intp) for k, v in groups.items()}

    def merge(self, key: Callable[[T], Hashable]) -> Population[T]:
        """One item a class, its heaviest, with the weight of the whole class; the total is kept."""
        heaviest: list[int] = []
        totals: list[float] = []
        for members in self.classes(key).values():
            weights = np.sort(self.log_weights[members])  # sorted, so that the sum does not depend on order
            heaviest.append(int(members[np.argmax(self.log_weights[members])]))
            totals.append(logsumexp(weights))
        return Population(take(self.items, np.array(heaviest, dtype=np.intp)), totals)

    def mode(self, key: Callable[[T], K]) -> tuple[K, float] | None:
        """The heaviest class and its share of the total weight; None if dead. Ties go to the smallest repr."""
        if self.dead:
            return None
        shares = {k: float(np.sum(np.sort(self.weights[members]))) for k, members in self.classes(key).items()}
        top = max(shares.values())
        winner = min((k for k, share in shares.items() if share >= top - 1e-12), key=repr)
        return winner, shares[winner]

    def top(self, k: int) -> Population[T]:
        """The k heaviest (all, if there are fewer), heaviest first, weights as they are; ties in order."""
        return self.at(np.argsort(-self.log_weights, kind="stable")[:k])

    def best(self) -> T | None:
        """The heaviest item, the first of equals; None if dead."""
        return None if self.dead else self.items[int(np.argmax(self.log_weights))]

    def mean(self, f: Callable[[T], ArrayLike] | None = None) -> Any:
        """The weighted mean of f (identity by default) over the items.

        Raises:
            InputError: if the population is dead, for it has no mean.
        """
        if self.dead:
            raise InputError("all weights are zero: the population has no mean")
        values = np.asarray(self.items if f is None else [f(item) for item in self.items], dtype=np.float64)
        return np.tensordot(self.weights, values, axes=1)
