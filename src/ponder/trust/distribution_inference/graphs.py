"""Graphs whose mean degree or clustering is the secret, as rows that a network of two hops sees.

Every node's label is which half of a smoothed random field it lies in, so that neighbours agree and labels are even in all worlds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.trust.distribution_inference.records import Records

Floats = NDArray[np.float64]


def zipf_graph(nodes: int, most: int, exponent: float, rng: np.random.Generator) -> Any:
    """A random graph with degrees from a truncated Zipf law, P(k) ~ k^-exponent for k = 1..most; loops and doubles are dropped."""
    networkx = _networkx()
    if nodes < 2 or not 1 <= most < nodes or not exponent >= 0:
        raise InputError(f"a graph needs 2 nodes, 1 <= most < nodes and an exponent of at least 0, not {nodes!r}, {most!r}, {exponent!r}")
    weights = np.arange(1, most + 1) ** -float(exponent)
    degrees = rng.choice(most, nodes, p=weights / weights.sum()) + 1
    degrees[0] += degrees.sum() % 2
    graph = networkx.Graph(networkx.configuration_model(degrees.tolist(), seed=int(rng.integers(2**31))))
    graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
    return graph


def clustered_graph(nodes: int, edges: int, triangles: float, rng: np.random.Generator) -> Any:
    """A graph grown by preferential attachment, `edges` a new node, each followed by a triangle with a chance (Holme & Kim 2002)."""
    if nodes < 2 or not 1 <= edges < nodes or not 0 <= triangles <= 1:
        raise InputError(f"a graph needs 1 <= edges < nodes and a chance in [0, 1], not {nodes!r}, {edges!r}, {triangles!r}")
    return _networkx().powerlaw_cluster_graph(nodes, edges, triangles, seed=int(rng.integers(2**31)))


def graph_records(graph: Any, rng: np.random.Generator, features: int = 8, signal: float = 0.5) -> Records:
    """Nodes as rows: a node's features, their mean over its neighbours and itself, and the mean of that, shape (nodes, 3 * features).

    Args:
        graph: a networkx graph on nodes 0, 1, ...
        rng: of labels and features.
        features: numbers a node; the first leans to the label's side.
        signal: by how much, in standard deviations.
    """
    means = _networkx().to_scipy_sparse_array(graph, nodelist=range(len(graph)), format="csr", dtype=float)
    means.setdiag(1.0)
    means = means.multiply(1 / means.sum(axis=1)[:, None]).tocsr()
    field = means @ (means @ rng.standard_normal(len(graph)))
    labels = (np.argsort(np.argsort(field)) >= len(graph) // 2).astype(np.int64)
    own = rng.standard_normal((len(graph), features))
    own[:, 0] += signal * (2 * labels - 1)
    once = means @ own
    return Records(np.column_stack([own, once, means @ once]), labels, np.zeros(len(graph), np.int64))


def _networkx() -> Any:
    return need("networkx", "trust")
