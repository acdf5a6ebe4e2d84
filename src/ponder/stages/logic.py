"""Formalising a problem, repairing what cannot be used, and proving: the stages of LINC (Olausson et al. 2023, arXiv 2310.15164)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from ponder.core.algebra import Proper, Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.language import Completion, Request
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, Range, registered
from ponder.logic.provers import check_installed
from ponder.programs.complete import grown
from ponder.programs.formalise import (
    STOP,
    FormalisationError,
    again_prompt,
    formalisation,
    formulas_of,
    sentence_prompt,
    statements,
    whole_prompt,
)
from ponder.scorers.prover import Backend, Seconds, verdict

By = Annotated[str, OneOf(("problem", "sentence")), "whether the model sees the whole problem, or each sentence by itself"]


@registered
class formalise(Proper):
    """Branch every unfinished candidate n ways; each is a translation of the problem into first-order logic, and gives no answer yet.

    By sentence, the n translations of each sentence are drawn together, and the i-th of each make up the i-th candidate.
    """

    n: Annotated[int, Range(1, 100_000), "how many translations"] = 10
    by: By = "problem"
    max_tokens: Annotated[int | None, Range(1), "the longest completion, in tokens; by default the run's"] = None
    model: Annotated[str, "which of the run's models translates; the first by default"] = ""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        open_ = [i for i, c in enumerate(population.items) if not c.finished]
        if not open_:
            return population
        premises, conclusion = statements(context.problem)
        said = (*premises, conclusion)
        prompts = [whole_prompt(context.problem)] if self.by == "problem" else [*map(sentence_prompt, said)]
        sampling = replace(context.sampling, max_tokens=self.max_tokens or context.sampling.max_tokens, stop=(*context.sampling.stop, STOP))
        name, _ = context.model(self.model)
        replies = context.generate([Request(p, n=self.n) for _ in open_ for p in prompts], sampling, self.model)
        children: dict[int, list[Candidate]] = {}
        for at, i in enumerate(open_):
            drawn = zip(*(r.completions for r in replies[at * len(prompts) :][: len(prompts)]), strict=False)
            whole = [parts for parts in drawn if all(c.finish != "cancelled" for c in parts)]
            children[i] = [_joined(population.items[i], parts, said, self.by, name) for parts in whole]
        if not any(children.values()):
            raise BudgetExhausted("the budget ended before a whole translation was drawn")
        items: list[Candidate] = []
        weights: list[float] = []
        for i, candidate in enumerate(population.items):
            made = children.get(i) or [candidate]  # what the budget left untranslated stays as it was
            items += made
            weights += [population.log_weights[i] - np.log(len(made))] * len(made)
        return Population(tuple(items), weights)


def _joined(parent: Candidate, parts: Sequence[Completion], said: Sequence[str], by: str, model: str) -> Candidate:
    """The candidate that completions make: one is a whole formalisation, several are formulas of one sentence each."""
    if by == "problem":
        return replace(grown(parent, parts[0], model), finished=True)
    text = formalisation([(sentence, _formula(c.text)) for sentence, c in zip(said, parts, strict=True)])
    known = [c.logprobs for c in parts if c.logprobs is not None]
    merged = Completion(
        text,
        sum(c.tokens for c in parts),
        "length" if any(c.finish == "length" for c in parts) else "stop",
        tuple(t for c in parts for t in c.token_ids),
        tuple(x for logprobs in known for x in logprobs) if len(known) == len(parts) else None,
    )
    return replace(grown(parent, merged, model), finished=True)


def _formula(text: str) -> str:
    """The first line that holds anything, without a word in front that says what it is."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return line.rpartition("FOL:")[2].rpartition("Formula:")[2].strip()


@registered
class repair(Stage):
    """Show the model what is wrong with formalisations that cannot be used and ask again, up to `times` times; by problem only.

    What was wrong is what the parser or the check of signatures says. A formalisation that the budget left without a repair stays.
    """

    times: Annotated[int, Range(1, 100), "how often it is asked again"] = 1
    model: Annotated[str, "which of the run's models repairs; the first by default"] = ""

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        items, name = list(population.items), context.model(self.model)[0]
        sampling = replace(context.sampling, stop=(*context.sampling.stop, STOP))
        for round_ in range(self.times):
            wrong = {i: error for i, c in enumerate(items) if c.finish and (error := _error(c))}
            if not wrong:
                break
            requests = [Request(again_prompt(context.problem, items[i].text, error)) for i, error in wrong.items()]
            try:
                replies = context.at(round_).generate(requests, sampling, self.model)
            except BudgetExhausted as end:
                context.trace.note(f"{end} after {round_} repairs")
                break
            for i, reply in zip(wrong, replies, strict=True):
                done = [c for c in reply.completions if c.finish != "cancelled"]
                if done:
                    alone = grown(Candidate(root=items[i].root), done[0], name)
                    items[i] = replace(alone, finished=True, parent=items[i])
        return Population(tuple(items), population.log_weights)


def _error(candidate: Candidate) -> str:
    """What is wrong with a candidate's formalisation; "" if nothing is."""
    try:
        formulas_of(candidate.text)
    except FormalisationError as error:
        return str(error)
    return ""


@registered
class prove(Proper):
    """Give each formalisation the answer that a prover finds: True, False or Uncertain. Those with errors weigh nothing.

    As in LINC, what no prover settled in its time counts as Uncertain; a note says how often.
    """

    backend: Backend = "z3"
    timeout: Seconds = 10.0

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        check_installed(self.backend)
        failures, unsettled, drawn = Counter[str](), 0, 0
        items: list[Candidate] = []
        factors: list[float] = []
        for candidate in population.items:
            if not candidate.finish:
                items.append(candidate)
                factors.append(0.0)
                continue
            found = verdict(candidate, self.backend, self.timeout)
            drawn += 1
            failures.update([found.failure] * bool(found.failure))
            unsettled += found.entailment is not None and not found.entailment.settled
            items.append(replace(candidate, value=None if found.label is None else context.problem.read(found.label)))
            factors.append(-np.inf if found.label is None else 0.0)
        if failures:
            kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(failures.items()))
            context.trace.note(f"{failures.total()} of {drawn} formalisations cannot be used ({kinds})")
        if unsettled:
            context.trace.note(f"{unsettled} of {drawn} proofs were not settled in {self.timeout:g} s; they count as Uncertain")
        return Population(tuple(items), population.log_weights).reweight(np.array(factors))
