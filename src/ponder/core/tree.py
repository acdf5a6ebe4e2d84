"""Search trees: their statistics, the choice of the next leaf, backup, and the search itself over many trees side by side.

Pure: what a state is, how it is extended and what it is worth are handed in. The rules are those of AlphaMath (Chen et al. 2024,
arXiv 2405.03553, sections 3.2 and its code), a PUCT search in the manner of AlphaZero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ponder.core.errors import InputError

BY = ("q", "visits", "value")
"""What a path is followed by: the mean of what was backed up, how often, or the node's own value."""


@dataclass(eq=False)
class Node:
    """A state in a tree.

    Attributes:
        state: what the node stands for.
        prior: how much the policy likes it among its siblings, at least 0; priors need not sum to 1.
        parent: None for the root.
        terminal: nothing follows it.
        visits: how many values were backed up through it.
        total: their sum.
        value: its own value, in [-1, 1]; None as long as it was not judged.
        closed: nothing below it is left to explore.
    """

    state: Any
    prior: float = 1.0
    parent: Node | None = None
    terminal: bool = False
    visits: int = 0
    total: float = 0.0
    value: float | None = None
    closed: bool = False
    children: list[Node] = field(default_factory=list["Node"])

    @property
    def q(self) -> float:
        """The mean of what was backed up; 0 before the first visit."""
        return self.total / self.visits if self.visits else 0.0

    @property
    def depth(self) -> int:
        """Steps from the root."""
        return 0 if self.parent is None else self.parent.depth + 1

    def walk(self) -> Iterator[Node]:
        """The node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Child:
    """A step that an expansion found.

    Attributes:
        state: where it leads.
        prior: as in `Node`.
        reward: the value of a terminal state, in [-1, 1]; None for a state that can be extended.
    """

    state: Any
    prior: float = 1.0
    reward: float | None = None


@dataclass(frozen=True)
class Expansion:
    """What was found out about a leaf: its own value in [-1, 1], and its children. Without children it is taken for a dead end."""

    value: float
    children: Sequence[Child]


def puct(q: float, visits: int, prior: float, parent_visits: int, c: float, base: float | None = None) -> float:
    """q + c * prior * sqrt(parent_visits) / (1 + visits); with a base c grows by log((parent_visits + base + 1) / base), as in AlphaZero
    (Silver et al. 2018)."""
    grown = c if base is None else c + math.log((parent_visits + base + 1) / base)
    return q + grown * prior * math.sqrt(parent_visits) / (1 + visits)


def select(root: Node, c: float, rng: np.random.Generator, base: float | None = None) -> Node | None:
    """The leaf that the next simulation expands: from the root down along the children of largest PUCT that are not closed, ties at
    random; None if the tree is exhausted."""
    if root.closed:
        return None
    node = root
    while node.children:
        able = [child for child in node.children if not child.closed]
        scores = [puct(child.q, child.visits, child.prior, node.visits, c, base) for child in able]
        best = [child for child, score in zip(able, scores, strict=True) if score >= max(scores) - 1e-12]
        node = best[0] if len(best) == 1 else best[int(rng.integers(len(best)))]
    return node


def backup(node: Node, value: float) -> None:
    """Count a value in the node and in all above it."""
    at: Node | None = node
    while at is not None:
        at.visits += 1
        at.total += value
        at = at.parent


def expand(leaf: Node, found: Expansion) -> None:
    """Give a leaf its children. Terminal ones are backed up at once, then the leaf's own value, once; other children wait until they
    are selected. A node all of whose children are closed is closed.

    Raises:
        InputError: a value outside [-1, 1] or a negative prior.
    """
    _check(found)
    leaf.value = found.value
    for child in found.children:
        terminal = child.reward is not None
        node = Node(child.state, child.prior, leaf, terminal, value=child.reward, closed=terminal)
        leaf.children.append(node)
        if child.reward is not None:
            backup(node, child.reward)
    backup(leaf, found.value)
    at: Node | None = leaf
    while at is not None and all(child.closed for child in at.children):
        at.closed = True
        at = at.parent


def _check(found: Expansion) -> None:
    for value in (found.value, *(c.reward for c in found.children if c.reward is not None)):
        if not -1 <= value <= 1:
            raise InputError(f"values in a tree lie in [-1, 1]; {value!r} was given")
    for child in found.children:
        if not 0 <= child.prior < math.inf:
            raise InputError(f"the prior of a step must be a number of at least 0, not {child.prior!r}")


def search(
    roots: Sequence[Node],
    simulations: int,
    expansions: Callable[[Sequence[Node]], Sequence[Expansion | None]],
    c: float,
    rng: np.random.Generator,
    base: float | None = None,
) -> int:
    """Grow trees side by side, one leaf of each a simulation; returns how many simulations were begun.

    Args:
        roots: changed in place. Exhausted trees rest.
        simulations: the most of them.
        expansions: one for each of the leaves given, all in one batch; None leaves a leaf as it is.
        c: weight of the prior.
        rng: decides ties.
        base: how slowly c grows with visits; None keeps it.
    """
    for done in range(simulations):
        leaves = [leaf for root in roots if (leaf := select(root, c, rng, base)) is not None]
        if not leaves:
            return done
        for leaf, found in zip(leaves, expansions(leaves), strict=True):
            if found is not None:
                expand(leaf, found)
    return simulations


def leaves(root: Node) -> list[Node]:
    """The terminal nodes of a tree, in order of their parents."""
    return [node for node in root.walk() if node.terminal]


def path(node: Node) -> list[Node]:
    """The nodes from the root to this one."""
    line = [node]
    while line[-1].parent is not None:
        line.append(line[-1].parent)
    return line[::-1]


def best_leaf(root: Node, by: str = "q", good: Callable[[Any], bool] = lambda state: True) -> Node | None:
    """The terminal node that is reached by always taking the best child, after subtrees without a good terminal are cut off.

    Args:
        root: of a searched tree.
        by: a name in `BY`; the first of equals is taken.
        good: which terminal states may be chosen.

    Returns:
        None if there is no good terminal node.
    """
    if by not in BY:
        raise InputError(f"a path is followed by one of {', '.join(BY)}, not {by!r}")
    able = {id(above) for leaf in leaves(root) if good(leaf.state) for above in path(leaf)}
    node = root
    if id(node) not in able:
        return None
    while not node.terminal:
        node = max((child for child in node.children if id(child) in able), key=lambda n: _rank(n, by))
    return node


def _rank(node: Node, by: str) -> float:
    if by == "value":
        return -math.inf if node.value is None else node.value
    return node.q if by == "q" else node.visits


def to_dict(node: Node, show: Callable[[Any], Any] = str) -> dict[str, Any]:
    """A tree as plain values for JSON; `show` makes one of a state."""
    own = {name: getattr(node, name) for name in ("prior", "visits", "q", "value", "terminal")}
    return {"state": show(node.state), **own, "children": [to_dict(child, show) for child in node.children]}
