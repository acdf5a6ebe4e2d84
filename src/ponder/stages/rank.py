"""The best answers by a model's ranking of them, or by a score."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.language import Prompt
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, Range, registered
from ponder.programs.layer_prompts import COMPARE, PICK, RANK, ask, beside, listed
from ponder.programs.layer_replies import read_best, read_comparison, read_ranking
from ponder.scorers.base import Scorer, log
from ponder.stages.layers import Asker, Longest, Model, Temperature, answers
from ponder.stages.weigh import scored

BY = ("list", "best", "pairs")


@registered
class rank(Stage):
    """The k best answers, best first (Archon's ranker, Saad-Falcon et al. 2024, section 3). Equal texts are one answer.

    By "list" a model orders all answers in one reply, by "best" it names the best alone, by "pairs" it compares every two, in one
    batch; or a scorer tells. Critiques are shown with the answers they are of. An answer's weight is its points and one more: how many
    answers it is put before (list, pairs; a tie is half), or how often it is named best, each a mean over the orders. With a scorer
    it is the score.

    Models prefer places, so the answers are shown in an order drawn from the run's seed; of several orders every second is the one
    before reversed. A reply that cannot be read is counted and gives no points: if none can be, the answers keep the order they came
    in, the heaviest first. Answers that a ranking does not name come behind those that it does, in that order.
    """

    k: Annotated[int, Range(1), "how many are kept"]
    by: Annotated[str | Scorer, OneOf(BY), "what ranks: a list, the best alone, pairs, or a scorer"] = "list"
    orders: Annotated[int, Range(0, 100), "how many orders are asked; 0 asks once, in the order that the answers came in"] = 1
    critiques: Annotated[bool, "show what critics said"] = True
    model: Model = ""
    temperature: Temperature = None
    max_tokens: Longest = None

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        pool = answers(population)
        if not pool:
            return population
        kept = population.at(pool)
        if isinstance(self.by, Scorer):
            points, kept = scored(kept, self.by, context)
        elif len(pool) > 1:
            points = log(1 + self._points(tuple(kept.items), context))
        else:
            points = np.zeros(1)
        return Population(kept.items, points).top(self.k).normalised()

    def _points(self, pool: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        asker = Asker(context, self.model, self.temperature, self.max_tokens)
        points, unread, read = self._pairs(pool, asker) if self.by == "pairs" else self._lists(pool, asker)
        context.trace.count_unread(str(self), unread, unread + read)
        return points if read else np.arange(len(pool) - 1, -1, -1.0)

    def _lists(self, pool: Sequence[Candidate], asker: Asker) -> tuple[NDArray[np.float64], int, int]:
        """Points by places in rankings, how many replies could not be read, and how many could."""
        wanted, orders = RANK.format(n=len(pool)) if self.by == "list" else PICK, self._orders(len(pool), asker.context)

        def prompts(shown: Sequence[Candidate]) -> list[Prompt]:
            inside = [[i for i in order if i < len(shown)] for order in orders]
            return [ask(asker.context.problem, listed([shown[i] for i in order], self.critiques), wanted) for order in inside]

        replies, shown = asker.about_all(pool, prompts)
        points, read, firsts = np.zeros(len(pool)), 0, 0
        for order, reply in zip(orders, replies, strict=True):
            inside = [i for i in order if i < shown]
            places = self._read(reply[0].text, shown) if reply else None
            if places is None:
                continue
            read, firsts = read + 1, firsts + (places[0] == 0)
            named = [inside[p] for p in places]
            if self.by == "best":
                points[named[0]] += 1
                continue
            ranking = named + [i for i in range(len(pool)) if i not in named]
            points[ranking] += np.arange(len(pool) - 1, -1, -1)
        if read > 1:
            asker.context.trace.note(f"{self}: the answer shown first was put first in {firsts} of {read} orders")
        return points / max(1, read), sum(bool(r) for r in replies) - read, read

    def _read(self, text: str, n: int) -> list[int] | None:
        if self.by == "list":
            return read_ranking(text, n)
        best = read_best(text, n)
        return None if best is None else [best]

    def _pairs(self, pool: Sequence[Candidate], asker: Asker) -> tuple[NDArray[np.float64], int, int]:
        """Points by comparisons: a win is 1, a tie and what cannot be read half."""
        pairs = list(combinations(range(len(pool)), 2))
        flips = asker.context.rng("order").random(len(pairs)) < 0.5 if self.orders else np.zeros(len(pairs), dtype=bool)
        turned = [(j, i) if flip else (i, j) for (i, j), flip in zip(pairs, flips, strict=True)]
        shown = [pair[:: -1 if s % 2 else 1] for s in range(max(1, self.orders)) for pair in turned]
        replies = asker.each([ask(asker.context.problem, beside(pool[a], pool[b]), COMPARE) for a, b in shown])
        points, read = np.zeros(len(pool)), 0
        for (a, b), reply in zip(shown, replies, strict=True):
            won = read_comparison(reply[0].text) if reply else None
            read += won is not None
            points[a] += 0.5 if won is None else won
            points[b] += 0.5 if won is None else 1 - won
        return points / max(1, self.orders), sum(bool(r) for r in replies) - read, read

    def _orders(self, n: int, context: Context) -> list[list[int]]:
        """The orders in which n answers are shown."""
        if not self.orders:
            return [list(range(n))]
        rng = context.rng("order")
        drawn = [rng.permutation(n).tolist() for _ in range((self.orders + 1) // 2)]
        return [order[::way] for order in drawn for way in (1, -1)][: self.orders]
