"""What resampling until a checker accepts can reach when the checker errs (Stroebl et al. 2024, arXiv 2411.17501).

A weak checker (`base`) accepts samples, a strong one (`strong`) says which of them are right. Wrong samples that the weak one accepts
put a ceiling on accuracy that no number of attempts passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.bench.stats import Curve, mean_ends, whole
from ponder.core.errors import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class FalsePositives:
    """How a weak checker errs on P problems of N samples each.

    Attributes:
        accuracy: share of right samples.
        ceiling: share of right ones among accepted samples, mean over the problems that have an accepted one: what endless
            resampling reaches. None if nothing is ever accepted.
        worst, best: the same over all problems, those without an accepted sample counted as 0 and as 1.
        false_discovery_rate: 1 - ceiling; the paper calls it the false positive rate. None where the ceiling is.
        soundness: share of wrong samples that are rejected; None if none is wrong.
        completeness: share of right samples that are accepted; None if none is right.
        dropped: problems left out because a right sample of theirs was rejected.
    """

    accuracy: float
    ceiling: float | None
    worst: float
    best: float
    false_discovery_rate: float | None
    soundness: float | None
    completeness: float | None
    dropped: tuple[int, ...] = ()


def false_positives(base: ArrayLike, strong: ArrayLike, drop_false_negatives: bool = True) -> FalsePositives:
    """Ceiling, false discovery, soundness and completeness of a weak checker.

    Args:
        base: what the weak checker accepts, bool[P, N].
        strong: what is right, bool[P, N].
        drop_false_negatives: leave out the problems in which a right sample was rejected, as published; else they stay.

    Raises:
        InputError: tables of unequal shape, or no problem left.
    """
    accepted, right = _tables(base, strong)
    missed = (right & ~accepted).any(axis=1)
    dropped = tuple(np.flatnonzero(missed).tolist()) if drop_false_negatives else ()
    if dropped:
        if missed.all():
            raise InputError("every problem has a right sample that the weak checker rejects; none is left")
        accepted, right = accepted[~missed], right[~missed]
    both, passed = (accepted & right).sum(axis=1), accepted.sum(axis=1)
    some = passed > 0
    share = both[some] / passed[some]
    ceiling = float(share.mean()) if some.any() else None
    return FalsePositives(
        accuracy=float(right.mean()),
        ceiling=ceiling,
        worst=float(share.sum() / len(right)),
        best=float((share.sum() + (~some).sum()) / len(right)),
        false_discovery_rate=None if ceiling is None else 1 - ceiling,
        soundness=float((~accepted)[~right].mean()) if not right.all() else None,
        completeness=float(accepted[right].mean()) if right.any() else None,
        dropped=dropped,
    )


@dataclass(frozen=True)
class RewardCurve(Curve):
    """Expected reward of at most k attempts, with intervals over problems.

    Attributes:
        k_star: the k of the largest reward, the smallest of equals; 0 if no attempt is worth it.
    """

    k_star: int = 0


def reward_curve(
    base: ArrayLike,
    strong: ArrayLike,
    ks: ArrayLike,
    fp_cost: float,
    tp_value: float = 1.0,
    abstain_value: float = 0.0,
    attempt_cost: float = 0.0,
    seed: int = 0,
) -> RewardCurve:
    """Reward of taking the first accepted one of at most k samples: `tp_value` if right, -`fp_cost` if wrong.

    In closed form: under a random order, whether one of b accepted samples comes within k of N and whether it is right are
    independent, so R(k) = found * (tp * q - cost * (1 - q)) + (1 - found) * abstain - attempt_cost * E[attempts], with
    found = 1 - C(N - b, k) / C(N, k), q the share of right ones among accepted ones and E[attempts] = sum_{j<k} C(N - b, j) / C(N, j).

    Args:
        base, strong: what the weak checker accepts and what is right, bool[P, N].
        ks: most attempts, 1 to N.
        abstain_value: the reward where no attempt is accepted.
        attempt_cost: what each attempt costs.
        seed: of the bootstrap over problems.

    Raises:
        InputError: costs below 0, a k outside 1..N, tables of unequal shape.
    """
    accepted, right = _tables(base, strong)
    grid = np.atleast_1d(whole("ks", ks))
    n = accepted.shape[1]
    if grid.min() < 1 or grid.max() > n:
        raise InputError(f"k must be between 1 and the {n} samples; {grid.min()} to {grid.max()} was asked")
    if fp_cost < 0 or attempt_cost < 0:
        raise InputError(f"costs must be at least 0, not fp_cost={fp_cost}, attempt_cost={attempt_cost}")
    passed = accepted.sum(axis=1)
    q = (accepted & right).sum(axis=1) / np.maximum(passed, 1)
    missing = none_found(n, passed)
    found = 1 - missing[:, grid]
    attempts = np.cumsum(missing[:, :-1], axis=1)[:, grid - 1]
    table = found * (tp_value * q - fp_cost * (1 - q))[:, None] + (1 - found) * abstain_value - attempt_cost * attempts
    low, high = mean_ends(table, 1000, seed)
    values = table.mean(axis=0)
    best = int(np.argmax(values >= values.max() - 1e-12))
    k_star = int(grid[best]) if values[best] > abstain_value else 0
    return RewardCurve(grid, values, low, high, k_star)


def none_found(n: int, b: ArrayLike) -> Floats:
    """Probability that k of n samples, drawn without replacement, hold none of b: C(n - b, k) / C(n, k), shape (len(b), n + 1)."""
    counts = np.atleast_1d(whole("b", b))
    j = np.arange(n)
    steps = np.concatenate([np.ones((len(counts), 1)), np.maximum(n - counts[:, None] - j, 0) / (n - j)], axis=1)
    return np.cumprod(steps, axis=1, dtype=np.float64)


@dataclass(frozen=True)
class TwoType:
    """Problems of a few types, such as easy and hard, and a checker with one completeness and one soundness for all.

    A sample of type t is right with probability r_t; a right one is accepted with probability c, a wrong one with 1 - s, so that an
    attempt is rejected with probability beta_t = (1 - c) r_t + s (1 - r_t). Attempt k is reached with probability
    sum_t pi_t beta_t^(k-1), by the prior pi: weighing it by the posterior again, as the published notebook does, counts the rejections
    twice.

    Attributes:
        priors: share of each type, shape (T,), of sum 1.
        success: r_t, shape (T,).
        completeness, soundness: c and s.
    """

    priors: tuple[float, ...]
    success: tuple[float, ...]
    completeness: float = 1.0
    soundness: float = 1.0

    def __post_init__(self) -> None:
        shares = (*self.priors, *self.success, self.completeness, self.soundness)
        matching = len(self.priors) == len(self.success) > 0 and abs(sum(self.priors) - 1) <= 1e-6
        if not matching or not all(0 <= v <= 1 for v in shares):
            raise InputError(f"types need as many priors (of sum 1) as success rates, and all shares in [0, 1]; given was {self}")

    @property
    def rejected(self) -> Floats:
        """beta_t: the probability that an attempt is rejected."""
        return np.array([(1 - self.completeness) * r + self.soundness * (1 - r) for r in self.success], dtype=np.float64)

    @property
    def flukes(self) -> Floats:
        """The probability that an attempt is wrong and accepted."""
        return np.array([(1 - r) * (1 - self.soundness) for r in self.success], dtype=np.float64)

    def reward(self, k: ArrayLike, fp_cost: float, attempt_cost: float = 0.0) -> Floats:
        """Expected reward of at most k attempts, k >= 0 (np.inf for the limit): 1 if what is accepted is right, -fp_cost if not."""
        if fp_cost < 0 or attempt_cost < 0:
            raise InputError(f"costs must be at least 0, not fp_cost={fp_cost}, attempt_cost={attempt_cost}")
        attempts = np.asarray(k, dtype=np.float64)[..., None]
        beta, gain = self.rejected, self._gain(fp_cost) - attempt_cost
        with np.errstate(invalid="ignore", divide="ignore"):
            tries = np.where(beta < 1, (1 - beta**attempts) / np.where(beta < 1, 1 - beta, 1), attempts)
            worth = np.where(gain == 0, 0.0, gain * tries)
        return np.asarray(worth @ np.array(self.priors), dtype=np.float64)

    def optimal_attempts(self, fp_cost: float, attempt_cost: float = 0.0, most: int = 10_000) -> int:
        """The number of attempts, at most `most`, of the largest expected reward; 0 if none is worth it, the smallest of equals."""
        rewards = self.reward(np.arange(most + 1), fp_cost, attempt_cost)
        return int(np.argmax(rewards >= rewards.max() - 1e-12))

    def ceiling(self) -> float | None:
        """Share of right ones among accepted ones after endless attempts, over the problems that ever accept; None if none does."""
        open_ = self.rejected < 1
        if not open_.any():
            return None
        share = np.array(self.success)[open_] * self.completeness / (1 - self.rejected[open_])
        return float(np.average(share, weights=np.array(self.priors)[open_]))

    def _gain(self, fp_cost: float) -> Floats:
        return self.completeness * np.array(self.success) - fp_cost * self.flukes

    @classmethod
    def fit(cls, base: ArrayLike, strong: ArrayLike, how: Literal["pooled", "published"] = "pooled") -> TwoType:
        """Easy and hard problems (pass rate above .5 or not) and the checker's rates, from samples.

        Args:
            base, strong: what the weak checker accepts and what is right, bool[P, N].
            how: "pooled" counts completeness and soundness over all samples; "published" takes c = 1 and
                s = (1 - E[b] - E[p] + E[p|b] E[b]) / (1 - E[p]) from the means over problems, which multiplies means where the mean of
                products is meant.

        Raises:
            InputError: if every sample is right (no soundness), or none is accepted for "published".
        """
        accepted, right = _tables(base, strong)
        if right.all():
            raise InputError("every sample is right: soundness cannot be told")
        p, b = right.mean(axis=1), accepted.mean(axis=1)
        easy = p > 0.5
        groups = [g for g in (easy, ~easy) if g.any()]
        priors, success = tuple(float(g.mean()) for g in groups), tuple(float(p[g].mean()) for g in groups)
        report = false_positives(accepted, right, drop_false_negatives=False)
        if how == "pooled":
            return cls(priors, success, 1.0 if report.completeness is None else report.completeness, float(report.soundness or 0.0))
        if how != "published" or report.ceiling is None:
            raise InputError(f"how must be 'pooled' or 'published', which needs an accepted sample; it was {how!r}")
        soundness = (1 - b.mean() - p.mean() + report.ceiling * b.mean()) / (1 - p.mean())
        return cls(priors, success, 1.0, float(np.clip(soundness, 0, 1)))


def _tables(base: ArrayLike, strong: ArrayLike) -> tuple[Bools, Bools]:
    accepted, right = np.asarray(base), np.asarray(strong)
    ok = accepted.ndim == 2 and accepted.shape == right.shape and accepted.size > 0
    if not ok or not all(np.all((t == 0) | (t == 1)) for t in (accepted, right)):
        raise InputError(f"both tables must be True and False of one shape (problems, samples), not {accepted.shape} and {right.shape}")
    return accepted.astype(bool), right.astype(bool)
