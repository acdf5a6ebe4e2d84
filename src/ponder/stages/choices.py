"""Asking a multiple-choice question with its options in several orders, so that a liking for a letter cancels.

The choice-shuffling ensemble of Medprompt (Nori et al. 2023, arXiv 2311.16452; re-examined in arXiv 2411.03590).
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from string import ascii_uppercase
from typing import Annotated

import numpy as np

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.language import Continuation, Request
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.terms import OneOf, Range, registered
from ponder.programs.complete import begin
from ponder.stages.sample import finish

Order = tuple[int, ...]
KINDS = ("random", "plain_hunt", "cyclic", "all")
_POSITIONAL = re.compile(
    r"\b(?:all|none|both|neither|any|either)\s+(?:of\s+)?(?:the\s+)?(?:above|these|below|following|previous|others?)\b"
    r"|\b(?:both|neither|either)\s+\(?[A-J]\)?\s+(?:and|n?or|&)\s+\(?[A-J]\b|^\W*\(?[A-J]\)?\s*(?:and|or|&|,)\s*\(?[A-J]\)?\W*$",
    re.IGNORECASE,
)


def orders(options: int, m: int, kind: str = "random", rng: np.random.Generator | None = None) -> list[Order]:
    """m different orders of so many options; fewer where there are no more.

    >>> ["".join(map(str, order)) for order in orders(4, 8, "plain_hunt")]
    ['0123', '1032', '1302', '3120', '3210', '2301', '2031', '0213']

    Args:
        options: how many, at least 2.
        m: how many orders; "all" ignores it.
        kind: "random" permutations, the bell-ringers' "plain_hunt" (2 n orders, each option in each place twice), "cyclic" shifts (each
            option in each place once in n), "all" n! of them (up to 6 options).
        rng: draws the random ones.
    """
    if options < 2 or m < 1:
        raise InputError(f"orders need at least 2 options and 1 order, not {options} and {m}")
    first = tuple(range(options))
    if kind == "all":
        if options > 6:
            raise InputError(f"{options} options have {math.factorial(options):,} orders; 'all' is for up to 6")
        return list(itertools.permutations(first))
    if kind == "cyclic":
        return [first[i:] + first[:i] for i in range(min(m, options))]
    if kind == "plain_hunt":
        return _plain_hunt(options)[:m]
    if kind == "random":
        draw = rng or np.random.default_rng(0)
        most = min(m, math.factorial(options))
        found: dict[Order, None] = {}
        while len(found) < most:
            found.setdefault(tuple(int(i) for i in draw.permutation(options)))
        return list(found)
    raise InputError(f"no kind of orders is called {kind!r}; there are {', '.join(KINDS)}")


def _plain_hunt(options: int) -> list[Order]:
    """From each row to the next all pairs change places, beginning at the first and at the second place in turn."""
    row, rows = list(range(options)), [tuple(range(options))]
    for change in range(2 * options - 1):
        for i in range(change % 2, options - 1, 2):
            row[i], row[i + 1] = row[i + 1], row[i]
        rows.append(tuple(row))
    return list(dict.fromkeys(rows))


def positional(choices: tuple[str, ...]) -> bool:
    """Whether an option speaks of the places of others ("all of the above", "both A and C"), so that they must stay where they are."""
    return any(_POSITIONAL.search(choice) for choice in choices)


def reordered(problem: Problem, order: Order) -> Problem:
    """The problem with its options in another order: option `order[i]` stands at place i."""
    return replace(problem, choices=tuple(problem.choices[i] for i in order))


def original(letter: str | None, order: Order) -> str | None:
    """The letter that an option had before it was reordered, by the one it was given."""
    place = -1 if letter is None or len(letter) != 1 else ascii_uppercase.find(letter)
    return ascii_uppercase[order[place]] if 0 <= place < len(order) else None


@registered
class shuffled(Stage):
    """One completion for each of m orders of the question's options; answers are told in the question's own letters.

    With `by="letters"` nothing is written: each order brings one candidate for each option, weighted by the probability that the model
    gives its letter, so that `vote()` adds up probabilities. Options that speak of the places of others ("all of the above") are left
    in their order, drawn m times, and the answer's notes say so. The result is of other prompts than the question's own, so it is not
    properly weighted.
    """

    m: Annotated[int, Range(1, 10_000), "how many orders; no more than there are"]
    order: Annotated[str, OneOf(KINDS), "which orders: random, plain_hunt, cyclic or all"] = "random"
    by: Annotated[str, OneOf(("text", "letters")), "what is read: the text that is written, or the probabilities of the letters"] = "text"
    style: Annotated[str | None, "how the prompt is written; by default the run's or the problem's own"] = None

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        problem = context.problem
        texts = [choice.strip().casefold() for choice in problem.choices]
        if len(texts) < 2 or len(set(texts)) < len(texts) or not all(texts):
            raise InputError(f"shuffling needs at least 2 options, all different, and the question has {list(problem.choices)!r:.80}")
        if positional(problem.choices):
            context.trace.note("the options speak of each other's places: they were left in their order")
            chosen = [tuple(range(len(texts)))] * self.m
        else:
            chosen = orders(len(texts), self.m, self.order, context.rng("orders"))
        if len(chosen) < self.m and self.order != "all":
            context.trace.note(f"{len(texts)} options have {len(chosen)} such orders, {self.m} were asked for")
        parents = [c for c in population.items if not c.finished]
        if not parents:
            return population
        read = self._letters if self.by == "letters" else self._texts
        return read(parents[0], chosen, context)

    def _texts(self, parent: Candidate, chosen: list[Order], context: Context) -> Population[Candidate]:
        asked = [reordered(context.problem, order) for order in chosen]
        begun = [begin(replace(context, problem=p), self.style) for p in asked]
        replies = context.generate([Request(prompt, prefix=parent.text) for prompt, _ in begun], begun[0][1])
        name, _ = context.model()
        items = [
            self._told(finish(parent, completion, problem, name), order)
            for reply, problem, order in zip(replies, asked, chosen, strict=True)
            for completion in reply.completions
        ]
        if not items:
            raise BudgetExhausted("the budget ended before anything was drawn")
        return Population(tuple(items), np.full(len(items), -math.log(len(items))))

    @staticmethod
    def _told(candidate: Candidate, order: Order) -> Candidate:
        return replace(candidate, value=original(candidate.value, order))

    def _letters(self, parent: Candidate, chosen: list[Order], context: Context) -> Population[Candidate]:
        letters = ascii_uppercase[: len(context.problem.choices)]
        continuations = []
        for order in chosen:
            prompt, _ = begin(replace(context, problem=reordered(context.problem, order)), self.style)
            gap = " " if isinstance(prompt, str) else ""
            continuations += [Continuation(prompt, f"{gap}{letter}") for letter in letters]
        scored = context.logprobs(continuations)
        items, weights = [], []
        for at, order in enumerate(chosen):
            row = np.array([sum(s.logprobs) for s in scored[at * len(letters) : (at + 1) * len(letters)]])
            shares = row - np.logaddexp.reduce(row)
            for letter, share in zip(letters, shares, strict=True):
                items.append(replace(parent, text=letter, value=original(letter, order), finished=True, finish="stop", parent=parent))
                weights.append(float(share) - math.log(len(chosen)))
        return Population(tuple(items), weights)
