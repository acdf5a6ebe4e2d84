"""Voting among candidates that call tools."""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Decider
from ponder.core.answer import NOBODY
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, registered
from ponder.core.tool_calls import names_of, without
from ponder.scorers.base import log


@registered
class vote_calls(Decider):
    """The candidate whose tool calls have the most weight, as its heaviest; for problems that are read as "tool-call".

    "calls" compares names and arguments, "names" the names alone, "names first" the names and then, among those that call the winning
    tools, the arguments. Its weight is the share of the weight of all that agree with it in what was compared last. Candidates without
    a call vote for nobody; of equally heavy ones the first in order of their texts wins.
    """

    by: Annotated[str, OneOf(("calls", "names", "names first")), "what is compared"] = "names first"
    ignore: Annotated[str, "arguments that do not count, with commas between, such as an id"] = ""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        if context.problem.reads != "tool-call":
            raise InputError(f"vote_calls needs a problem that is read as 'tool-call', not {context.problem.reads!r} (reads=, --reads)")
        ignored = frozenset(name.strip() for name in self.ignore.split(","))
        keys = {c.value: (names_of(c.value), without(c.value, ignored)) for c in population.items if c.value is not None}
        voters = [i for i, c in enumerate(population.items) if c.value is not None]
        share = 0.0
        for level in {"calls": (1,), "names": (0,), "names first": (0, 1)}[self.by]:
            masses: dict[str, float] = {}
            for i in voters:
                key = keys[population.items[i].value or ""][level]
                masses[key] = masses.get(key, 0.0) + float(population.weights[i])
            if not masses or max(masses.values()) <= 0:
                return Population((NOBODY,), [0.0])
            winner = min(masses, key=lambda k: (-round(masses[k], 12), k))
            share = masses[winner]
            voters = [i for i in voters if keys[population.items[i].value or ""][level] == winner]
        best = min(voters, key=lambda i: (-population.log_weights[i], population.items[i].value or "", population.items[i].text))
        rest = max(0.0, 1.0 - share)
        return Population((population.items[best], NOBODY), log([share, rest]))
