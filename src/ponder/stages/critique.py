"""What is good and what is wrong about answers, said before they are ranked or fused."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import registered
from ponder.programs.layer_prompts import CRITICISE, CRITICISE_ONE, alone, ask, listed
from ponder.programs.layer_replies import read_sections
from ponder.stages.layers import Asker, Longest, Model, Temperature, answers


@registered
class critique(Stage):
    """A model says what is good and wrong about each answer; `rank` and `fuse` show it (Archon, Saad-Falcon et al. 2024, section 3).

    All answers stand in one prompt, and the reply is cut at their numbers: one call. With `each` there is a call for every answer, and
    nothing to cut. Answers that nothing is said of, and those that the budget or the context left out, have no critique. Weights stay.
    """

    each: Annotated[bool, "a call for every answer instead of one for all"] = False
    model: Model = ""
    temperature: Temperature = None
    max_tokens: Longest = None

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        pool = [population.items[i] for i in answers(population)]
        if not pool:
            return population
        asker = Asker(context, self.model, self.temperature, self.max_tokens)
        said = self._each(pool, asker) if self.each else self._all(pool, asker)
        items = tuple(replace(c, critique=said[c.text]) if c.finished and said.get(c.text) else c for c in population.items)
        return Population(items, population.log_weights)

    def _each(self, pool: list[Candidate], asker: Asker) -> dict[str, str]:
        replies = asker.each([ask(asker.context.problem, alone(c), CRITICISE_ONE) for c in pool])
        found = {c.text: reply[0].text.strip() for c, reply in zip(pool, replies, strict=True) if reply}
        asker.context.trace.count_unread(str(self), sum(not text for text in found.values()), len(found))
        return found

    def _all(self, pool: list[Candidate], asker: Asker) -> dict[str, str]:
        (reply,), shown = asker.about_all(pool, lambda some: [ask(asker.context.problem, listed(some, critiques=False), CRITICISE)])
        sections = read_sections(reply[0].text, shown) if reply else None
        if reply:
            asker.context.trace.count_unread(str(self), sections is None, 1)
        return {c.text: said for c, said in zip(pool, sections or (), strict=False)}
