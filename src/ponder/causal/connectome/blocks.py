"""Communities of a weighted graph: a stochastic block model of least description length.

The description length of a partition is that of the edges between groups (Peixoto 2012, sparse limit; degree-corrected or not), of the
weights within each pair of groups, and of the partition. Weights are exponential, the rate integrated out under a Gamma(1, mean weight)
prior, or log-normal, mean and variance integrated out under a normal-inverse-gamma prior centred on all log weights.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
Law = Literal["exponential", "lognormal"]


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


class Graph:
    """A checked weighted graph, and what its description length under a law of the weights needs.

    Attributes:
        layers: edges, then the statistics of their weights that the law needs, shape (1 or more, nodes, nodes).
    """

    def __init__(self, weights: ArrayLike, law: Law) -> None:
        self.weights: Floats = np.asarray(weights, dtype=np.float64)
        self.law: Law = law
        if self.weights.ndim != 2 or self.weights.shape[0] != self.weights.shape[1] or len(self.weights) < 3:
            raise InputError(f"a graph needs a square matrix of at least 3 nodes, not shape {self.weights.shape}")
        if not np.all(np.isfinite(self.weights)) or np.any(self.weights < 0):
            raise InputError("edge weights must be finite and at least 0")
        if not np.allclose(self.weights, self.weights.T) or np.any(np.diag(self.weights) != 0):
            raise InputError("the graph must be undirected: a symmetric matrix with a diagonal of 0")
        edges = self.weights > 0
        if not edges.any():
            raise InputError("the graph has no edges")
        self.degrees = edges.sum(1).astype(np.float64)
        self.size, self.total = len(self.weights), float(edges.sum() / 2)
        self.mean = float(self.weights[edges].mean())
        logs = np.log(self.weights, out=np.zeros_like(self.weights), where=edges)
        self.centre, self.spread = float(logs[edges].mean()), float(max(logs[edges].var(), 1e-12))
        centred = np.where(edges, logs - self.centre, 0.0)
        statistics = [self.weights] if law == "exponential" else [centred, centred**2]
        self.layers: Floats = np.stack([edges.astype(np.float64), *statistics])
        self.logs_total = float(logs.sum() / 2)
        kinds, self.kind = np.unique(self.degrees, return_inverse=True)
        self.kinds = len(kinds)

    @functools.cached_property
    def spectra(self) -> list[Floats]:
        """Eigenvectors, largest eigenvalues first, times the eigenvalue, of edges, weights and log weights."""
        found = []
        for matrix in (self.layers[0], self.weights, np.log1p(self.weights / self.mean)):
            values, vectors = np.linalg.eigh(matrix)
            order = np.argsort(-np.abs(values))
            found.append(vectors[:, order] * values[order])
        return found

    def evidence(self, counts: Floats, *sums: Floats) -> Floats:
        """Log-probability density of the weights between each pair of groups, parameters integrated out."""
        gammaln = need("scipy.special", "causal").gammaln
        if self.law == "exponential":
            return math.log(self.mean) + gammaln(1 + counts) - (1 + counts) * np.log(self.mean + np.maximum(sums[0], 0))
        total, squares = sums
        around = np.maximum(squares - total**2 / (1 + counts), 0)  # within the pair, and of its mean from that of all
        shape = 1 + counts / 2
        scale = shape * np.log(self.spread + around / 2) - math.log(self.spread)
        return gammaln(shape) - scale - 0.5 * np.log1p(counts) - counts / 2 * math.log(2 * math.pi)

    def pair_terms(self, tables: Floats, within: NDArray[np.bool_]) -> Floats:
        """Nats that each pair of groups costs, from sums of the layers over its edges (each edge counted once)."""
        ends = np.where(within, 2 * tables[0], tables[0])
        return -np.where(within, 0.5, 1.0) * _xlogx(ends) - self.evidence(*tables)

    def group_terms(self, ends: Floats, sizes: Floats, corrected: bool) -> Floats:
        """Nats that each group costs, from its edge ends and number of nodes, without the degrees within it."""
        if corrected:
            return _xlogx(ends) + _xlogx(sizes)
        return ends * np.log(np.maximum(sizes, 1))

    def tables(self, groups: Labels, n: int) -> tuple[Floats, Floats]:
        """Sums of the layers between groups (each edge counted once), shape (layers, n, n), and nodes of each degree in each group."""
        member = np.eye(n)[groups]
        kinds = np.zeros((n, self.kinds))
        np.add.at(kinds, (groups, self.kind), 1)
        return (member.T @ self.layers @ member) * (1 - np.eye(n) / 2), kinds

    def description_length(self, groups: Labels, corrected: bool) -> float:
        """Nats to describe the graph by a partition into groups 0 to max(groups)."""
        n = int(groups.max()) + 1
        tables, kinds = self.tables(groups, n)
        terms = float(self.pair_terms(tables, np.eye(n, dtype=bool))[np.triu_indices(n)].sum())
        terms += float(self.group_terms(_ends(tables), kinds.sum(1), corrected).sum())
        if corrected:
            terms -= self.total + float(_xlogx(kinds).sum()) + float(need("scipy.special", "causal").gammaln(self.degrees + 1).sum())
        else:
            terms += self.total
        if self.law == "lognormal":
            terms += self.logs_total  # from the density of log weights to that of weights
        return terms + 0.25 * n * (n + 1) * math.log(self.total) + self.size * math.log(n)

    def merged(self, groups: Labels, corrected: bool) -> tuple[Labels, ...]:
        """The partition and what becomes of it when again and again the two groups are merged whose union is described in least."""
        levels = [groups]
        while (n := int(levels[-1].max()) + 1) > 1:
            unions = [relabelled(np.where(levels[-1] == b, a, levels[-1])) for a, b in combinations(range(n), 2)]
            levels.append(min(unions, key=lambda union: self.description_length(union, corrected)))
        return tuple(levels)


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
            ends = _ends(tables) + near[0]
            cost = costs.sum(1) - graph.group_terms(ends, sizes, corrected)
            cost += graph.group_terms(ends + graph.degrees[i], sizes + 1, corrected)
            if corrected:
                same = kinds[:, graph.kind[i]]
                cost -= _xlogx(same + 1) - _xlogx(same)
            new = int(np.argmin(cost))
            if cost[new] > cost[old] - 1e-9:
                new = old
            changed |= new != old
            groups[i] = new
            shift(i, new, near, 1)
        if not changed:
            break
    return groups


def _ends(tables: Floats) -> Floats:
    """Ends of edges in each group."""
    return tables[0].sum(1) + np.diag(tables[0])


def _filled(groups: Labels, n: int, rng: np.random.Generator) -> Labels:
    """The groups, with a random node moved into each that is empty."""
    for g in range(n):
        if not np.any(groups == g):
            crowded = np.flatnonzero(np.bincount(groups, minlength=n)[groups] > 1)
            groups[rng.choice(crowded)] = g
    return groups


def _xlogx(x: Floats) -> Floats:
    return x * np.log(np.maximum(x, 1))  # counts are 0 or at least 1


def relabelled(groups: Labels) -> Labels:
    """Groups renumbered in order of first appearance."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
