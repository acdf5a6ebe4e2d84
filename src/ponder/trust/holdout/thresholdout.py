"""The reusable holdout: Thresholdout and SparseValidate (Dwork et al. 2015, arXiv 1506.02629, section 4).

The training half answers, unless the holdout half disagrees by more than a noisy threshold. Only disagreement costs budget.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.seeds import generator
from ponder.trust.holdout.accounting import epsilon_of
from ponder.trust.holdout.ledger import Ledger

Floats = NDArray[np.float64]
Preset = Literal["theorem", "science2015"]


@dataclass(frozen=True)
class Estimate:
    """What a holdout says of one configuration.

    Attributes:
        value: the estimate of its mean score on fresh questions; report this one.
        source: "train" if the two halves agree (the value is the training half's mean), "holdout" if they do not.
        remaining: how many more disagreements the budget pays for.
        tolerance: the value is within this distance of the holdout half's own mean with probability at least .95, if the threshold was
            drawn just now; a high draw stays until the holdout speaks again.
    """

    value: float
    source: Literal["train", "holdout"]
    remaining: int
    tolerance: float


class Holdout:
    """A holdout half that may be asked again and again, each question chosen after the answers before it.

    Split your questions once (`halves`). Tune on the training half as you like. For each configuration whose score you want
    to believe, give its scores, question by question, on both halves:

        train, held = halves(ids)
        holdout = Holdout(len(held), ledger="holdout.sqlite", rows=[ids[i] for i in held])
        estimate = holdout.ask(scores[train], scores[held], name=str(method))
        estimate.value, estimate.source, estimate.remaining

    The mean of the holdout scores is never returned as it is, so a search that looks at every estimate cannot overfit the half
    by more than the threshold; show nothing else of it (no means, no single answers, no errors that depend on it).

    Below the threshold the answer is the training half's mean, overfitted as it may be: what is ruled out is a gain that
    the holdout half does not show within the threshold. A budget spent raises `BudgetExhausted`; fresh rows are then needed.

    Args:
        size: rows of the holdout half.
        threshold: how far the halves may disagree before the holdout speaks, in units of score; by default 3 / sqrt(size) of the range.
        noise: rate sigma of the Laplace noises (sigma on answers, 2 sigma on the threshold, 4 sigma on the comparison); by default
            a 24th of the threshold. With a 12th, 9 of 60 ledgers vouched for an overfitted vote of 300 prompts on 250 questions.
        budget: how many times the holdout speaks.
        ledger: a file that keeps questions, budget and noise across processes; in memory by default.
        seed: of the noise. By default a secret one, which the ledger keeps: noise that the asker can predict protects nothing.
        rows: names of the holdout's rows; a ledger then refuses any other rows.
        low, high: the range of the scores.
        preset: "theorem" is the algorithm with the guarantee. "science2015" is the lighter one of the published simulations: Gaussian
            noise of standard deviation `noise`, a fresh threshold each question, no budget. It carries no privacy guarantee.

    Raises:
        InputError: for impossible settings, or settings that differ from those the ledger was opened with.
    """

    def __init__(
        self,
        size: int,
        *,
        threshold: float | None = None,
        noise: float | None = None,
        budget: int = 100,
        ledger: str | Path | Ledger | None = None,
        seed: int | None = None,
        rows: Sequence[str] = (),
        low: float = 0.0,
        high: float = 1.0,
        preset: Preset = "theorem",
    ) -> None:
        if size < 1 or not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(f"a holdout needs at least 1 row and scores in a range low < high, not {size} rows and {low} to {high}")
        if rows and len(rows) != size:
            raise InputError(f"a holdout of {size} rows needs a name for each or none, not {len(rows)}")
        if budget < 1 or preset not in ("theorem", "science2015"):
            raise InputError(f"a budget of at least 1 and the preset 'theorem' or 'science2015' are needed, not {budget} and {preset!r}")
        if not (threshold is None or threshold >= 0) or not (noise is None or 0 <= noise < math.inf):
            raise InputError(f"threshold and noise must be numbers of at least 0, not {threshold} and {noise}")
        self.ledger = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
        clear = 3 * (high - low) / math.sqrt(size)
        usual = clear if threshold is None else threshold
        given = {
            "kind": type(self).__name__,
            "rows": _digest("\n".join(sorted(rows)).encode()) if rows else None,
            "size": size,
            "low": low,
            "high": high,
            "preset": preset,
            "threshold": threshold,
            "noise": noise,
            "budget": budget,
            "seed": seed,
        }
        quiet = (usual if math.isfinite(usual) else clear) / 24
        kept = self.ledger.settle(given, {"threshold": usual, "noise": quiet, "seed": secrets.randbits(62)})
        self.size, self.budget, self.preset, self.low, self.high = size, budget, preset, low, high
        self.threshold, self.noise, self._seed = float(kept["threshold"]), float(kept["noise"]), int(kept["seed"])
        if self.threshold < clear * 0.999 or self.noise > self.threshold / 2:
            warnings.warn(
                f"threshold {self.threshold:.3g} with noise {self.noise:.3g} on {size} rows: questions without any overfitting will "
                f"reach the holdout and spend budget; a threshold of {clear:.3g} and noise below half of it avoid that",
                stacklevel=2,
            )

    def ask(self, train_scores: ArrayLike, holdout_scores: ArrayLike, name: str = "") -> Estimate:
        """The estimate for one configuration.

        Args:
            train_scores: its score on each question of the training half, shape (m,), in [low, high].
            holdout_scores: the same for the holdout half, shape (size,).
            name: what to call the configuration. A name asked again gets its old answer and spends nothing.

        Raises:
            InputError: for a wrong shape, NaN, scores out of range, or a name that was asked of other scores.
            BudgetExhausted: the budget was spent before this question; nothing is answered.
        """
        train, held = self._checked("train_scores", train_scores, None), self._checked("holdout_scores", holdout_scores, self.size)
        return self._ask_means(float(train.mean()), float(held.mean()), name, _digest(train.tobytes() + held.tobytes()))

    def ask_means(self, train_means: ArrayLike, holdout_means: ArrayLike) -> list[Estimate]:
        """Many questions in turn, given the means of their scores, shape (q,) each: all answered or none. Ranges are not checked."""
        pairs = np.broadcast_arrays(np.atleast_1d(train_means), np.atleast_1d(holdout_means))
        with self.ledger.together():
            return [self._ask_means(float(t), float(h), "", "") for t, h in zip(*pairs, strict=True)]

    @property
    def remaining(self) -> int:
        """How many more disagreements the budget pays for."""
        return self.budget - self.ledger.spent

    def epsilon(self, delta: float = 0.0) -> float:
        """Privacy parameter of everything told so far: 2 / (noise * size) each time the holdout spoke, and once for its silence since.

        Infinite for the preset "science2015", and where there is no noise.
        """
        rate, asked = self.noise * self.size / (self.high - self.low), len(self.ledger.entries())
        times = min(self.ledger.spent + 1, self.budget) if asked else 0
        return epsilon_of(2 / rate, times, delta) if rate > 0 and self.preset == "theorem" else math.inf

    def _ask_means(self, train: float, held: float, name: str, digest: str) -> Estimate:
        def decide(number: int, spent: int) -> tuple[float, str, int]:
            if spent >= self.budget and self.preset == "theorem":
                spoken = f"the holdout's budget of {self.budget} is spent after {number} questions"
                raise BudgetExhausted(f"{spoken}: its rows cannot vouch for more; collect fresh ones")
            return self._decide(train, held, number, spent)

        entry = self.ledger.answer(name, digest, decide)
        source: Literal["train", "holdout"] = "train" if entry.source == "train" else "holdout"
        return Estimate(entry.value, source, self.budget - entry.spent, self._tolerance(source))

    def _decide(self, train: float, held: float, number: int, spent: int) -> tuple[float, str, int]:
        """One step of Thresholdout: value, source, cost."""
        rng = generator(self._seed, ["question", number])
        if self.preset == "science2015":
            over = abs(held - train) > self.threshold + self.noise * rng.standard_normal()
            return (held + self.noise * rng.standard_normal(), "holdout", 0) if over else (train, "train", 0)
        if self._over(train, held, rng, spent):
            return held + self.noise * rng.laplace(), "holdout", 1
        return train, "train", 0

    def _over(self, train: float, held: float, rng: np.random.Generator, spent: int) -> bool:
        """Whether the halves disagree by more than the noisy threshold, which is drawn anew each time the holdout has spoken."""
        moved = self.threshold + 2 * self.noise * generator(self._seed, ["threshold", spent]).laplace()
        return abs(held - train) > moved + 4 * self.noise * rng.laplace()

    def _tolerance(self, source: str) -> float:
        if self.preset == "science2015":
            return 2 * self.noise if source == "holdout" else self.threshold + 2 * self.noise
        # P(Lap(4s) + Lap(2s) > t) = (16 exp(-t/4s) - 4 exp(-t/2s)) / 24 is .05 at t = 10.29 s.
        return math.log(20) * self.noise if source == "holdout" else self.threshold + 10.29 * self.noise

    def _checked(self, what: str, scores: ArrayLike, size: int | None) -> Floats:
        array = np.asarray(scores, dtype=np.float64)
        if array.ndim != 1 or array.size == 0 or (size is not None and array.size != size):
            raise InputError(f"{what} must be one number a question, shape ({'m' if size is None else size},), not {array.shape}")
        # Nothing of the values is said: an error's text would be an answer that no noise protects.
        if not (np.all(array >= self.low) and np.all(array <= self.high)):
            raise InputError(f"{what} must be numbers between {self.low:g} and {self.high:g}; some are not")
        return array


class SparseValidate(Holdout):
    """The same test, which tells only whether the halves agree: `validate` for `ask`. Disagreement costs budget."""

    def validate(self, train_scores: ArrayLike, holdout_scores: ArrayLike, name: str = "") -> bool:
        """True if the training half's mean holds on the holdout half, within the noisy threshold.

        Raises:
            InputError, BudgetExhausted: as for `Holdout.ask`.
        """
        return super().ask(train_scores, holdout_scores, name).source == "train"

    def ask(self, train_scores: ArrayLike, holdout_scores: ArrayLike, name: str = "") -> Estimate:
        """Refused: this mechanism tells no value."""
        raise InputError("SparseValidate tells only valid or invalid: use validate(), or a Holdout")

    def _decide(self, train: float, held: float, number: int, spent: int) -> tuple[float, str, int]:
        over = self._over(train, held, generator(self._seed, ["question", number]), spent)
        return train, "holdout" if over else "train", int(over)


class NaiveHoldout:
    """The baseline: the holdout half's own mean, as everyone does it. Overfits once questions depend on answers."""

    def __init__(self, size: int) -> None:
        self.size = size

    def ask(self, train_scores: ArrayLike, holdout_scores: ArrayLike, name: str = "") -> Estimate:
        """The mean of the holdout's scores."""
        return Estimate(float(np.asarray(holdout_scores, dtype=np.float64).mean()), "holdout", 0, 0.0)


class FreshParts:
    """The other baseline: the holdout cut into as many parts as there may be questions, each used once. Valid, and wasteful.

    Args:
        size: rows of the holdout half.
        questions: how many questions may be asked.
    """

    def __init__(self, size: int, questions: int) -> None:
        if not 1 <= questions <= size:
            raise InputError(f"{size} rows can be cut into 1 to {size} parts, not {questions}")
        self.size, self.questions, self.asked = size, questions, 0

    def ask(self, train_scores: ArrayLike, holdout_scores: ArrayLike, name: str = "") -> Estimate:
        """The mean of the next part's scores.

        Raises:
            BudgetExhausted: every part has been used.
        """
        if self.asked >= self.questions:
            raise BudgetExhausted(f"all {self.questions} parts of the holdout have been used: collect fresh rows")
        part = np.asarray(holdout_scores, dtype=np.float64)[self.asked :: self.questions]
        self.asked += 1
        return Estimate(float(part.mean()), "holdout", self.questions - self.asked, 0.0)


def halves(ids: Sequence[str], share: float = 0.5, salt: str = "") -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the training and of the holdout half: a question's half follows from its id, in every process and every subset.

    Args:
        ids: names of the questions, all different.
        share: expected share of the holdout half.
        salt: another text is another split.

    Raises:
        InputError: for repeated ids, or so few that a half is empty.
    """
    if len(set(ids)) < len(ids):
        raise InputError("every question needs an id of its own: rows that are in both halves make the holdout worthless")
    draws = np.array([int(_digest(f"{salt}\0{i}".encode())[:15], 16) / 16**15 for i in ids])
    train, held = np.flatnonzero(draws >= share), np.flatnonzero(draws < share)
    if not len(train) or not len(held):
        raise InputError(f"{len(ids)} questions cannot be split into two halves with a holdout share of {share}")
    return train, held


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
