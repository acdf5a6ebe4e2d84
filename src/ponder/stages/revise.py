"""Revision: asking again with the earlier attempts in view, and choosing among all attempts of several chains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from ponder.core.algebra import Decider, Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted, ContextOverflow
from ponder.core.language import Message, Prompt, Reply, Request, Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import Range, registered
from ponder.programs.complete import begin
from ponder.stages.sample import anew

AGAIN = "That may be wrong. Look for mistakes, then give the whole solution again."
"""What a chat model is told after each earlier attempt."""


@registered
class revise(Stage):
    """Ask again, `times` times in a row, with up to `context` of the candidate's earlier attempts in view (Snell et al. 2024, section 6).

    A chat shows them as the assistant's turns. An engine whose `attempts` is "continue", a model trained on chains of attempts, is
    shown the attempts as the beginning of its own text, a line break after each. An attempt that the budget cut is not kept, and
    unfinished candidates pass. The new candidate's parent is the attempt before it; `attempts` brings all of them back.
    """

    context: Annotated[int, Range(1, 1000), "how many earlier attempts are shown"] = 4
    times: Annotated[int, Range(1, 1000), "revisions in a row"] = 1
    model: Annotated[str, "which of the run's models revises; the first by default"] = ""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        items = list(population.items)
        for round_ in range(self.times):
            open_ = [i for i, c in enumerate(items) if c.finished and c.finish]
            if not open_:
                break
            try:
                drawn = again([chain_of(items[i]) for i in open_], self.context, self.model, context.at(round_))
            except BudgetExhausted as end:
                context.trace.note(f"{end} after {round_} revisions")
                break
            for i, candidate in zip(open_, drawn, strict=True):
                items[i] = candidate or items[i]
        return Population(tuple(items), population.log_weights)


def chain_of(candidate: Candidate) -> tuple[Candidate, ...]:
    """The finished attempts that led to a candidate, itself included, the oldest first."""
    return tuple(c for c in candidate.lineage if c.finished)


def again(chains: Sequence[Sequence[Candidate]], most: int, model: str, context: Context) -> list[Candidate | None]:
    """One more attempt for each chain, in one batch; None where the budget left no whole one. An empty chain is asked afresh.

    Args:
        chains: earlier attempts, the oldest first.
        most: how many of them are shown, the last ones.
        model: which of the run's models writes.
        context: of this place.
    """
    prompt, sampling = begin(context)
    _, lm = context.model(model)
    continues = getattr(lm, "attempts", "") == "continue"
    found: list[Candidate | None] = []
    for chain, reply in zip(chains, _replies(prompt, chains, most, continues, sampling, model, context), strict=True):
        whole = [c for c in reply.completions if c.finish != "cancelled"]
        found.append(anew(chain[-1] if chain else Candidate(), whole[0], context, model) if whole else None)
    return found


def _replies(
    prompt: Prompt, chains: Sequence[Sequence[Candidate]], most: int, continues: bool, sampling: Sampling, model: str, context: Context
) -> list[Reply]:
    """The replies with as many earlier attempts in view, up to `most`, as the model's context holds."""
    for shown in range(most, 0, -1):
        earlier = [[c.text for c in chain][-shown:] for chain in chains]
        try:
            return context.generate([_request(prompt, texts, continues) for texts in earlier], sampling, model)
        except ContextOverflow:
            context.trace.note(f"{shown} earlier attempts do not fit the model's context; fewer were shown")
    return context.generate([_request(prompt, (), continues)] * len(chains), sampling, model)


def _request(prompt: Prompt, earlier: Sequence[str], continues: bool) -> Request:
    """The question with the attempts that were made at it."""
    if continues:
        return Request(prompt, prefix="".join(text + "\n" for text in earlier))
    if isinstance(prompt, str):
        # A few-shot prompt ends in the opening of an answer; each attempt is followed by another opening.
        opening = re.search(r"[^\n]*\Z", prompt)
        return Request(prompt + "".join(f" {text.strip()}\n{opening[0] if opening else ''}" for text in earlier))
    turns = [turn for text in earlier for turn in (Message("assistant", text), Message("user", AGAIN))]
    return Request((*prompt, *turns))


@registered
class attempts(Decider):
    """All attempts of each chain of revisions, each with its chain's weight; they know their chain by `root`, counted from 0."""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        items: list[Candidate] = []
        weights: list[float] = []
        for i, (candidate, weight) in enumerate(zip(population.items, population.log_weights, strict=True)):
            chain = chain_of(candidate) or (candidate,)
            items += [replace(c, root=i) for c in chain]
            weights += [float(weight)] * len(chain)
        return Population(tuple(items), weights).normalised()


@registered
class winners(Decider):
    """Of each particle that `start` made, or of each chain that `attempts` opened, the answer of the largest summed weight, as its heaviest
    candidate with that candidate's own weight (Snell et al. 2024, section 6.2 and appendix: first within, then across chains)."""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        kept: list[int] = []
        for members in population.classes(lambda c: c.root).values():
            able = np.array([i for i in members if population.items[i].value is not None], dtype=np.intp)
            if not len(able):
                kept.append(int(members[np.argmax(population.log_weights[members])]))
                continue
            own = population.at(able)
            best = own.mode(lambda c: c.value)
            won = able if best is None else able[[population.items[i].value == best[0] for i in able]]
            kept.append(int(won[np.argmax(population.log_weights[won])]))
        return population.at(kept).normalised()
