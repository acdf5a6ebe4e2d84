"""Whether a model likes a place among the options better than what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np

from ponder.bench.stats import Interval, wilson
from ponder.core.errors import InputError, need


@dataclass(frozen=True)
class PositionBias:
    """Accuracy by the place of the right option, and how often each place is chosen.

    Attributes:
        accuracy: by place, with intervals; None where no right option stood there.
        chosen: how often each place was chosen.
        recall_std: standard deviation of the accuracies over places, 0 for a model without bias.
        chi2, p: of the chosen places against the places of the right options (Pearson; p by scipy; extra: bench).
    """

    accuracy: tuple[Interval | None, ...]
    chosen: tuple[int, ...]
    recall_std: float
    chi2: float
    p: float

    @property
    def spread(self) -> float:
        """The best place's accuracy less the worst's."""
        values = [a.value for a in self.accuracy if a is not None]
        return max(values) - min(values)


def position_bias(chosen: Sequence[str | None], gold: Sequence[str], options: int = 4) -> PositionBias:
    """How answers depend on the place of the right option.

    Args:
        chosen: the letter that was chosen for each question, None if none could be read.
        gold: the letter of the right option.
        options: how many options a question has.

    Raises:
        InputError: sequences of different lengths, or letters that no option has.
    """
    letters = ascii_uppercase[:options]
    if len(chosen) != len(gold) or not gold:
        raise InputError(f"as many answers as right letters are needed, at least 1, not {len(chosen)} and {len(gold)}")
    if any(g not in letters or len(g) != 1 for g in gold) or any(c is not None and c not in letters for c in chosen):
        raise InputError(f"answers must be letters among {letters}")
    accuracy: list[Interval | None] = []
    for letter in letters:
        here = [c == g for c, g in zip(chosen, gold, strict=True) if g == letter]
        accuracy.append(wilson(sum(here), len(here)) if here else None)
    counts = np.array([sum(c == letter for c in chosen) for letter in letters])
    expected = np.array([gold.count(letter) if isinstance(gold, str) else list(gold).count(letter) for letter in letters], dtype=np.float64)
    expected *= counts.sum() / expected.sum()
    seen = expected > 0
    chi2 = float(((counts - expected)[seen] ** 2 / expected[seen]).sum())
    stats = need("scipy.stats", "bench")
    p = float(stats.chi2.sf(chi2, max(1, int(seen.sum()) - 1)))
    values = [a.value for a in accuracy if a is not None]
    return PositionBias(tuple(accuracy), tuple(int(c) for c in counts), float(np.std(values)), chi2, p)
