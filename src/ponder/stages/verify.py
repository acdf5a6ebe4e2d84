"""Keeping the answers that a model judges right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, Range, registered
from ponder.programs.layer_prompts import REASONS, VERDICT, VERDICT_AFTER, alone, ask
from ponder.programs.layer_replies import read_verdict
from ponder.stages.layers import Asker, Longest, Model, Temperature, answers, whole


@registered
class verify(Stage):
    """The answers that a model judges right (Archon's verifier, Saad-Falcon et al. 2024, section 3). Equal texts are judged once.

    The "neutral" prompt asks for a check and a verdict, one call an answer. The "reasons" prompt is the paper's: reasons why the answer
    is right, then a verdict on them, two calls an answer; it leans to accepting. A reply without exactly one verdict is counted, and
    leaves its answer unverified. Kept are those judged right; if there are none, those unverified; if there are none, all.
    """

    prompt: Annotated[str, OneOf(("neutral", "reasons")), "check and judge, or reasons for the answer first"] = "neutral"
    first: Annotated[int | None, Range(1), "keep only so many, the heaviest"] = None
    model: Model = ""
    temperature: Temperature = None
    max_tokens: Longest = None

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        pool = answers(population)
        if not pool:
            return population
        verdicts = self._verdicts([population.items[i] for i in pool], Asker(context, self.model, self.temperature, self.max_tokens))
        by_text = {population.items[i].text: verdict for i, verdict in zip(pool, verdicts, strict=True)}
        for wanted in (True, None):
            kept = [i for i in whole(population) if by_text[population.items[i].text] is wanted]
            if kept:
                break
        else:
            context.trace.note(f"{self} judged all {len(pool)} answers wrong; they were kept")
            kept = whole(population)
        return population.at(kept[: self.first]).normalised()

    def _verdicts(self, pool: Sequence[Candidate], asker: Asker) -> list[bool | None]:
        problem = asker.context.problem
        shown, wanted = [alone(c) for c in pool], VERDICT
        if self.prompt == "reasons":
            reasons = asker.each([ask(problem, answer, REASONS) for answer in shown])
            shown = [f"{answer}\n\nReasons: {r[0].text.strip()}" if r else answer for answer, r in zip(shown, reasons, strict=True)]
            wanted = VERDICT_AFTER
        try:
            replies = asker.each([ask(problem, answer, wanted) for answer in shown])
        except BudgetExhausted as end:
            asker.context.trace.note(f"{end} before {self} had its verdicts")
            return [None] * len(pool)
        found = [read_verdict(r[0].text) if r else None for r in replies]
        given = sum(bool(r) for r in replies)
        asker.context.trace.count_unread(str(self), given - sum(v is not None for v in found), given)
        return found
