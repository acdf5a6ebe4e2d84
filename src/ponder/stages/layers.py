"""What the stages of layered methods share: which answers they are shown, and one batch of questions about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ponder.core.context import Context
from ponder.core.errors import ContextOverflow
from ponder.core.fitting import each_that_fits
from ponder.core.language import Completion, Prompt, Request
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import Range

Model = Annotated[str, "which of the run's models is asked; the first by default"]
Temperature = Annotated[float | None, Range(0), "of what it writes; by default the run's"]
Longest = Annotated[int | None, Range(1), "the longest reply, in tokens; by default the run's"]


def whole(population: Population[Candidate]) -> list[int]:
    """Places of the whole answers that are not ruled out, the heaviest first, then in order."""
    order = np.argsort(-population.log_weights, kind="stable").tolist()
    return [i for i in order if (c := population.items[i]).finished and c.finish and population.log_weights[i] > -np.inf]


def answers(population: Population[Candidate]) -> list[int]:
    """As `whole`, of equal texts the first."""
    kept: dict[str, int] = {}
    for i in whole(population):
        kept.setdefault(population.items[i].text, i)
    return list(kept.values())


@dataclass(frozen=True)
class Asker:
    """How a stage asks about answers.

    Attributes:
        context: of this place.
        model: which of the run's models is asked.
        temperature, max_tokens: instead of the run's.
    """

    context: Context
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None

    def each(self, prompts: Sequence[Prompt], n: int = 1) -> list[list[Completion]]:
        """The whole replies to each prompt, asked as one batch; fewer than n where the budget ended or a prompt is too long."""
        replies = each_that_fits(lambda some: self._replies(some, n), prompts) if prompts else []
        return [reply or [] for reply in replies]

    def about_all(
        self, candidates: Sequence[Candidate], write: Callable[[Sequence[Candidate]], Sequence[Prompt]], n: int = 1
    ) -> tuple[list[list[Completion]], int]:
        """The whole replies to prompts that show all candidates, and how many were shown: a quarter is left out while they are too many."""
        shown = len(candidates)
        while True:
            prompts = write(candidates[:shown])
            try:
                return self._replies(prompts, n), shown
            except ContextOverflow:
                if shown == 1:
                    return [[] for _ in prompts], 1
                shown = max(1, shown * 3 // 4)
                self.context.trace.note(f"not all answers fit the model's context; {shown} of {len(candidates)} were shown")

    def _replies(self, prompts: Sequence[Prompt], n: int) -> list[list[Completion]]:
        own: dict[str, Any] = {k: v for k in ("temperature", "max_tokens") if (v := getattr(self, k)) is not None}
        sampling = replace(self.context.sampling, stop=(), **own)
        replies = self.context.generate([Request(prompt, n=n) for prompt in prompts], sampling, self.model)
        return [[c for c in reply.completions if c.finish != "cancelled"] for reply in replies]
