"""Which effects follow from observations, and what they are: the comb criterion on graphs with hidden vertices.

An intervention on X can be computed where X's box splits off so that the rest is a comb with observed legs. On graphs this is the
criterion of Tian & Pearl 2002: no path of hidden common causes leads from X to one of its children.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from ponder.causal.diagrams.channel import Channel, Numbers, State, contract, names_of
from ponder.causal.graphs import check_vertices, dag, topological
from ponder.core.errors import InputError


@dataclass(frozen=True)
class NotIdentified:
    """The answer that the comb criterion does not identify an effect. Other ways may.

    Attributes:
        reason: the child of the treatment and the hidden path to it.
    """

    reason: str


@dataclass(frozen=True)
class Admg:
    """What a graph with hidden vertices says of the observed ones.

    Attributes:
        vertices: observed, causes first.
        directed: (cause, effect), perhaps through hidden vertices.
        bidirected: pairs with a hidden common cause, each pair in order of `vertices`.
    """

    vertices: tuple[str, ...]
    directed: frozenset[tuple[str, str]]
    bidirected: frozenset[tuple[str, str]]

    def district(self, vertex: str) -> tuple[str, ...]:
        """The vertices that paths of bidirected edges join to `vertex`, itself included, causes first."""
        check_vertices([vertex], self.vertices)
        found = {vertex}
        while True:
            more = {v for pair in self.bidirected if found & set(pair) for v in pair} - found
            if not more:
                return tuple(v for v in self.vertices if v in found)
            found |= more

    def refusal(self, treatment: str) -> NotIdentified | None:
        """Why the comb criterion does not identify effects of a treatment; None if it does."""
        confounded = self.district(treatment)
        for u, child in sorted(self.directed):
            if u == treatment and child in confounded:
                return NotIdentified(
                    f"a path of hidden common causes joins {treatment} and its child {child}, so no comb with observed legs isolates "
                    f"{treatment}; the effect may still be identified in another way"
                )
        return None


def latent_projection(edges: Iterable[tuple[str, str]], observed: Sequence[str]) -> Admg:
    """Project a graph with hidden vertices onto the observed ones (Verma & Pearl 1990).

    Args:
        edges: (cause, effect) pairs; vertices that are not in `observed` are hidden.
        observed: all observed vertices, also those without edges.
    """
    pairs = list(edges)
    graph = dag([*observed, *dict.fromkeys(v for pair in pairs for v in pair)], pairs)
    order = topological(graph)
    reach = {v: _reached(graph, v, set(observed)) for v in order}
    place = {v: i for i, v in enumerate(order)}
    bidirected = {pair for v in order if v not in observed for pair in combinations(sorted(reach[v], key=place.__getitem__), 2)}
    directed = {(u, v) for u in observed for v in reach[u]}
    return Admg(tuple(v for v in order if v in observed), frozenset(directed), frozenset(bidirected))


def causal_effect(
    joint: State,
    edges: Iterable[tuple[str, str]],
    do: str,
    outcome: str | Sequence[str],
    smoothing: float | Fraction | None = None,
) -> Channel | NotIdentified:
    """P(outcome | do(treatment)) from the observed joint distribution and the causal graph.

    With D the treatment's district, P(v \\ x | do(x)) is the product over v not in D of P(v | predecessors) times the sum over x of
    the same product over D (Tian & Pearl 2002; for the smoking graph this is the front-door formula).

    Args:
        joint: of all observed variables; vertices of the graph that it lacks are hidden.
        edges: the graph's (cause, effect) pairs.
        do: the treatment.
        outcome: one or several observed variables other than the treatment.
        smoothing: a weight to add to every cell of the joint first; None refuses empty cells.

    Returns:
        A channel of cod outcome and dom treatment, or why the comb criterion does not identify it.

    Raises:
        InputError: if treatment or outcome are not observed, or the same.
        SupportError: if a cell of the joint has probability zero and no smoothing is asked for.
    """
    (treatment,) = names_of(do, joint.names)
    wanted = names_of(outcome, joint.names)
    if treatment in wanted or not wanted:
        raise InputError(f"an intervention on {treatment!r} sets it: the outcome must be other variables, not {wanted}")
    graph = latent_projection(edges, joint.names)
    refusal = graph.refusal(treatment)
    if refusal is not None:
        return refusal
    order = graph.vertices
    state = joint.marginal(order)
    state = state.full_support() if smoothing is None else state.smoothed(smoothing)
    confounded = graph.district(treatment)
    shape = dict(zip(order, state.array.shape, strict=True))
    one = Fraction(1) if state.exact else 1.0
    factors: list[tuple[Numbers, Sequence[str]]] = [(np.full(shape[treatment], one), (treatment,))]
    for i, v in enumerate(order):
        family = (v, *order[:i])
        given = state.marginal(family).disintegrate(order[:i]).array
        # The cut discards the treatment that the comb gives out, so inside its district the treatment is summed over.
        factors.append((given, tuple(f"{u}, discarded" if u == treatment and v in confounded else u for u in family)))
    return Channel(contract(factors, (*wanted, treatment)), wanted, (treatment,))


def _reached(graph: Any, start: str, observed: set[str]) -> set[str]:
    """The observed vertices that paths through hidden ones lead to from `start`."""
    found: set[str] = set()
    ahead = list(graph.successors(start))
    while ahead:
        vertex = ahead.pop()
        if vertex in observed:
            found.add(vertex)
        else:
            ahead.extend(graph.successors(vertex))
    return found
