"""From a pipeline's last population to an answer with its confidence and its bill."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ponder.core.algebra import Decider, Pipeline, Stage
from ponder.core.budget import Bill
from ponder.core.context import Context, Trace
from ponder.core.population import Population
from ponder.core.problem import Candidate

NOBODY = Candidate(finished=True)
"""Holds the weight that a decider gives to no answer, so that the weights of what it returns still add up."""


@dataclass(frozen=True)
class Answer:
    """What ponder answers.

    Attributes:
        value: the answer in canonical form; None if ponder abstains.
        text: the text of the candidate that stands for it.
        confidence: share of the weight behind the value, in [0, 1], unparsable candidates counted against it; 0 for an abstention.
        bill: what was spent.
        population: the candidates with their weights before the deciders; None for an answer read back from a store.
        shares: value -> share of the weight, for every value that was proposed, before the deciders.
        reason: why ponder abstains; "" if it does not.
        method: the pipeline's text.
        trace: what each stage did, and notes for the reader.
    """

    value: str | None
    text: str
    confidence: float
    bill: Bill
    population: Population[Candidate] | None = field(default=None, compare=False, repr=False)
    shares: dict[str, float] = field(default_factory=dict[str, float])
    reason: str = ""
    method: str = ""
    trace: Trace = field(default_factory=Trace, compare=False, repr=False)

    @property
    def abstained(self) -> bool:
        return self.value is None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "value": self.value,
            "text": self.text,
            "confidence": self.confidence,
            "abstained": self.abstained,
            "reason": self.reason,
            "shares": self.shares,
            "bill": self.bill.to_dict(),
            "method": self.method,
            "notes": self.trace.notes,
            "unread": {stage: list(counts) for stage, counts in self.trace.unread.items()},
            "steps": [step.to_dict() for step in self.trace.steps],
        }


def answer(method: Stage, context: Context) -> Answer:
    """Run a method on the context's problem.

    The answer is the heaviest class of the last population, its confidence the class's share of the weight. The deciders at the
    end of the method run after everything that spends, so that stored candidates can be decided again for free.
    """
    stages = method.flat()
    split_at = len(stages)
    while split_at and isinstance(stages[split_at - 1], Decider):
        split_at -= 1
    population: Population[Candidate] = Population((Candidate(),), [0.0])
    if split_at:
        population = Pipeline(stages[:split_at])(population, context)
    decided = Pipeline(stages[split_at:])(population, context.at("decide")) if split_at < len(stages) else population
    winner, confidence = heaviest(decided)
    shares = class_shares(population)
    value = None if winner is None else winner.value
    return Answer(
        value=value,
        text="" if winner is None else winner.text,
        confidence=min(1.0, confidence),
        bill=context.meter.bill,
        population=population,
        shares=shares,
        reason="" if value is not None else _reason(population, decided),
        method=str(method),
        trace=context.trace,
    )


def class_shares(population: Population[Candidate]) -> dict[str, float]:
    """Share of the total weight of every value, heaviest first, ties by value; candidates without a value are left out."""
    weights = population.weights
    shares: dict[str, float] = {
        value: math.fsum(sorted(weights[members])) for value, members in population.classes(lambda c: c.value).items() if value is not None
    }
    return dict(sorted(shares.items(), key=lambda kv: (-round(kv[1], 12), kv[0])))


def heaviest(population: Population[Candidate]) -> tuple[Candidate | None, float]:
    """The heaviest candidate of the heaviest class of values, and the class's share."""
    for value, share in class_shares(population).items():
        if share <= 0:
            break
        return population.at([i for i, c in enumerate(population.items) if c.value == value]).best(), share
    return None, 0.0


def _reason(population: Population[Candidate], decided: Population[Candidate]) -> str:
    if not any(c.finish for c in population.items):
        return "no candidate was drawn: the budget ended first"
    if all(c.value is None for c in population.items):
        return f"none of the {len(population)} candidates holds an answer that can be read"
    if population.dead:
        return "every candidate was given weight zero"
    if all(c is NOBODY for c in decided.items):
        return "the method abstained: no answer is certain enough"
    return "the chosen candidate holds no answer that can be read"
