"""How many nats it takes to describe a weighted graph by a partition of its nodes.

The description length of a partition is that of the edges between groups (Peixoto 2012, sparse limit; degree-corrected or not), of the
weights within each pair of groups, and of the partition. Weights are exponential, the rate integrated out under a Gamma(1, mean weight)
prior, or log-normal, mean and variance integrated out under a normal-inverse-gamma prior centred on all log weights.
"""

from __future__ import annotations

import functools
import math
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
Law = Literal["exponential", "lognormal"]


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
        return -np.where(within, 0.5, 1.0) * xlogx(ends) - self.evidence(*tables)

    def group_terms(self, ends: Floats, sizes: Floats, corrected: bool) -> Floats:
        """Nats that each group costs, from its edge ends and number of nodes, without the degrees within it."""
        if corrected:
            return xlogx(ends) + xlogx(sizes)
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
        terms += float(self.group_terms(ends_of(tables), kinds.sum(1), corrected).sum())
        if corrected:
            terms -= self.total + float(xlogx(kinds).sum()) + float(need("scipy.special", "causal").gammaln(self.degrees + 1).sum())
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


def ends_of(tables: Floats) -> Floats:
    """Ends of edges in each group."""
    return tables[0].sum(1) + np.diag(tables[0])


def xlogx(x: Floats) -> Floats:
    return x * np.log(np.maximum(x, 1))  # counts are 0 or at least 1


def relabelled(groups: Labels) -> Labels:
    """Groups renumbered in order of first appearance."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
