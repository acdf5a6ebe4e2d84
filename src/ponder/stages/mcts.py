"""Tree search over reasoning steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from ponder.core.algebra import Stage
from ponder.core.answer import NOBODY, class_shares
from ponder.core.context import Context, Program
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.stepwise import start, step_program
from ponder.core.terms import OneOf, Range, registered
from ponder.core.tree import BY, Child, Expansion, Node, best_leaf, leaves, search
from ponder.scorers.base import Scorer, log
from ponder.scorers.process import prm
from ponder.stages.weigh import scored


@registered
class mcts(Stage):
    """Search a tree of steps from every unfinished candidate, by PUCT (Chen et al. 2024, arXiv 2405.03553, section 3).

    A score s, the log of a probability, is the value 2 exp(s) - 1 in [-1, 1]. A simulation expands one leaf of each tree: its
    steps are drawn, equal ones are taken once, its own value is backed up once, and finished children are valued and backed up at
    once. Candidates that reach the depth unfinished are worth -1. The beginning, which has no step to judge, is worth 0.

    What comes back are the finished candidates with the probability that their value stands for as their weight: (1 + value) / 2.
    With `path` it is the one at the end of the path along the best children, whose weight is the share of its answer. Trees without
    a finished candidate give back what they began with.
    """

    simulations: Annotated[int, Range(1, 100_000), "how many leaves are expanded in each tree"] = 40
    branching: Annotated[int, Range(1, 1000), "steps drawn at each leaf"] = 5
    depth: Annotated[int, Range(1, 1000), "the most steps"] = 8
    c_puct: Annotated[float, Range(0), "weight of the prior"] = 1.25
    value: Annotated[Scorer, "what a state is worth, by log-probability"] = prm()
    prior: Annotated[
        str, OneOf(("likelihood", "uniform")), "what the policy thinks of a step: exp of its mean token log-probability, or all alike"
    ] = "likelihood"
    path: Annotated[str, OneOf(("all", *BY)), "all finished candidates, or the one on the path of the best children by this"] = "all"
    c_base: Annotated[float | None, Range(1), "how slowly c_puct grows with visits (AlphaZero: 19652); None keeps it"] = None
    terminal: Annotated[Scorer | None, "what values finished candidates instead, as a checker does in training; never at inference"] = None

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        program = step_program(context)
        begun = start(1)(population, context)
        done = program.finished(begun.items)
        trees = [Node(c) for c, over in zip(begun.items, done, strict=True) if not over]
        rounds = iter(range(self.simulations))

        def expansions(at: Sequence[Node]) -> list[Expansion | None]:
            return self._expansions(at, program, context.at(next(rounds)))

        try:
            search(trees, self.simulations, expansions, self.c_puct, context.rng("ties"), self.c_base)
        except BudgetExhausted as end:
            if not any(tree.children for tree in trees):
                raise
            context.trace.note(f"{end} after {max(t.visits for t in trees)} backups of {self}")
        return self._result(begun, done, trees)

    def _expansions(self, at: Sequence[Node], program: Program, context: Context) -> list[Expansion | None]:
        """What is found at each leaf, each kind in one batch; None where the budget ended before a step was whole."""
        values = self._judge(at, self.value, context.at("value"))
        drawn, _ = program.extend([node.state for node in at], self.branching, context)
        families: list[list[Node]] = []
        for i, node in enumerate(at):
            steps = self._different(node.state, drawn[i * self.branching : (i + 1) * self.branching])
            families.append([Node(c, self._prior(node.state, c), node, terminal=c.finished) for c in steps])
        ends = [child for family in families for child in family if child.terminal]
        rewards = dict(zip(map(id, ends), self._judge(ends, self.terminal or self.value, context.at("ends")), strict=True))
        found: list[Expansion | None] = []
        for node, value, family in zip(at, values, families, strict=True):
            too_deep = -1.0 if node.depth + 1 >= self.depth else None
            children = [Child(child.state, child.prior, rewards.get(id(child), too_deep)) for child in family]
            found.append(Expansion(value, children) if children else None)
        return found

    def _different(self, state: Candidate, drawn: Sequence[Candidate]) -> list[Candidate]:
        """The different whole steps among those drawn."""
        whole = {c.text: c for c in reversed(drawn) if c is not state and c.finish != "cancelled"}
        return list(whole.values())[::-1]

    def _judge(self, nodes: Sequence[Node], scorer: Scorer, context: Context) -> list[float]:
        """Values in [-1, 1]; states remember their scores. 0 for what has no step, and for all if the budget has ended."""
        begun = [node for node in nodes if node.state.steps]
        values = dict.fromkeys(map(id, nodes), 0.0)
        try:
            scores, known = scored(Population(tuple(n.state for n in begun)), scorer, context) if begun else (np.zeros(0), None)
        except BudgetExhausted as end:
            context.trace.note(f"{end}; the last states of {self} were taken for worth 0")
            return list(values.values())
        if np.any(scores > 1e-9):
            raise InputError(f"a tree needs a scorer that gives log-probabilities, at most 0; {scorer} gave {np.max(scores):g}")
        for node, state, score in zip(begun, known.items if known else (), scores, strict=True):
            node.state = state
            values[id(node)] = float(min(1.0, 2 * np.exp(score) - 1))
        return list(values.values())

    def _prior(self, state: Candidate, child: Candidate) -> float:
        if self.prior == "uniform":
            return 1.0 / self.branching
        if child.logprob is None:
            raise InputError(f"{self} takes its priors from token log-probabilities, and this engine tells none; use prior='uniform'")
        tokens = len(child.token_ids) - len(state.token_ids) or child.tokens - state.tokens
        return math.exp(min(0.0, (child.logprob - (state.logprob or 0.0)) / max(1, tokens)))

    def _result(self, begun: Population[Candidate], done: Any, trees: Sequence[Node]) -> Population[Candidate]:
        searched = iter(trees)
        items: list[Candidate] = []
        weights: list[float] = []
        for candidate, over in zip(begun.items, done, strict=True):
            tree = None if over else next(searched)
            ends = [] if tree is None else [node for node in leaves(tree) if node.state.finished]
            if tree is None or not ends:
                items.append(candidate)
                weights.append(1.0 if over else 0.0)
            elif self.path == "all":
                items += [node.state for node in ends]
                weights += [(1 + (node.value or 0.0)) / 2 for node in ends]
            else:
                chosen, shares = self._chosen(tree, ends)
                items += chosen
                weights += shares
        if not any(weights):
            weights = [1.0] * len(items)
        return Population(tuple(items), log(weights))

    def _chosen(self, tree: Node, ends: Sequence[Node]) -> tuple[list[Candidate], list[float]]:
        """The candidate on the best path with the share of its answer, and nobody with the rest."""
        best = best_leaf(tree, self.path, lambda c: c.finished and c.value is not None)
        if best is None:
            return [NOBODY], [1.0]
        shares = class_shares(Population(tuple(n.state for n in ends), log([(1 + (n.value or 0.0)) / 2 for n in ends])))
        share = shares[best.state.value] or 1e-9
        return [best.state, replace(NOBODY)], [share, max(0.0, 1.0 - share)]
