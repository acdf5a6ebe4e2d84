"""From the trace of an answer to the tree of its search: who grew from whom, what weighed how much, what was dropped where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ponder.core.answer import Answer, heaviest
from ponder.core.context import TraceStep
from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate

_DROPS = re.compile(r"(resample|top|distinct|prune|merge|rank|verify|unit_tests)\(")


@dataclass
class Node:
    """One step of one candidate.

    Attributes:
        text: what the step wrote; "" for the root.
        depth: steps from the root.
        children: in order of appearance.
        share: its share of the weight in the last population that held it, copies together.
        score: the log-score that a scorer last gave it; None if none did.
        copies: the most copies of it that a population held.
        drawn: how many draws it stands for; above 1 where equal steps are drawn as one.
        value: the answer, if it is finished and holds one.
        finished: whether it was complete.
        dropped: the stage that left it out of the population, "" if none did.
        winner: whether the answer stands at the end of this branch.
        number: in order of appearance; 0 is the root.
    """

    text: str
    depth: int
    children: list[Node] = field(default_factory=list["Node"])
    share: float = 0.0
    score: float | None = None
    copies: int = 1
    drawn: int = 1
    value: str | None = None
    finished: bool = False
    dropped: str = ""
    winner: bool = False
    number: int = 0

    def walk(self) -> Iterable[Node]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def condensed(self) -> Node:
        """The same tree with equal steps of equal beginnings drawn as one: shares, copies and draws add up."""
        families: dict[tuple[str, bool], list[Node]] = {}
        for child in self.children:
            families.setdefault((child.text, child.finished), []).append(child)
        return replace(self, children=[_united(family).condensed() for family in families.values()])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        own = {name: getattr(self, name) for name in _FIELDS}
        return {**own, "children": [child.to_dict() for child in self.children]}


_FIELDS = ("text", "share", "score", "copies", "drawn", "value", "finished", "dropped", "winner")


def _united(family: list[Node]) -> Node:
    winners = [n for n in family if n.winner]
    left = [n for n in family if not n.dropped]
    return replace(
        (winners or left or family)[0],
        children=[child for n in family for child in n.children],
        share=sum(n.share for n in left),
        copies=sum(n.copies for n in family),
        drawn=sum(n.drawn for n in family),
    )


@dataclass(frozen=True)
class Resampling:
    """One resampling: how many particles, how many different ones survived, the effective number before."""

    round: int
    stage: str
    size: int
    distinct: int
    ess: float

    def __str__(self) -> str:
        return f"round {self.round + 1}: {self.stage} drew {self.size} from {self.distinct} (ess {self.ess:.1f})"


@dataclass(frozen=True)
class Genealogy:
    """The tree of a search and its resamplings, in order."""

    root: Node
    resamplings: tuple[Resampling, ...]

    @property
    def size(self) -> int:
        """Steps drawn."""
        return sum(1 for _ in self.root.walk()) - 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"root": self.root.to_dict(), "resamplings": [vars(r) for r in self.resamplings]}


def genealogy(answer: Answer) -> Genealogy:
    """The tree of an answer whose trace kept its populations (`ask(..., trace=Trace(keep=True))`).

    Raises:
        InputError: if the trace kept none.
    """
    growing = Growing()
    changes = [growing.take(step) for step in answer.trace.steps if step.population is not None]
    if not changes:
        raise InputError("the trace kept no populations; ask with trace=Trace(keep=True) to draw the search")
    growing.finish(answer)
    return Genealogy(growing.root, tuple(c.resampling for c in changes if c.resampling is not None))


def _winner(answer: Answer) -> Candidate | None:
    """The candidate that stands for the answer."""
    if answer.population is None or answer.value is None:
        return None
    alike = [i for i, c in enumerate(answer.population.items) if c.value == answer.value]
    chosen = [i for i in alike if answer.population.items[i].text == answer.text]
    return heaviest(answer.population.at(chosen or alike))[0] or answer.population.items[(chosen or alike)[0]]


@dataclass(frozen=True)
class Present:
    """A node that a population holds: how many copies, and their share of the weight together."""

    node: Node
    copies: int
    share: float


@dataclass(frozen=True)
class Change:
    """What one stage did to the tree.

    Attributes:
        born: the nodes that it added, each with its parent, parents first.
        present: what the population holds now.
        dropped: the nodes that it left out, if leaving out is what it does.
        resampling: the resampling that it was, if it was one.
    """

    born: tuple[tuple[Node, Node], ...]
    present: tuple[Present, ...]
    dropped: tuple[Node, ...]
    resampling: Resampling | None


class Growing:
    """A tree that grows with the trace, one stage at a time.

    Nodes are known by the identity of a candidate's tuple of steps: each extension makes a new one, copies and rescored ones share it.
    """

    def __init__(self) -> None:
        self.root = Node("", 0)
        self.nodes: dict[int, Node] = {}
        self._alive: list[tuple[str, ...]] = []  # keeps the tuples, so that no identity is used twice
        self._born: list[tuple[Node, Node]] = []
        self._before: dict[int, Present] = {}
        self._ess = 1.0

    def take(self, step: TraceStep) -> Change:
        """Put the population that a stage returned into the tree; one that the trace did not keep is as none."""
        self._born = []
        present = self._add(step.population) if step.population is not None else {}
        dropped: list[Node] = []
        resampling = None
        if _DROPS.match(step.stage):
            dropped = [self.nodes[key] for key in self._before if key not in present]
            for node in dropped:
                node.dropped = node.dropped or step.stage
            if step.stage.startswith("resample") and self._before:
                resampling = Resampling(step.round, step.stage, step.size, len(present), self._ess)
        self._before, self._ess = present, step.ess
        return Change(tuple(self._born), tuple(present.values()), tuple(dropped), resampling)

    def _add(self, population: Population[Any]) -> dict[int, Present]:
        """What the population holds, by the identity of its steps."""
        counts: dict[int, int] = {}
        shares: dict[int, float] = {}
        for candidate, weight in zip(population.items, population.weights, strict=True):
            node = self._node(candidate)
            if node is None:
                continue
            key = id(candidate.steps)
            counts[key] = counts.get(key, 0) + 1
            shares[key] = shares.get(key, 0.0) + float(weight)
            node.score = next(reversed(list(candidate.scores.values())), node.score)
        for key, count in counts.items():
            self.nodes[key].copies = max(self.nodes[key].copies, count)
            self.nodes[key].share = shares[key]
        return {key: Present(self.nodes[key], count, shares[key]) for key, count in counts.items()}

    def _node(self, candidate: Any) -> Node | None:
        if not isinstance(candidate, Candidate) or not candidate.steps:
            return None
        key = id(candidate.steps)
        if key not in self.nodes:
            parent = self.root if candidate.parent is None else self._node(candidate.parent) or self.root
            number = len(self.nodes) + 1
            node = Node(candidate.steps[-1], len(candidate.steps), value=candidate.value, finished=candidate.finished, number=number)
            self.nodes[key] = node
            self._alive.append(candidate.steps)
            parent.children.append(node)
            self._born.append((parent, node))
        return self.nodes[key]

    def finish(self, answer: Answer) -> None:
        """What the last population descends from was not dropped, and the branch that the answer stands on has won."""
        for candidate in answer.population.items if answer.population is not None else ():
            for node in self._line(candidate):
                node.dropped = ""
        for node in self._line(_winner(answer)):
            node.winner = True

    def _line(self, candidate: Candidate | None) -> list[Node]:
        lineage = candidate.lineage if candidate is not None else ()
        return [self.nodes[id(c.steps)] for c in lineage if id(c.steps) in self.nodes]
