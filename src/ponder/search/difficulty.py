"""How hard a question is for a model: bins of difficulty with edges that bin new questions too."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difficulty:
    """Questions in bins, 0 the easiest.

    Attributes:
        ease: how easy each question is by the estimate, shape (questions,).
        bins: each question's bin, shape (questions,).
        edges: ease between neighbouring bins, falling, shape (number of bins - 1,).
        cost: what the estimate took a question, in the unit of the cache it is used with.
    """

    ease: Floats
    bins: NDArray[np.intp]
    edges: Floats
    cost: float = 0.0

    def __len__(self) -> int:
        return len(self.edges) + 1

    def of(self, ease: ArrayLike) -> NDArray[np.intp]:
        """Bins of further questions by value; one on an edge belongs to the easier bin. Shape as given."""
        values = np.asarray(ease, dtype=np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"ease must be finite numbers, not {ease!r:.80}")
        return np.searchsorted(-self.edges, -values, side="left").astype(np.intp)


def difficulty(table: ArrayLike, bins: int = 5, pilot: int | None = None, cost: float = 0.0) -> Difficulty:
    """Cut questions into bins of equal size by how easy they are (Snell et al. 2024, arXiv 2408.03314, section 3.2).

    What the table holds makes the kind of estimate. Which samples are right (0 and 1) gives pass@1, the oracle, which needs the
    answers; the reward model's scores of the samples give the predicted difficulty, which does not.

    Pass@1 is a share of few samples, with many ties at 0 and 1. Questions are therefore cut by rank, equal ones in the order in
    which they are given.

    Args:
        table: shape (questions, samples), higher is easier; or the means, shape (questions,).
        bins: how many.
        pilot: use only so many samples of each question: the cheap estimate.
        cost: what one sample costs, in samples, tokens or whatever the cache counts.

    Raises:
        InputError: fewer questions than bins, numbers that are not finite, a pilot of more samples than there are.
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim not in (1, 2) or values.size == 0 or not np.isfinite(values).all():
        raise InputError(f"difficulty needs finite numbers of shape (questions, samples) or (questions,), not of shape {values.shape}")
    samples = values.shape[1] if values.ndim == 2 else 0
    if pilot is not None and not 1 <= pilot <= samples:
        raise InputError(f"a pilot needs from 1 to {samples} samples, the number there is of each question, not {pilot}")
    if not 1 <= bins <= len(values):
        raise InputError(f"{len(values)} questions can be cut into 1 to {len(values)} bins, not {bins}")
    ease = values[:, :pilot].mean(axis=1) if samples else values
    order = np.argsort(-ease, kind="stable")
    cut = np.array_split(order, bins)
    index = np.empty(len(ease), dtype=np.intp)
    for number, members in enumerate(cut):
        index[members] = number
    edges = np.array([(ease[easier[-1]] + ease[harder[0]]) / 2 for easier, harder in pairwise(cut)])
    return Difficulty(ease, index, edges, cost * (pilot or samples))
