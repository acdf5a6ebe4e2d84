"""How long a query takes on stated hardware without contention: a prompt term and a constant a further token (arXiv 2305.02440).

Wall-clock time mixes what a model costs with the load of the machine; this does not. It is what a bill's `idealized_seconds` are.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ponder.core.errors import InputError


@dataclass(frozen=True)
class Pace:
    """T(p, o) = alpha_p + beta (o - 1) + overhead for p prompt tokens and o output tokens; o = 0 costs what o = 1 does.

    Between profiled prompt sizes alpha is straight; beyond the largest it goes on in proportion (and below the smallest it stays).

    Attributes:
        alpha: prompt tokens -> seconds until the first output token.
        beta: seconds a further output token.
        overhead: seconds that every query takes besides; only of denoised fits.
        hardware: what it was measured on.
        helm: the rule of HELM's code instead: the time of the next larger profiled size, scaled down by p / size. It jumps.
    """

    alpha: Mapping[int, float]
    beta: float
    overhead: float = 0.0
    hardware: str = ""
    helm: bool = False
    _sizes: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.alpha or any(p < 0 or p != int(p) or not (math.isfinite(t) and t > 0) for p, t in self.alpha.items()):
            raise InputError(f"alpha must hold prompt sizes and seconds above 0, not {dict(self.alpha)!r:.120}")
        if not (math.isfinite(self.beta) and self.beta >= 0 and math.isfinite(self.overhead)):
            raise InputError(f"beta must be seconds of at least 0 and overhead a number, not {self.beta!r} and {self.overhead!r}")
        object.__setattr__(self, "_sizes", tuple(sorted(self.alpha)))

    def seconds(self, prompt: int, output: int = 1) -> float:
        """Idealized seconds of one query.

        Raises:
            InputError: token counts below 0 or not whole.
        """
        for name, value in (("prompt", prompt), ("output", output)):
            if value < 0 or value != int(value):
                raise InputError(f"{name} tokens must be a whole number of at least 0, not {value!r}")
        return self._first(prompt) + self.beta * max(output - 1, 0) + self.overhead

    def extrapolated(self, prompt: int) -> bool:
        """Whether a prompt is longer than any that was profiled."""
        return prompt > self._sizes[-1]

    def _first(self, prompt: int) -> float:
        sizes = self._sizes
        at = bisect.bisect_left(sizes, prompt)
        if at == len(sizes):
            return self.alpha[sizes[-1]] * prompt / max(1, sizes[-1])
        above = sizes[at]
        if self.helm:
            return self.alpha[above] * prompt / max(1, above)
        if above == prompt or at == 0:
            return self.alpha[above]
        below = sizes[at - 1]
        return self.alpha[below] + (self.alpha[above] - self.alpha[below]) * (prompt - below) / (above - below)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        alpha = {str(p): self.alpha[p] for p in self._sizes}
        return {"alpha": alpha, "beta": self.beta, "overhead": self.overhead, "hardware": self.hardware, "helm": self.helm}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Pace:
        """What `to_dict` wrote.

        Raises:
            InputError: for anything else.
        """
        try:
            alpha = {int(p): float(t) for p, t in data["alpha"].items()}
            rest = {k: data[k] for k in ("overhead", "hardware", "helm") if k in data}
            return cls(alpha, float(data["beta"]), **rest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"a pace is alpha (prompt tokens -> seconds) and beta, not {str(data)[:80]}: {error}") from error
