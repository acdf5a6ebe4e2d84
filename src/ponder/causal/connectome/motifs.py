"""Time-resolved motifs: components of the affinity tensor, each with its time course, its animals and its communities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.causal.connectome.affinity import Mode, differential_affinity
from ponder.causal.connectome.blocks import Partition, WeightedSBM
from ponder.causal.connectome.factorisation import CPResult, NonnegativeCP, choose_rank
from ponder.core.errors import InputError, need

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Motif:
    """A pattern of units that change together at some times.

    Attributes:
        weight: its share of the sizes of all motifs.
        course: how strong it is at each kept frame, of norm 1, shape (times,).
        times: the frames, shape (times,).
        animals: how strong it is in each, of norm 1, shape (animals,).
        affinity: between units, symmetric with a diagonal of 0, shape (units, units).
        partition: the communities of its affinities.
        components: which components of the factorisation it is made of.
    """

    weight: float
    course: Floats
    times: NDArray[np.intp]
    animals: Floats
    affinity: Floats
    partition: Partition
    components: tuple[int, ...]

    @property
    def participation(self) -> Floats:
        """How much each unit takes part: its summed affinity, largest 1; shape (units,)."""
        strength = self.affinity.sum(1)
        return strength / strength.max()


def dynamic_connectome(
    traces: ArrayLike,
    rank: int | Sequence[int],
    smooth: float = 3.0,
    mode: Mode = "sqrt_product",
    stride: int = 1,
    merge_over: float = 0.7,
    n_init: int = 5,
    sweeps: int = 100,
    seed: int = 0,
) -> list[Motif]:
    """Find the motifs of recorded traces.

    Affinities of concurrent changes, their non-negative factorisation over time, animals and pairs, a block model of each component's
    pairs. Too high a rank splits one event over components, so those whose (smoothed) courses overlap are merged.

    Args:
        traces: shape (animals, units, frames), aligned in time; a unit that an animal lacks is NaN throughout.
        rank: of the factorisation, or ranks among which `choose_rank` chooses.
        smooth, mode, stride: as for `differential_affinity`.
        merge_over: components whose courses, smoothed over a twentieth of the time, have a cosine above this are merged; 1 merges none.
        n_init, sweeps, seed: of the factorisation; the seed is also that of the block models.

    Returns:
        The motifs, strongest first.
    """
    if not 0 < merge_over <= 1:
        raise InputError(f"merge_over is a cosine above 0 and at most 1, not {merge_over}")
    found = differential_affinity(traces, smooth, mode, stride)
    moments, pairs = found.tensor.any(axis=(1, 2)), found.tensor.any(axis=(0, 1))  # the rest has no affinity, and none to factorise
    tensor, mask = found.tensor[moments][:, :, pairs], found.mask[:, pairs]
    if isinstance(rank, int):
        fit = NonnegativeCP(rank, n_init, sweeps, 1e-5, seed).fit(tensor, mask)
    else:
        choice = choose_rank(tensor, rank, mask, n_init=max(3, n_init), sweeps=sweeps, seed=seed)
        fit = choice.fits[choice.rank]
    places = tuple(side[pairs] for side in np.triu_indices(found.units, 1))
    motifs = []
    for members in overlapping(fit, merge_over):
        chosen = list(members)
        sizes = fit.weights[chosen]
        course, animals, strengths = (factor[:, chosen] @ sizes for factor in fit.factors)
        affinity = np.zeros((found.units, found.units))
        affinity[places] = strengths
        affinity += affinity.T
        graph = np.where(affinity > 1e-6 * affinity.max(), affinity, 0.0)  # what the factorisation leaves near 0 is no edge
        partition = WeightedSBM(seed=seed).fit(graph / graph.max())
        share = float(sizes.sum() / fit.weights.sum())
        motifs.append(
            Motif(
                share,
                course / np.linalg.norm(course),
                found.times[moments],
                animals / np.linalg.norm(animals),
                affinity,
                partition,
                members,
            )
        )
    return sorted(motifs, key=lambda motif: -motif.weight)


def overlapping(fit: CPResult, merge_over: float) -> list[tuple[int, ...]]:
    """Groups of components whose smoothed courses have a cosine above `merge_over` (single linkage), strongest first."""
    courses = need("scipy.ndimage", "causal").gaussian_filter1d(fit.factors[0], len(fit.factors[0]) / 20, axis=0)
    courses /= np.linalg.norm(courses, axis=0)
    nx = need("networkx", "causal")
    near = nx.Graph()
    near.add_nodes_from(range(fit.rank))
    near.add_edges_from(np.argwhere(courses.T @ courses > merge_over).tolist())
    return sorted(tuple(sorted(part)) for part in nx.connected_components(near))
