"""Depth-first search over reasoning steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from ponder.core.algebra import Stage
from ponder.core.context import Context, Program
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.stepwise import start, step_program
from ponder.core.terms import OneOf, Range, registered
from ponder.scorers.base import Scorer, log
from ponder.scorers.process import prm
from ponder.stages.weigh import scored


@dataclass(frozen=True)
class _Open:
    """A state that may be expanded: its candidate, and the values of the steps that led to it."""

    state: Candidate
    values: tuple[float, ...] = ()


@dataclass
class _Tree:
    """One search: what is still to be tried, the next one last, and what was finished."""

    stack: list[_Open]
    found: list[_Open] = field(default_factory=list[_Open])


def kept(children: int, drop: float, exact: bool) -> int:
    """How many of so many children go on when the worst share is dropped.

    The released loop of Liu et al. 2025 leaves one more than it says: int((1 - drop) * children) + 1. With `exact` it is rounded.

    >>> kept(5, 0.4, exact=False), kept(5, 0.4, exact=True)
    (4, 3)
    """
    share = (1 - drop) * children
    return max(1, round(share)) if exact else min(children, int(share + 1e-9) + 1)


@registered
class dfs(Stage):
    """Search a tree of steps from every unfinished candidate depth first, best children first (tree of thoughts, Yao et al. 2023,
    arXiv 2305.10601; rules of Liu et al. 2025, arXiv 2502.07191).

    Of the different children of a state the worst share is dropped; once a path is finished, children that are worth less than the
    threshold are skipped. It ends with `paths` finished paths. A path's weight is the mean of its steps' values, each the probability
    that the score stands for; trees without a finished path give back what they began with. Each expansion is one batch over all trees.
    """

    branching: Annotated[int, Range(1, 1000), "steps drawn at each state"] = 5
    depth: Annotated[int, Range(1, 1000), "the most steps"] = 8
    drop: Annotated[float, Range(0, 1), "the share of the children that is dropped"] = 0.4
    threshold: Annotated[float, Range(0, 1), "the least value of a child once a path is finished"] = 0.5
    paths: Annotated[int, Range(1, 10_000), "how many finished paths end the search"] = 3
    value: Annotated[Scorer, "what a state is worth, by log-probability"] = prm()
    count: Annotated[str, OneOf(("exact", "released")), "how many children are kept: the share, or one more as in the released code"] = (
        "exact"
    )

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        program = step_program(context)
        begun = start(1)(population, context)
        done = program.finished(begun.items)
        trees = {i: _Tree([_Open(c)]) for i, (c, over) in enumerate(zip(begun.items, done, strict=True)) if not over}
        rounds = 0
        try:
            while open_ := [t for t in trees.values() if t.stack and len(t.found) < self.paths]:
                self._expand(open_, program, context.at(rounds))
                rounds += 1
        except BudgetExhausted as end:
            if not any(tree.found for tree in trees.values()):
                raise
            context.trace.note(f"{end} after {rounds} expansions of {self}")
        items: list[Candidate] = []
        weights: list[float] = []
        for i, candidate in enumerate(begun.items):
            found = trees[i].found if i in trees else []
            items += [path.state for path in found] or [candidate]
            weights += [float(np.mean(path.values)) for path in found] or [0.0 if i in trees else 1.0]
        return Population(tuple(items), log(weights if any(weights) else [1.0] * len(items)))

    def _expand(self, trees: list[_Tree], program: Program, context: Context) -> None:
        """The next state of each tree: its children are drawn and judged in one batch each."""
        nodes = [tree.stack.pop() for tree in trees]
        drawn, _ = program.extend([node.state for node in nodes], self.branching, context)
        families: list[list[Candidate]] = []
        for i, node in enumerate(nodes):
            whole = [c for c in drawn[i * self.branching :][: self.branching] if c is not node.state and c.finish != "cancelled"]
            families.append(list({c.text: c for c in reversed(whole)}.values())[::-1])
        children = [c for family in families for c in family]
        if not children:
            return
        scores, judged = scored(Population(tuple(children)), self.value, context.at("value"))
        if np.any(scores > 1e-9):
            raise InputError(f"{self} needs a scorer that gives log-probabilities, at most 0; {self.value} gave {np.max(scores):g}")
        at = 0
        for tree, node, family in zip(trees, nodes, families, strict=True):
            values = [math.exp(min(0.0, s)) for s in scores[at : at + len(family)]]
            best = [
                _Open(judged.items[at + j], (*node.values, values[j]))
                for j in sorted(range(len(family)), key=lambda j: -values[j])[: kept(len(family), self.drop, self.count == "exact")]
            ]
            self._file(tree, best)
            at += len(family)

    def _file(self, tree: _Tree, best: list[_Open]) -> None:
        """Finished children are paths, the others wait, the best on top; those at the depth are given up."""
        waiting: list[_Open] = []
        for child in best:
            if tree.found and child.values[-1] < self.threshold:
                continue
            if child.state.finished:
                tree.found.append(child)
            elif len(child.values) < self.depth:
                waiting.append(child)
        tree.stack += reversed(waiting)
