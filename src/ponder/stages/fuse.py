"""One answer made of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.language import Prompt
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import Range, registered
from ponder.programs.layer_prompts import FUSE, ask, listed
from ponder.stages.layers import Asker, Longest, Model, Temperature, answers
from ponder.stages.sample import anew


@registered
class fuse(Stage):
    """n answers, each written with all earlier ones in view, take their place (Archon's fuser; mixture of agents, Wang et al. 2024,
    arXiv 2406.04692, section 2).

    One prompt shows the answers and what critics said of them. They are equally heavy. Where the budget or the context leaves no
    whole one, the earlier answers stay.
    """

    n: Annotated[int, Range(1, 100_000), "how many are written"] = 1
    critiques: Annotated[bool, "show what critics said"] = True
    model: Model = ""
    temperature: Temperature = None
    max_tokens: Longest = None

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        pool = [population.items[i] for i in answers(population)]
        if not pool:
            return population

        def prompts(shown: Sequence[Candidate]) -> list[Prompt]:
            told = self.critiques and any(c.critique for c in shown)
            return [ask(context.problem, listed(shown, self.critiques), FUSE.format(critiques=" and their critiques" if told else ""))]

        (replies,), _ = Asker(context, self.model, self.temperature, self.max_tokens).about_all(pool, prompts, self.n)
        if not replies:
            context.trace.note(f"{self} wrote no whole answer; the earlier ones were kept")
            return population
        items = tuple(anew(pool[0], completion, context, self.model) for completion in replies)
        return Population(items, np.full(len(items), -np.log(len(items))))
