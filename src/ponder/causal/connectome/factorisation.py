"""Non-negative CP factorisation of a three-way tensor by hierarchical alternating least squares, and the choice of its rank."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need

Floats = NDArray[np.float64]
_FLOOR = 1e-16


@dataclass(frozen=True, eq=False)
class CPResult:
    """A sum of `rank` outer products.

    Attributes:
        weights: scale of each component, largest first, shape (rank,).
        factors: one of shape (size of the mode, rank) a mode, columns of norm 1.
        error: norm of the residual over that of the tensor, on the entries that the mask keeps.
        history: `error` after each sweep; never rises.
        stability: mean similarity of the other restarts' components to these (see `factor_match_score`); NaN for one restart.
    """

    weights: Floats
    factors: tuple[Floats, Floats, Floats]
    error: float
    history: tuple[float, ...]
    stability: float = np.nan

    @property
    def rank(self) -> int:
        return len(self.weights)

    def tensor(self) -> Floats:
        """The sum of the components."""
        return np.einsum("r,ar,br,cr->abc", self.weights, *self.factors, optimize=True)


@dataclass(frozen=True)
class NonnegativeCP:
    """Fits a non-negative CP model by least squares, keeping the best of several restarts.

    Args:
        rank: number of components.
        n_init: random restarts.
        sweeps: most sweeps over the three factors a restart.
        tolerance: a restart ends when its error falls by less than this in a sweep.
        seed: of the starts.
    """

    rank: int
    n_init: int = 5
    sweeps: int = 200
    tolerance: float = 1e-6
    seed: int = 0

    def fit(self, tensor: ArrayLike, mask: ArrayLike | None = None) -> CPResult:
        """The restart of least error, with the others' similarity to it.

        Args:
            tensor: shape (a, b, c), at least 0.
            mask: False where an entry is missing, of a shape that broadcasts to the tensor's. Missing entries are replaced by what the
                model expects, and weigh nothing.

        Raises:
            InputError: for another shape, negative or (unmasked) non-finite entries, a slice that is 0 throughout, or a rank above what
                the shape can carry.
        """
        values, kept = self._checked(tensor, mask)
        restarts = [self._restart(values, kept, np.random.default_rng([self.seed, k])) for k in range(self.n_init)]
        best = min(restarts, key=lambda result: result.error)
        others = [factor_match_score(best, other) for other in restarts if other is not best]
        return CPResult(best.weights, best.factors, best.error, best.history, float(np.mean(others)) if others else np.nan)

    def _checked(self, tensor: ArrayLike, mask: ArrayLike | None) -> tuple[Floats, NDArray[np.bool_] | None]:
        values: Floats = np.array(tensor, dtype=np.float64)
        if values.ndim != 3 or values.size == 0:
            raise InputError(f"the tensor needs three modes, not shape {values.shape}")
        kept = None
        if mask is not None:
            kept = np.broadcast_to(np.asarray(mask, dtype=bool), values.shape)
            values[~kept] = 0.0
            kept = None if kept.all() else kept
        if not np.all(np.isfinite(values)) or values.min() < 0:
            raise InputError("entries must be finite and at least 0; missing ones need a mask")
        for mode in range(3):
            empty = np.flatnonzero(values.sum(axis=tuple(k for k in range(3) if k != mode)) == 0)
            if len(empty):
                raise InputError(f"slice {empty[0]} of mode {mode} is 0 throughout: leave it out")
        most = min(values.size // size for size in values.shape)
        if not 1 <= self.rank <= most or self.n_init < 1 or self.sweeps < 1:
            raise InputError(f"rank is between 1 and {most}, n_init and sweeps at least 1; not {self.rank}, {self.n_init}, {self.sweeps}")
        return values, kept

    def _restart(self, values: Floats, kept: NDArray[np.bool_] | None, rng: np.random.Generator) -> CPResult:
        factors = [rng.random((size, self.rank)) for size in values.shape]
        total = float(np.sum(values**2))
        model = np.einsum("ar,br,cr->abc", *factors, optimize=True)
        seen = model if kept is None else np.where(kept, model, 0.0)
        factors[0] *= np.sum(values * seen) / np.sum(seen**2)
        history: list[float] = []
        for _ in range(self.sweeps):
            filled = values if kept is None else np.where(kept, values, np.einsum("ar,br,cr->abc", *factors, optimize=True))
            for mode in range(3):
                _update(filled, factors, mode)
            history.append(_error(values, kept, factors, total))
            if len(history) > 1 and history[-2] - history[-1] < self.tolerance:
                break
        norms = [np.maximum(np.linalg.norm(f, axis=0), _FLOOR) for f in factors]
        weights = np.prod(norms, axis=0)
        order = np.argsort(-weights)
        one, two, three = ((f / n)[:, order] for f, n in zip(factors, norms, strict=True))
        return CPResult(weights[order], (one, two, three), history[-1], tuple(history))


def _update(values: Floats, factors: list[Floats], mode: int) -> None:
    """One pass over the columns of a factor, each set to its best non-negative value."""
    first, second = (factors[k] for k in range(3) if k != mode)
    gram = (first.T @ first) * (second.T @ second)
    pairs = (first[:, None, :] * second[None, :, :]).reshape(-1, first.shape[1])
    target = np.moveaxis(values, mode, 0).reshape(values.shape[mode], -1) @ pairs
    factor = factors[mode]
    for r in range(factor.shape[1]):
        if gram[r, r] > _FLOOR:
            factor[:, r] = np.maximum(0.0, factor[:, r] + (target[:, r] - factor @ gram[:, r]) / gram[r, r])


def _error(values: Floats, kept: NDArray[np.bool_] | None, factors: list[Floats], total: float) -> float:
    residual = values - np.einsum("ar,br,cr->abc", *factors, optimize=True)
    return float(np.sqrt(np.sum((residual if kept is None else residual[kept]) ** 2) / total))


def factor_match_score(a: CPResult, b: CPResult) -> float:
    """Mean product of the cosines of matched components, over the better of all matchings; 1 for equal components in any order."""
    if a.rank != b.rank:
        raise InputError(f"components are matched between results of equal rank, not {a.rank} and {b.rank}")
    cosines = np.prod([left.T @ right for left, right in zip(a.factors, b.factors, strict=True)], axis=0)
    rows, columns = need("scipy.optimize", "causal").linear_sum_assignment(-cosines)
    return float(cosines[rows, columns].mean())


@dataclass(frozen=True)
class RankChoice:
    """Which rank was chosen, and why.

    Attributes:
        rank: the largest stable one, or the most stable if none is.
        errors, stabilities: by rank.
        fits: by rank.
    """

    rank: int
    errors: dict[int, float]
    stabilities: dict[int, float]
    fits: dict[int, CPResult]


def choose_rank(
    tensor: ArrayLike,
    ranks: Iterable[int],
    mask: ArrayLike | None = None,
    least: float = 0.9,
    n_init: int = 6,
    sweeps: int = 200,
    seed: int = 0,
) -> RankChoice:
    """Choose the rank by the stability of restarts: too many components split one event in a different way each time.

    Args:
        tensor, mask: as for `NonnegativeCP.fit`.
        ranks: to try.
        least: similarity of the restarts from which on a rank is stable.
        n_init, sweeps, seed: as for `NonnegativeCP`; at least 3 restarts.
    """
    tried = sorted(set(ranks))
    if not tried or n_init < 3:
        raise InputError(f"stability needs at least one rank and 3 restarts; {tried} and {n_init} were given")
    fits = {rank: NonnegativeCP(rank, n_init, sweeps, seed=seed).fit(tensor, mask) for rank in tried}
    stabilities = {rank: result.stability for rank, result in fits.items()}
    stable = [rank for rank in tried if stabilities[rank] >= least]
    chosen = max(stable) if stable else max(tried, key=stabilities.__getitem__)
    return RankChoice(chosen, {rank: result.error for rank, result in fits.items()}, stabilities, fits)
