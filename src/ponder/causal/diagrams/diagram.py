"""String diagrams as syntax: boxes joined by wires that may be copied and discarded, and surgery on them.

A diagram lists its boxes in an order in which causes come before effects, and says for each which wires go in. Every wire is made once (by
the outside or by one box) and used any number of times: used twice is copying, never used is discarding. This is a normal form of the
morphisms of a free category with copying and discarding (Jacobs, Kissinger & Zanasi 2019, section 3), so that the laws of copying hold by
construction.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from ponder.causal.diagrams.channel import Channel, Numbers, State, contract
from ponder.causal.graphs import check_vertices, dag, topological
from ponder.core.errors import InputError, did_you_mean, need


@dataclass(frozen=True)
class Wire:
    """The type of a wire: a named finite set of `size` values."""

    name: str
    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"a wire carries at least 1 value; {self.name!r} was given {self.size}")


@dataclass(frozen=True)
class Box:
    """A box that makes the wires `cod` from the wires `dom`; a uniform one makes each value equally likely, whatever its name."""

    name: str
    dom: tuple[Wire, ...]
    cod: tuple[Wire, ...]
    uniform: bool = False


@dataclass(frozen=True)
class Node:
    """One use of a box: which wires of the diagram go in."""

    box: Box
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Diagram:
    """A string diagram. Wires are numbered: those that come in, then what the boxes make, in order. Equal by value.

    `d >> e` is e after d, `d @ e` is d beside e.

    Attributes:
        dom: types of the wires that come in.
        nodes: the boxes; each uses only wires that exist before it.
        outputs: the wires that go out, in order, possibly repeated.

    Raises:
        InputError: for a wire that does not exist or has another type than the box takes.
    """

    dom: tuple[Wire, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    def __post_init__(self) -> None:
        made = list(self.dom)
        for node in self.nodes:
            if not all(0 <= i < len(made) for i in node.inputs):
                raise InputError(f"box {node.box.name!r} is not connected: it uses wires {node.inputs}, and {len(made)} exist before it")
            given = tuple(made[i] for i in node.inputs)
            if given != node.box.dom:
                raise InputError(f"box {node.box.name!r} takes {_types(node.box.dom)}; it was given {_types(given)}")
            made += node.box.cod
        if not all(0 <= i < len(made) for i in self.outputs):
            raise InputError(f"outputs are wires below {len(made)}, not {self.outputs}")

    @functools.cached_property
    def wires(self) -> tuple[Wire, ...]:
        """Types of all wires, in order of their numbers."""
        return self.dom + tuple(wire for node in self.nodes for wire in node.box.cod)

    @property
    def cod(self) -> tuple[Wire, ...]:
        return tuple(self.wires[i] for i in self.outputs)

    @classmethod
    def identity(cls, *types: Wire) -> Diagram:
        return cls(types, (), tuple(range(len(types))))

    @classmethod
    def copy(cls, wire: Wire, times: int = 2) -> Diagram:
        """One wire in, `times` out; 0 times is discarding."""
        return cls((wire,), (), (0,) * times)

    @classmethod
    def swap(cls, left: Wire, right: Wire) -> Diagram:
        return cls((left, right), (), (1, 0))

    @classmethod
    def of(cls, box: Box) -> Diagram:
        """The diagram of one box."""
        n = len(box.dom)
        return cls(box.dom, (Node(box, tuple(range(n))),), tuple(range(n, n + len(box.cod))))

    @classmethod
    def from_dag(cls, edges: Iterable[tuple[str, str]], observed: Sequence[str], sizes: Mapping[str, int]) -> Diagram:
        """The diagram of a causal graph: a box a vertex, its parents' wires in (in the order of `sizes`), hidden wires discarded.

        Args:
            edges: (cause, effect) pairs.
            observed: vertices whose wires go out, in order; all others are hidden.
            sizes: number of values of each vertex, hidden ones too.

        Raises:
            InputError: for unknown vertices, cycles, or a graph in unconnected parts (make a diagram of each, and put them side by side).
        """
        graph = dag(sizes, edges)
        check_vertices(observed, list(sizes))
        parts = list(need("networkx", "causal").weakly_connected_components(graph))
        if len(parts) > 1:
            first, second = (", ".join(sorted(part)) for part in parts[:2])
            raise InputError(f"the graph is disconnected: no edge joins {first} and {second}; two diagrams side by side are d @ e")
        wire: dict[str, int] = {}
        nodes = []
        for v in topological(graph):
            parents = [u for u in sizes if graph.has_edge(u, v)]
            box = Box(v, tuple(Wire(u, sizes[u]) for u in parents), (Wire(v, sizes[v]),))
            nodes.append(Node(box, tuple(wire[u] for u in parents)))
            wire[v] = len(wire)
        return cls((), tuple(nodes), tuple(wire[v] for v in observed))

    def __rshift__(self, other: Diagram) -> Diagram:
        if self.cod != other.dom:
            raise InputError(f"diagrams do not fit: {_types(self.cod)} goes out of the first, and the second takes {_types(other.dom)}")
        nodes = list(self.nodes)
        outputs = _graft(nodes, len(self.wires), other, self.outputs)
        return Diagram(self.dom, tuple(nodes), tuple(outputs))

    def __matmul__(self, other: Diagram) -> Diagram:
        n, m = len(self.dom), len(other.dom)
        nodes: list[Node] = []
        left = _graft(nodes, n + m, self, range(n))
        right = _graft(nodes, n + m + len(self.wires) - n, other, range(n, n + m))
        return Diagram(self.dom + other.dom, tuple(nodes), (*left, *right))

    def map(self, image: Callable[[Box], Diagram]) -> Diagram:
        """The functor that sends each box to a diagram of the same type, applied to this diagram."""
        where = list(range(len(self.dom)))
        nodes: list[Node] = []
        count = len(where)
        for node in self.nodes:
            part = image(node.box)
            if (part.dom, part.cod) != (node.box.dom, node.box.cod):
                raise InputError(f"the image of {node.box.name!r} must have its type, {_types(node.box.dom)} to {_types(node.box.cod)}")
            where += _graft(nodes, count, part, [where[i] for i in node.inputs])
            count += len(part.wires) - len(part.dom)
        return Diagram(self.dom, tuple(nodes), tuple(where[i] for i in self.outputs))

    def cut(self, name: str) -> Diagram:
        """Intervene on a variable: the box that makes it is replaced by discarding what goes in and a uniform state.

        Raises:
            InputError: if no box of the diagram makes a wire of this name.
        """
        makers = [wire.name for node in self.nodes for wire in node.box.cod]
        if name not in makers:
            hint = did_you_mean(name, makers, f"boxes make {', '.join(makers) or 'nothing'}")
            raise InputError(f"there is nothing to intervene on: no box makes {name!r}; {hint}")
        return self.map(surgery(name))

    def interpret(self, tables: Mapping[str, ArrayLike]) -> Channel:
        """The channel that the diagram means, when each box means a table.

        Args:
            tables: for each box by name an array whose axes are its `cod`, then its `dom` in order; over `cod` it sums to 1. All
                fractions gives exact fractions, anything else float64.

        Raises:
            InputError: for a missing table, a wrong shape, or one that is not a channel.
        """
        channels = [_channel(node.box, tables) for node in self.nodes]
        exact = all(channel.exact for channel in channels)
        one = Fraction(1) if exact else 1.0
        # Every wire that comes in is summed over or handed on, also where no box uses it.
        operands: list[tuple[Numbers, Sequence[int]]] = [(np.full(w.size, one), (i,)) for i, w in enumerate(self.dom)]
        made = len(self.dom)
        for node, channel in zip(self.nodes, channels, strict=True):
            out = range(made, made + len(node.box.cod))
            made += len(out)
            operands.append((channel.array if exact else channel.array.astype(np.float64), (*out, *node.inputs)))
        ends: list[int] = []
        for wire in self.outputs:  # an axis that is asked for again is tied to the first by an identity
            if wire in ends or wire < len(self.dom):
                operands.append((np.diag(np.full(self.wires[wire].size, one)), (wire, made)))
                ends.append(made)
                made += 1
            else:
                ends.append(wire)
        whole = contract([*operands, (np.full((), one), ())], (*ends, *range(len(self.dom))))
        return Channel(whole, tuple(w.name for w in self.cod), tuple(w.name for w in self.dom))

    def state(self, tables: Mapping[str, ArrayLike]) -> State:
        """What `interpret` gives, as the joint distribution of a diagram that nothing goes into."""
        if self.dom:
            raise InputError(f"a state has no inputs; this diagram takes {_types(self.dom)}")
        channel = self.interpret(tables)
        return State(channel.array, channel.cod)


def surgery(name: str) -> Callable[[Box], Diagram]:
    """Where the cut of a variable sends each box: those that make it to discarding and a uniform state, all others to themselves."""

    def image(box: Box) -> Diagram:
        if name not in [wire.name for wire in box.cod]:
            return Diagram.of(box)
        n = len(box.dom)
        node = Node(Box(box.name, (), box.cod, uniform=True), ())
        return Diagram(box.dom, (node,), tuple(range(n, n + len(box.cod))))

    return image


def _channel(box: Box, tables: Mapping[str, ArrayLike]) -> Channel:
    sizes = tuple(w.size for w in box.cod + box.dom)
    if box.uniform:
        total = int(np.prod(sizes))
        return Channel(np.full(sizes, Fraction(1, total)), tuple(w.name for w in box.cod))
    if box.name not in tables:
        raise InputError(f"box {box.name!r} needs a table of shape {sizes}; tables were given for {', '.join(tables) or 'none'}")
    table = np.asarray(tables[box.name])
    if table.shape != sizes:
        raise InputError(f"the table of {box.name!r} has axes {_types(box.cod + box.dom)}, so shape {sizes}, not {table.shape}")
    return Channel(table, tuple(w.name for w in box.cod), tuple(w.name for w in box.dom))


def _graft(nodes: list[Node], count: int, part: Diagram, at: Sequence[int]) -> list[int]:
    """Append `part`'s boxes to a list of nodes after which `count` wires exist, its inputs joined to `at`; the wires that come out."""
    where = list(at)
    for node in part.nodes:
        nodes.append(Node(node.box, tuple(where[i] for i in node.inputs)))
        where += range(count, count + len(node.box.cod))
        count += len(node.box.cod)
    return [where[i] for i in part.outputs]


def _types(wires: Iterable[Wire]) -> str:
    return "(" + ", ".join(f"{w.name}:{w.size}" for w in wires) + ")"
