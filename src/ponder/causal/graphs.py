"""Causal graphs: checked directed acyclic graphs over named vertices, on networkx."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from ponder.core.errors import InputError, did_you_mean, need


def dag(vertices: Iterable[Hashable], edges: Iterable[tuple[Any, Any]]) -> Any:
    """A `networkx.DiGraph` of the vertices, in order, with the edges (cause, effect).

    Raises:
        InputError: for no vertices, an edge to an unknown one, or a cycle.
    """
    nx = need("networkx", "causal")
    graph = nx.DiGraph()
    graph.add_nodes_from(vertices)
    known = list(graph)
    if not known:
        raise InputError("a causal graph needs at least one vertex")
    for pair in edges:
        check_vertices(pair, known)
        graph.add_edge(*pair)
    if not nx.is_directed_acyclic_graph(graph):
        cycle = " -> ".join(str(u) for u, _ in nx.find_cycle(graph))
        raise InputError(f"a causal graph has no cycles; this one has {cycle} and back")
    return graph


def topological(graph: Any) -> list[Any]:
    """The vertices, causes first; of those that could come next, the first in the graph's own order."""
    place = {v: i for i, v in enumerate(graph)}
    return list(need("networkx", "causal").lexicographical_topological_sort(graph, key=place.__getitem__))


def check_vertices(used: Iterable[Hashable], known: Sequence[Hashable]) -> None:
    """Refuse vertices that are not known, by name."""
    for vertex in used:
        if vertex not in known:
            names = [str(v) for v in known]
            raise InputError(f"there is no vertex {vertex!r}; {did_you_mean(str(vertex), names, 'known are ' + ', '.join(names))}")
