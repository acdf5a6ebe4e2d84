"""Feedback on an answer and a rewrite of it, in turn."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import Range, registered
from ponder.programs.layer_prompts import FEEDBACK, REWRITE, alone, ask
from ponder.stages.layers import Asker, Longest, Model, Temperature, whole
from ponder.stages.sample import anew

_CLEAN = re.compile(r"\bno\s+errors?\b", re.IGNORECASE)


@registered
class refine(Stage):
    """Up to `times` rounds of feedback and rewriting for every answer (self-refine, Madaan et al. 2023, arXiv 2303.17651).

    An answer whose feedback says "No error" is left as it is from then on. All answers are asked about side by side: two calls each a
    round. The feedback becomes the answer's critique, and the answer before it the parent of a rewritten one. What the budget cuts is
    not kept. Weights stay.
    """

    times: Annotated[int, Range(1, 1000), "the most rounds"] = 3
    model: Model = ""
    temperature: Temperature = None
    max_tokens: Longest = None

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        items, open_ = list(population.items), sorted(whole(population))
        for round_ in range(self.times):
            asker = Asker(context.at(round_), self.model, self.temperature, self.max_tokens)
            try:
                open_ = self._round(items, open_, asker)
            except BudgetExhausted as end:
                context.trace.note(f"{end} after {round_} rounds of {self}")
                break
            if not open_:
                break
        return Population(tuple(items), population.log_weights)

    def _round(self, items: list[Candidate], open_: list[int], asker: Asker) -> list[int]:
        """Change what is not clean; returns the places that were."""
        problem = asker.context.problem
        said = asker.each([ask(problem, alone(items[i]), FEEDBACK) for i in open_])
        for i, reply in zip(open_, said, strict=True):
            items[i] = replace(items[i], critique=reply[0].text.strip()) if reply else items[i]
        wrong = [i for i, reply in zip(open_, said, strict=True) if reply and not _CLEAN.search(reply[0].text)]
        again = asker.each([ask(problem, f"{alone(items[i])}\n\nErrors: {items[i].critique}", REWRITE) for i in wrong])
        for i, reply in zip(wrong, again, strict=True):
            items[i] = anew(items[i], reply[0], asker.context, self.model) if reply else items[i]
        return wrong
