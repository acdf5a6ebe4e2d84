"""What a search's winner is worth on questions that the search never saw, asked through a reusable holdout.

The best of many configurations looks better on the questions that chose it than it is. The difference is the optimism gap.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.bench.stats import Interval, paired_bootstrap
from ponder.trust.holdout import Estimate, Holdout

Floats = NDArray[np.float64]


class Askable(Protocol):
    """What a winner is judged by: a `ponder.trust.holdout.Holdout`, or a baseline with its method `ask`."""

    def ask(self, train_scores: ArrayLike, holdout_scores: ArrayLike, name: str = "") -> Estimate: ...


@dataclass(frozen=True)
class Judged:
    """A winner beside a baseline, on the questions that chose it and on others.

    Attributes:
        score: the winner's mean grade as the search saw it.
        held: the estimate of it on fresh questions.
        naive_gain: over the baseline on the search's questions, paired; what a report without held-out questions would claim.
        gain: over the baseline on held-out questions.
        source: "holdout" if the held-out questions disagreed by more than chance would, "train" if not, for score and gain.
        remaining: how many more disagreements the holdout's budget pays for.
    """

    score: float
    held: Interval
    naive_gain: Interval
    gain: Interval
    source: tuple[str, str]
    remaining: int

    @property
    def gap(self) -> float:
        """Optimism: how much better the winner looked than it is."""
        return self.score - self.held.value

    @property
    def claims(self) -> tuple[bool, bool]:
        """Whether a gain is claimed: naively, and on held-out questions."""
        return self.naive_gain.low > 0, self.gain.low > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "gap": self.gap, "claims_naively": self.claims[0], "claims": self.claims[1]}

    def __str__(self) -> str:
        naive, honest = self.claims
        end = "a gain" if honest else "no gain is shown" + (", though the search's own questions claim one" if naive else "")
        return f"held out {self.held}, optimism {self.gap:+.3f}; over the baseline {self.gain}: {end}"


def holdout(size: int, ledger: str | Path | None = None, rows: tuple[str, ...] = (), seed: int | None = None, budget: int = 100) -> Holdout:
    """A reusable holdout for winners of searches.

    A search asks twice, after it has ended, so that its holdout may speak often: it does so where the halves disagree by more than half a
    standard error, 1 / (4 sqrt(size)), instead of the six that protect thousands of questions.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Holdout(size, threshold=0.25 / math.sqrt(size), budget=budget, ledger=ledger, rows=rows, seed=seed)


def judge(winner: tuple[Floats, Floats], baseline: tuple[Floats, Floats], asked: Askable, name: str = "") -> Judged:
    """Judge a winner through a holdout.

    Intervals hold the holdout's own tolerance and 1.96 standard errors of so many questions; what is not told of the held-out grades is
    taken from the search's.

    Args:
        winner: its grades in [0, 1] on the search's questions and on the held-out ones.
        baseline: the same of what it is compared with.
        asked: the holdout.
        name: of the winner; a name that was asked before gets its old answer.
    """
    size = len(winner[1])
    score = asked.ask(winner[0], winner[1], name and f"score of {name}")
    # A gain is in [-1, 1]; the holdout takes scores in [0, 1].
    half = asked.ask((winner[0] - baseline[0] + 1) / 2, (winner[1] - baseline[1] + 1) / 2, name and f"gain of {name}")
    error = 1.96 * _deviation(winner[0]) / math.sqrt(size)
    gained = 2 * half.value - 1
    wide = 2 * half.tolerance + 1.96 * _deviation(winner[0] - baseline[0]) / math.sqrt(size)
    held = min(1.0, max(0.0, score.value))
    return Judged(
        score=float(winner[0].mean()),
        held=Interval(held, max(0.0, held - score.tolerance - error), min(1.0, held + score.tolerance + error)),
        naive_gain=paired_bootstrap(winner[0], baseline[0]),
        gain=Interval(gained, gained - wide, gained + wide),
        source=(score.source, half.source),
        remaining=half.remaining,
    )


def _deviation(values: Floats) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.5
