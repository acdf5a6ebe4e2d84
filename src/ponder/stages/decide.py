"""Deciders: they spend what inference has bought. Each normalises the weights of what it is given."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from ponder.core.algebra import Decider
from ponder.core.answer import NOBODY, class_shares, heaviest
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, Range, registered
from ponder.scorers.base import Scorer, log
from ponder.scorers.equivalence import group_values
from ponder.scorers.weibull import Pruner
from ponder.stages.crowd_vote import crowd_shares
from ponder.trust.crowds import AGGREGATORS


@registered
class vote(Decider):
    """One candidate a distinct answer, with the weight of all that gave it; the heaviest answer first.

    Independent of order; candidates without a readable answer vote for nobody and count against the winner's confidence; of
    equally heavy answers the one that sorts first wins. With `crowd`, judges (or models, where nothing was judged) are
    believed as much as their agreement with the others earns, and the candidates' number takes the place of their weights.
    """

    equal: Annotated[str, OneOf(("same", "math")), 'when two answers are one: "same" canonical form, or equal as mathematics'] = "same"
    crowd: Annotated[str, OneOf(("", *AGGREGATORS)), "how several judges or models are believed; by weight alone if empty"] = ""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        shares = class_shares(population)
        if not shares or population.dead:
            return _with_nobody([], [])
        groups = group_values(list(shares), self.equal)
        mass: dict[str, list[float]] = {}
        for value, share in shares.items():
            mass.setdefault(groups[value], []).append(share)
        if self.crowd:
            believed = crowd_shares(population, groups, self.crowd)
            if believed is None:
                context.trace.note(f"{self}: one answer, one judge or one model is no crowd; the vote is by weight")
            else:
                readable = math.fsum(sorted(shares.values()))
                mass = {name: [readable * share] for name, share in believed.items()}
        totals = sorted(((math.fsum(sorted(v)), name) for name, v in mass.items()), key=lambda t: (-round(t[0], 12), t[1]))
        voters = [c for c in population.items if c.value is not None]
        weights = [float(w) for c, w in zip(population.items, population.log_weights, strict=True) if c.value is not None]
        kept: list[Candidate] = []
        for _, name in totals:
            members = [(-w, c.value or "", c.text, c) for c, w in zip(voters, weights, strict=True) if groups[c.value or ""] == name]
            kept.append(min(members, key=lambda m: m[:3])[3])
        return _with_nobody(kept, [total for total, _ in totals])


def _with_nobody(chosen: list[Candidate], shares: list[float]) -> Population[Candidate]:
    """The chosen with their shares, and nobody with the rest."""
    rest = 1.0 - math.fsum(shares)
    nobody = [NOBODY] if rest > 1e-12 or not chosen else []
    return Population((*chosen, *nobody), log([*shares, *[rest] * len(nobody)]))


@registered
class argmax(Decider):
    """The heaviest candidate that holds an answer; its weight is the share of all candidates that give the same answer.

    Of equally heavy ones, as after resampling, that whose answer has the largest share wins, then the first.
    """

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        shares = class_shares(population)

        def rank(i: int) -> tuple[float, float, int]:
            return population.log_weights[i], round(shares[population.items[i].value or ""], 12), -i

        return _chosen(population, max(_able(population), key=rank, default=None))


@registered
class draw(Decider):
    """One candidate drawn by weight: what a choice without judgement gives (the random baseline)."""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        if population.dead:
            return _with_nobody([], [])
        return _chosen(population, int(context.rng().choice(len(population), p=population.weights)))


def _able(population: Population[Candidate]) -> list[int]:
    return [i for i, c in enumerate(population.items) if c.value is not None and population.log_weights[i] > -np.inf]


def _chosen(population: Population[Candidate], index: int | None) -> Population[Candidate]:
    value = None if index is None else population.items[index].value
    if index is None or value is None:
        return _with_nobody([], [])
    return _with_nobody([population.items[index]], [class_shares(population)[value]])


@registered
class top(Decider):
    """The k heaviest candidates, heaviest first."""

    k: Annotated[int, Range(1), "how many to keep"]
    each: Annotated[bool, "so many of the descendants of every particle that `start` made"] = False

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        if not self.each:
            return population.top(self.k).normalised()
        roots = population.classes(lambda c: c.root).values()
        kept = [m[np.argsort(-population.log_weights[m], kind="stable")[: self.k]] for m in roots]
        return population.at(np.concatenate(kept)).normalised()


@registered
class prune(Decider):
    """Drop the candidates that the rule finds implausible from their weights; at least one always stays."""

    rule: Annotated[Pruner, "what finds the implausible ones"]

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        if population.dead:
            return population
        # Rules look at relative weights only; the largest is made 1, so that joint probabilities do not underflow.
        keep = self.rule(np.exp(population.log_weights - population.log_weights.max()))
        if len(keep) - int(keep.sum()):
            context.trace.note(f"{self} dropped {len(keep) - int(keep.sum())} of {len(keep)} candidates")
        return population.at(np.flatnonzero(keep)) if keep.any() else population


@registered
class distinct(Decider):
    """Keep one of each path: a completion drawn twice counts once, with the weight of one."""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        members = population.classes(lambda c: (c.path, c.finished))
        return population.at([int(m[np.argmax(population.log_weights[m])]) for m in members.values()])


@registered
class judged(Decider):
    """Leave out the candidates that this scorer has not judged, if it has judged any with an answer: their weights lack a factor.

    A budget that ends between drawing and judging leaves such candidates.
    """

    scorer: Annotated[Scorer, "the one that `weigh` or `rescore` asked before"]

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        known = [i for i, c in enumerate(population.items) if str(self.scorer) in c.scores]
        return population.at(known) if any(population.items[i].value is not None for i in known) else population


@registered
class abstain(Decider):
    """Give no answer if the best one has less than this share of the weight."""

    below: Annotated[float, Range(0, 1), "the smallest share that is answered"] = 0.5

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        _, share = heaviest(population)
        return population if share >= self.below else _with_nobody([], [])
