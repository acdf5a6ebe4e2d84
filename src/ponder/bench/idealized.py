"""Idealized and denoised runtime: what a model's queries cost on stated hardware, fitted to a few timed ones.

Narayanan et al. 2023, arXiv 2305.02440 (NeurIPS 2023). An idealized fit is made of queries on a machine of one's own; a denoised one of the
fastest answers of somebody else's service, and keeps what that service does to be fast. Never mix the two in one plot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.bench.stats import pareto
from ponder.core.errors import InputError
from ponder.core.pace import Pace

Cells = Mapping[tuple[int, int], float]
"""(prompt tokens, output tokens) -> seconds."""


@dataclass(frozen=True)
class RuntimeModel:
    """A fitted pace, and how well it fits.

    Attributes:
        pace: what estimates.
        r2: share of the variance of T - alpha_p that beta (o - 1) explains.
        mean_error, max_error: relative errors on the fitted cells.
    """

    pace: Pace
    r2: float = math.nan
    mean_error: float = math.nan
    max_error: float = math.nan

    @classmethod
    def fit(cls, cells: Cells, digits: int | None = None, hardware: str = "") -> RuntimeModel:
        """alpha_p = T(p, 1); beta by ordinary least squares of T(p, o) - alpha_p on o - 1, all p together.

        Args:
            cells: seconds of timed queries. Each p needs a cell with o = 1, and at least two o must be there.
            digits: decimals that alpha and beta are rounded to; 3 as published.
            hardware: what they were timed on.

        Raises:
            InputError: cells that are missing, token counts that are no whole numbers of at least 1, seconds that are not above 0.
        """
        _checked(cells)
        alpha = {p: t for (p, o), t in cells.items() if o == 1}
        missing = sorted({p for p, _ in cells} - set(alpha))
        if missing:
            raise InputError(f"every prompt size needs a cell with 1 output token, and {missing[:5]} have none")
        beta, r2 = _slope(cells, alpha)
        if digits is not None:
            alpha, beta = {p: round(t, digits) for p, t in alpha.items()}, round(beta, digits)
        return cls._of(Pace(alpha, beta, hardware=hardware), cells, r2)

    @classmethod
    def fit_denoised(cls, log: Iterable[tuple[int, int, float]], quantile: float = 0.1, hardware: str = "") -> RuntimeModel:
        """From the log of a service: the low end of every cell, then a line for each p, then beta over all.

        alpha_p is the line's value at o = 1, and never below that of the smallest p. The overhead is what is left of the smallest p's alpha
        once one decoding step is taken off; alpha is given without it.

        Args:
            log: (prompt tokens, output tokens, seconds), several a cell, and at least two o for each p.
            quantile: which of a cell's times is taken; 0 is the fastest.

        Raises:
            InputError: as for `fit`; a quantile outside [0, 1].
        """
        if not 0 <= quantile <= 1:
            raise InputError(f"quantile must be in [0, 1], not {quantile!r}")
        times: dict[tuple[int, int], list[float]] = {}
        for p, o, t in log:
            times.setdefault((p, o), []).append(t)
        cells = {cell: float(np.quantile(found, quantile)) for cell, found in times.items()}
        _checked(cells)
        sizes = sorted({p for p, _ in cells})
        alpha: dict[int, float] = {}
        for p in sizes:
            o = np.array([o - 1 for q, o in cells if q == p], dtype=np.float64)
            t = np.array([s for (q, _), s in cells.items() if q == p])
            if len(set(o)) < 2:
                raise InputError(f"a denoised fit needs at least 2 output sizes for each prompt size, and {p} has {len(set(o))}")
            _, first = np.polyfit(o, t, 1)
            alpha[p] = max(float(first), alpha.get(sizes[0], 0.0), 1e-9)
        beta, r2 = _slope(cells, alpha)
        overhead = max(0.0, alpha[sizes[0]] - beta)
        pure = {p: max(a - overhead, 1e-9) for p, a in alpha.items()}
        return cls._of(Pace(pure, beta, overhead, hardware), cells, r2)

    @classmethod
    def from_helm(cls, table: Mapping[str, Any], hardware: str = "") -> RuntimeModel:
        """HELM's own table of a model, with HELM's rule: {"runtime_for_prompt_tokens": {...}, "runtime_per_output_token": ...}."""
        try:
            alpha = {int(p): float(t) for p, t in table["runtime_for_prompt_tokens"].items()}
            return cls(Pace(alpha, float(table["runtime_per_output_token"]), hardware=hardware, helm=True))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"HELM's table has runtime_for_prompt_tokens and runtime_per_output_token, not {str(table)[:80]}") from error

    @classmethod
    def _of(cls, pace: Pace, cells: Cells, r2: float) -> RuntimeModel:
        errors = [abs(pace.seconds(p, o) - t) / t for (p, o), t in cells.items()]
        return cls(pace, r2, float(np.mean(errors)), float(np.max(errors)))

    def estimate(self, prompt: int, output: int = 1) -> float:
        """Seconds of one query."""
        return self.pace.seconds(prompt, output)

    def cost(self, prompt: int, output: int, accelerators: int, price_per_hour: float) -> float:
        """Idealized US cents of one query on so many accelerators at so many dollars an hour each: T n price / 36."""
        if accelerators < 1 or price_per_hour < 0:
            raise InputError(f"at least 1 accelerator at a price of at least 0 is needed, not {accelerators} at {price_per_hour}")
        return self.estimate(prompt, output) * accelerators * price_per_hour / 36

    def energy(self, prompt: int, output: int, accelerators: int, watts: float) -> float:
        """Idealized joules of one query on so many accelerators that draw so many watts each."""
        if accelerators < 1 or watts < 0:
            raise InputError(f"at least 1 accelerator that draws at least 0 watts is needed, not {accelerators} of {watts}")
        return self.estimate(prompt, output) * accelerators * watts

    def errors(self, cells: Cells) -> dict[tuple[int, int], float]:
        """Relative errors of the estimates on cells, for instance ones that were not fitted."""
        _checked(cells)
        return {(p, o): abs(self.estimate(p, o) - t) / t for (p, o), t in cells.items()}


def _slope(cells: Cells, alpha: Mapping[int, float]) -> tuple[float, float]:
    """Least squares of T - alpha_p on o - 1, all p together: the slope, at least 0, and R^2."""
    steps = np.array([o - 1 for _, o in cells], dtype=np.float64)
    rest = np.array([t - alpha[p] for (p, _), t in cells.items()])
    if len(set(steps)) < 2:
        raise InputError("beta needs cells of at least 2 output sizes")
    slope, first = np.polyfit(steps, rest, 1)
    unexplained, total = ((rest - first - slope * steps) ** 2).sum(), ((rest - rest.mean()) ** 2).sum()
    return max(0.0, float(slope)), float(1 - unexplained / total) if total > 0 else 1.0


def tradeoff(names: Sequence[str], accuracies: Sequence[float], costs: Sequence[float]) -> list[str]:
    """The models that no other beats (cheaper and better), cheapest first."""
    if not len(names) == len(accuracies) == len(costs):
        raise InputError(f"{len(names)} models need as many accuracies and costs, not {len(accuracies)} and {len(costs)}")
    return [names[int(i)] for i in pareto(costs, accuracies)]


def _checked(cells: Cells) -> None:
    for (p, o), t in cells.items():
        if p < 1 or o < 1 or p != int(p) or o != int(o) or not (math.isfinite(t) and t > 0):
            raise InputError(f"a cell is whole numbers of tokens of at least 1 and seconds above 0, not ({p!r}, {o!r}): {t!r}")
    if not cells:
        raise InputError("there are no timed queries to fit")
