"""Expression of a random gene network, and dropouts of it: the simulator of Dai et al. 2024."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

import numpy as np

from ponder.causal.graphs import dag, topological
from ponder.causal.independence import Floats
from ponder.core.errors import InputError

Kind = Literal["raw", "exp", "poisson"]
Mechanism = Literal["constant", "truncation", "logistic"]
Edge = tuple[int, int]


def random_network(genes: int, edges: int, rng: np.random.Generator) -> tuple[Edge, ...]:
    """A random acyclic graph: `edges` of the pairs of a random order, each as likely."""
    pairs = [(u, v) for u in range(genes) for v in range(u + 1, genes)]
    if not 0 <= edges <= len(pairs):
        raise InputError(f"{genes} genes have at most {len(pairs)} edges, not {edges}")
    order = rng.permutation(genes)
    return tuple((int(order[pairs[k][0]]), int(order[pairs[k][1]])) for k in rng.choice(len(pairs), edges, replace=False))


def simulate_expression(edges: Collection[Edge], genes: int, cells: int, kind: Kind, rng: np.random.Generator) -> Floats:
    """True expression Z, shape (cells, genes).

    Args:
        edges: (cause, effect) pairs.
        genes, cells: how many.
        kind: "raw" is linear with weights of size 0.25 to 1 and Gaussian noise of sd 1 to 2 about -1 to 1; "exp" is that standardised and
            exponentiated; "poisson" counts with rate exp(weights times parents + offset) + 0.5, weights -1 to -0.3, offset 1 to 3.
    """
    if kind not in get_args(Kind) or cells < 2:
        raise InputError(f"kind is one of {get_args(Kind)} and cells at least 2; {kind!r} and {cells} were given")
    graph = dag(range(genes), edges)
    values = np.zeros((cells, genes))
    for v in topological(graph):
        parents = sorted(graph.predecessors(v))
        if kind == "poisson":
            weights = rng.uniform(-1, -0.3, len(parents))
            values[:, v] = rng.poisson(np.exp(values[:, parents] @ weights + rng.uniform(1, 3)) + 0.5)
        else:
            weights = rng.uniform(0.25, 1, len(parents)) * rng.choice([-1, 1], len(parents))
            values[:, v] = values[:, parents] @ weights + rng.normal(rng.uniform(-1, 1), rng.uniform(1, 2), cells)
    return np.exp((values - values.mean(0)) / values.std(0)) if kind == "exp" else values


def drop_out(expression: Floats, mechanism: Mechanism, rng: np.random.Generator, kind: Kind = "raw") -> Floats:
    """Measured expression X: true expression with some values set to 0, each gene by its own rule.

    Args:
        expression: Z, shape (cells, genes).
        mechanism: "constant" is a rate a gene, 0.4 to 0.7 (raw) or 0.3 to 0.6; "truncation" drops what is below a percentile, 20 to 50 or
            20 to 40; "logistic" has P(drop) = sigmoid(-0.5 - 1.5 z) or sigmoid(0.5 - 0.5 z), z standardised within the gene.
        kind: of the expression; sets the ranges.
    """
    if mechanism not in get_args(Mechanism) or kind not in get_args(Kind):
        raise InputError(f"mechanism is one of {get_args(Mechanism)}, kind of {get_args(Kind)}; not {mechanism!r}, {kind!r}")
    genes, raw = expression.shape[1], kind == "raw"
    if mechanism == "constant":
        dropped = rng.random(expression.shape) < rng.uniform(*((0.4, 0.7) if raw else (0.3, 0.6)), size=genes)
    elif mechanism == "truncation":
        percentiles = rng.uniform(20, 50 if raw else 40, size=genes)
        dropped = expression < [np.percentile(column, q) for column, q in zip(expression.T, percentiles, strict=True)]
    else:
        z = (expression - expression.mean(0)) / expression.std(0)
        dropped = rng.random(expression.shape) < 1 / (1 + np.exp(-(-0.5 - 1.5 * z if raw else 0.5 - 0.5 * z)))
    return np.where(dropped, 0.0, expression)
