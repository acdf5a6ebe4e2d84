"""Communities of a weighted graph: a stochastic block model of least description length (see `description`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ponder.causal.connectome.description import Floats, Graph, Labels, Law, ends_of, relabelled, xlogx
from ponder.core.errors import InputError, need


@dataclass(frozen=True, eq=False)
class Partition:
    """Groups of the nodes of a graph.

    Attributes:
        groups: the group of each node, 0 to n_groups - 1, in order of first appearance; shape (nodes,).
        levels: coarser partitions, each with two groups of the one before merged, those that cost least; the first is `groups`.
        description_length: in nats.
        degree_corrected: whether the model expects nodes of a group to differ in degree.
        weights: the law of the weights, "exponential" or "lognormal".
        tried: least description length found for each number of groups.
    """

    groups: Labels
    levels: tuple[Labels, ...]
    description_length: float
    degree_corrected: bool
    weights: Law
    tried: dict[int, float]

    @property
    def n_groups(self) -> int:
        return int(self.groups.max()) + 1


@dataclass(frozen=True)
class WeightedSBM:
    """Finds the partition of least description length.

    Args:
        weights: the law of the weights, or "auto" for the one that describes the graph in less. Sums of many small terms, as in the
            factors of an affinity tensor, vary less than exponential ones.
        degree_corrected: True, False, or "auto" likewise.
        most: the largest number of groups to try; the search stops earlier when three more groups in a row did not help.
        starts: random starts for each number of groups, besides three spectral ones.
        seed: of the search.
    """

    weights: Law | Literal["auto"] = "auto"
    degree_corrected: bool | Literal["auto"] = "auto"
    most: int = 16
    starts: int = 1
    seed: int = 0

    def fit(self, graph: ArrayLike) -> Partition:
        """Partition the nodes of an undirected graph.

        Args:
            graph: weights, shape (nodes, nodes), symmetric, at least 0; 0 is no edge.

        Raises:
            InputError: for fewer than 3 nodes, no edges, an asymmetric matrix, self-loops, or negative or non-finite weights.
        """
        if self.degree_corrected not in (True, False, "auto") or self.weights not in (*get_args(Law), "auto"):
            raise InputError(f"degree_corrected is True, False or 'auto', weights one of {get_args(Law)} or 'auto'; {self!r} was given")
        if self.most < 1 or self.starts < 0:
            raise InputError(f"most is at least 1 and starts at least 0, not {self.most} and {self.starts}")
        laws: tuple[Law, ...] = get_args(Law) if self.weights == "auto" else (self.weights,)
        kinds = (True, False) if self.degree_corrected == "auto" else (bool(self.degree_corrected),)
        found = [self._fit(Graph(graph, law), corrected) for law in laws for corrected in kinds]
        return min(found, key=lambda partition: partition.description_length)

    def _fit(self, graph: Graph, corrected: bool) -> Partition:
        rng = np.random.default_rng([self.seed, int(corrected)])
        best = np.zeros(graph.size, dtype=np.intp)
        tried = {1: graph.description_length(best, corrected)}
        since = 0
        for n in range(2, min(self.most, graph.size) + 1):
            found = [_moved(graph, start, corrected, rng) for start in self._starts(graph, n, rng)]
            lengths = [graph.description_length(groups, corrected) for groups in found]
            tried[n] = min(lengths)
            since = 0 if tried[n] < min(length for k, length in tried.items() if k < n) else since + 1
            if since == 0:
                best = found[int(np.argmin(lengths))]
            if since == 3:
                break
        best = relabelled(best)
        return Partition(best, graph.merged(best, corrected), min(tried.values()), corrected, graph.law, tried)

    def _starts(self, graph: Graph, n: int, rng: np.random.Generator) -> list[Labels]:
        """Clusters of the leading eigenvectors (of largest size, so that groups that avoid themselves are seen), and random groups."""
        cluster = need("sklearn.cluster", "causal")
        starts = []
        for vectors in graph.spectra:
            labels = cluster.KMeans(n, n_init=1, random_state=int(rng.integers(2**31))).fit_predict(vectors[:, :n])
            starts.append(_filled(labels.astype(np.intp), n, rng))
        return starts + [_filled(rng.integers(0, n, graph.size), n, rng) for _ in range(self.starts)]


def _moved(graph: Graph, groups: Labels, corrected: bool, rng: np.random.Generator, sweeps: int = 30) -> Labels:
    """Move single nodes to where they cost least, until no move helps; no group is left empty."""
    groups = groups.copy()
    n = int(groups.max()) + 1
    within = np.eye(n, dtype=bool)
    tables, kinds = graph.tables(groups, n)
    sizes = kinds.sum(1)

    def shift(i: int, group: int, near: Floats, sign: int) -> None:
        tables[:, group, :] += sign * near
        tables[:, :, group] += sign * near
        tables[:, group, group] -= sign * near[:, group]
        sizes[group] += sign
        kinds[group, graph.kind[i]] += sign

    for _ in range(sweeps):
        changed = False
        for i in rng.permutation(graph.size):
            old = int(groups[i])
            if sizes[old] == 1:
                continue
            near = graph.layers[:, i] @ np.eye(n)[groups]
            shift(i, old, near, -1)
            costs = graph.pair_terms(tables + near[:, None, :], within) - graph.pair_terms(tables, within)
            # Its neighbours' groups gain ends whichever group it joins; the group it joins gains its own ends too.
            ends = ends_of(tables) + near[0]
            cost = costs.sum(1) - graph.group_terms(ends, sizes, corrected)
            cost += graph.group_terms(ends + graph.degrees[i], sizes + 1, corrected)
            if corrected:
                same = kinds[:, graph.kind[i]]
                cost -= xlogx(same + 1) - xlogx(same)
            new = int(np.argmin(cost))
            if cost[new] > cost[old] - 1e-9:
                new = old
            changed |= new != old
            groups[i] = new
            shift(i, new, near, 1)
        if not changed:
            break
    return groups


def _filled(groups: Labels, n: int, rng: np.random.Generator) -> Labels:
    """The groups, with a random node moved into each that is empty."""
    for g in range(n):
        if not np.any(groups == g):
            crowded = np.flatnonzero(np.bincount(groups, minlength=n)[groups] > 1)
            groups[rng.choice(crowded)] = g
    return groups
