"""Answers that follow different plans, so that they differ in their ideas and not in their words alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Annotated

import numpy as np

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.language import Message, Prompt, Request
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import Range, registered
from ponder.programs.complete import begin
from ponder.programs.layer_prompts import OBSERVE, PLAN, ask
from ponder.programs.layer_replies import read_tests
from ponder.stages.layers import Asker, Model, Temperature
from ponder.stages.sample import finish


@registered
class planned(Stage):
    """n answers, each to a plan of its own that was made from some of a model's observations on the question (PlanSearch, Wang et al. 2024,
    arXiv 2409.03733, section 4).

    One call lists observations; a plan is written for each single one and each pair, in an order drawn from the seed, going round if
    there are fewer than n; then each plan is followed. Not proper: plans change what is written. Without observations that can be read,
    plans are made of none. It begins: candidates that have text pass by.
    """

    n: Annotated[int, Range(1, 10_000), "how many plans, and answers"]
    observations: Annotated[int, Range(1, 100), "how many observations are asked for"] = 4
    model: Model = ""
    temperature: Temperature = None

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        open_ = [i for i, c in enumerate(population.items) if not c.finished and not c.text]
        if not open_:
            return population
        prompt, sampling = begin(context)
        if self.temperature is not None:
            sampling = replace(sampling, temperature=self.temperature)
        name, _ = context.model(self.model)
        plans = self._plans(len(open_) * self.n, Asker(context, self.model, self.temperature))
        replies = context.generate([Request(_with(prompt, plan)) for plan in plans], sampling, self.model)
        if not any(reply.completions for reply in replies):
            raise BudgetExhausted("the budget ended before any plan was followed")
        items: list[Candidate] = []
        weights: list[float] = []
        for i, candidate in enumerate(population.items):
            mine = replies[open_.index(i) * self.n :][: self.n] if i in open_ else []
            children = [finish(candidate, reply.completions[0], context.problem, name) for reply in mine if reply.completions]
            children = children or [candidate]
            items += children
            weights += [population.log_weights[i] - np.log(len(children))] * len(children)
        return Population(tuple(items), weights)

    def _plans(self, n: int, asker: Asker) -> list[str]:
        """n plans; "" where the budget left none."""
        problem = asker.context.problem
        ((*listed,),) = asker.each([ask(problem, "", OBSERVE.format(n=self.observations))])
        seen = read_tests(listed[0].text, self.observations) if listed else []
        asker.context.trace.count_unread(str(self), len(listed) - bool(seen), len(listed))
        sets: list[Sequence[str]] = [s for size in (1, 2) for s in combinations(seen, size)] or [()]
        order = asker.context.rng("sets").permutation(len(sets))
        chosen = [sets[order[k % len(sets)]] for k in range(n)]
        shown = ["Observations:\n" + "\n".join(f"- {o}" for o in some) if some else "" for some in chosen]
        replies = asker.each([ask(problem, observed, PLAN) for observed in shown])
        return [reply[0].text.strip() if reply else "" for reply in replies]


def _with(prompt: Prompt, plan: str) -> Prompt:
    """The prompt of a question with a plan to follow."""
    if not plan:
        return prompt
    if isinstance(prompt, str):
        return f"Plan: {plan}\n\n{prompt}"
    return (*prompt[:-1], Message(prompt[-1].role, f"{prompt[-1].content}\n\nFollow this plan:\n{plan}"))
