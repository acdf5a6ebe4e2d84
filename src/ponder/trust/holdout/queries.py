"""Statistical queries answered with noise: means of functions over rows that nobody sees (Dwork et al. 2015, arXiv 1411.2664)."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.seeds import generator
from ponder.trust.holdout.accounting import epsilon_of, epsilon_of_rho
from ponder.trust.holdout.ledger import Ledger

Floats = NDArray[np.float64]


class StatisticalQueries:
    """Rows that answer adaptively chosen questions by their mean plus noise, a fixed number of times.

    Args:
        rows: the sample; anything with a length that the questions understand. Shown to nobody but the questions themselves.
        sigma: standard deviation of the Gaussian noise, or rate of the Laplace noise.
        budget: how many questions are answered.
        mechanism: "gaussian" or "laplace".
        ledger: a file that keeps questions, budget and noise across processes; in memory by default.
        seed: of the noise; by default a secret one that the ledger keeps.

    Raises:
        InputError: for impossible settings, or settings that differ from those the ledger was opened with.
    """

    def __init__(
        self,
        rows: Any,
        sigma: float,
        budget: int,
        *,
        mechanism: Literal["gaussian", "laplace"] = "gaussian",
        ledger: str | Path | Ledger | None = None,
        seed: int | None = None,
    ) -> None:
        if len(rows) < 1 or not (0 <= sigma < math.inf) or budget < 1 or mechanism not in ("gaussian", "laplace"):
            raise InputError(
                "queries need at least 1 row, a sigma of at least 0, a budget of at least 1 and the mechanism 'gaussian' or 'laplace', "
                f"not {len(rows)} rows, {sigma}, {budget}, {mechanism!r}"
            )
        self._rows, self.size, self.sigma, self.budget, self.mechanism = rows, len(rows), sigma, budget, mechanism
        self.ledger = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
        given = {"kind": mechanism, "size": self.size, "sigma": sigma, "budget": budget, "seed": seed}
        self._seed = int(self.ledger.settle(given, {"seed": secrets.randbits(62)})["seed"])

    def ask(self, query: Callable[[Any], ArrayLike]) -> float:
        """The noisy mean of `query(rows)`, which must be one number in [0, 1] a row; clipped to [0, 1].

        Raises:
            InputError: for a wrong shape, NaN or numbers out of range. The message tells nothing of the rows.
            BudgetExhausted: as many questions were answered as the budget allows.
        """
        values = np.asarray(query(self._rows), dtype=np.float64)
        if values.shape != (self.size,) or not (np.all(values >= 0) and np.all(values <= 1)):
            raise InputError(f"a query must give one number in [0, 1] for each of the {self.size} rows")
        return float(self.ask_means(values.mean())[0])

    def ask_means(self, means: ArrayLike) -> Floats:
        """Noisy answers to questions of which the means are known, shape (q,), all or none. The range [0, 1] is the caller's promise."""

        def answer(mean: float) -> float:
            def decide(number: int, spent: int) -> tuple[float, str, int]:
                if spent >= self.budget:
                    raise BudgetExhausted(f"all {self.budget} questions of the budget were asked: collect fresh rows")
                rng = generator(self._seed, ["question", number])
                noise = rng.standard_normal() if self.mechanism == "gaussian" else rng.laplace()
                return float(np.clip(mean + self.sigma * noise, 0, 1)), "holdout", 1

            return self.ledger.answer("", "", decide).value

        with self.ledger.together():
            return np.array([answer(float(m)) for m in np.atleast_1d(np.asarray(means, dtype=np.float64))])

    def epsilon(self, delta: float = 1e-6) -> float:
        """Privacy parameter of the answers so far: by zero-concentrated accounting for Gaussian noise (rho = 1 / (2 n^2 sigma^2) each), by
        composition of 1 / (n sigma) each for Laplace noise."""
        told, scale = self.ledger.spent, self.size * self.sigma
        if not told:
            return 0.0
        if scale == 0:
            return math.inf
        return epsilon_of_rho(told / (2 * scale**2), delta) if self.mechanism == "gaussian" else epsilon_of(1 / scale, told, delta)


def attack_accuracy(features: int, rows: int, sigma: float = 0.0) -> float:
    """What a holdout reports of a majority of random features, each turned to agree with what the holdout said of it; the truth is 1/2.

    `features` random signs are asked for their correlation with random labels, in [-1, 1]; answers carry Gaussian noise of standard
    deviation `sigma`. Closed form for many features: Phi(sqrt(2 k / (pi n)) n^(-1/2) / sqrt(1/n + sigma^2)).
    """
    if features < 1 or rows < 1 or sigma < 0:
        raise InputError(f"an attack needs features and rows of at least 1 and sigma of at least 0, not {features}, {rows}, {sigma}")
    return NormalDist().cdf(math.sqrt(2 * features / (math.pi * rows)) / math.sqrt(1 + rows * sigma**2))
