"""Tests that a model writes for the question at hand, and the answers that pass most of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, Range, registered
from ponder.programs.layer_prompts import JUDGE_TESTS, PROPOSE_TESTS, alone, ask
from ponder.programs.layer_replies import read_passes, read_tests
from ponder.scorers.base import log
from ponder.scorers.code_tests import Backend, Seconds
from ponder.scorers.generated_tests import generated_tests
from ponder.stages.layers import Asker, Longest, Model, Temperature, answers


@registered
class unit_tests(Stage):
    """The k answers that pass most of n tests that a model writes, best first (Archon's unit tests, Saad-Falcon et al. 2024, section 3).

    Programs are run on assertions in the sandbox, which is no call. Other answers are judged on statements by the model, one call an
    answer; of a reply that cannot be read no test passes, and it is counted. An answer's weight is the number of tests that it passes
    and one more. Equal texts are one answer. Where no test is written that can be used, the answers stay as they are.
    """

    n: Annotated[int, Range(1, 100), "how many tests are asked for, in one call"] = 5
    k: Annotated[int, Range(1), "how many answers are kept"] = 5
    by: Annotated[str, OneOf(("auto", "sandbox", "model")), "what runs the tests: the sandbox for programs, else the model"] = "auto"
    model: Model = ""
    temperature: Temperature = None
    max_tokens: Longest = None
    backend: Backend = "auto"
    seconds: Seconds = 5.0

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        pool = answers(population)
        if not pool:
            return population
        kept = population.at(pool)
        run = self.by == "sandbox" or (self.by == "auto" and context.problem.reads == "code")
        passed = self._run(tuple(kept.items), context) if run else self._judged(tuple(kept.items), context)
        if passed is None:
            return population
        return Population(kept.items, log(1 + passed)).top(self.k).normalised()

    def _run(self, pool: Sequence[Candidate], context: Context) -> NDArray[np.float64] | None:
        """How many tests each program passes in the sandbox; None without tests."""
        temperature = context.sampling.temperature if self.temperature is None else self.temperature
        scorer = generated_tests(1, self.n, temperature, self.model, self.backend, self.seconds)
        tests = scorer.proposed(context)
        context.trace.count_unread(str(self), not tests, 1)
        return scorer.passes(pool, tests, context).sum(axis=1).astype(np.float64) if tests else None

    def _judged(self, pool: Sequence[Candidate], context: Context) -> NDArray[np.float64] | None:
        """How many statements each answer satisfies, by the model; None without statements or without a judgement."""
        asker = Asker(context, self.model, self.temperature, self.max_tokens)
        ((*replies,),) = asker.each([ask(context.problem, "", PROPOSE_TESTS.format(n=self.n))])
        tests = read_tests(replies[0].text, self.n) if replies else []
        if not tests:
            context.trace.count_unread(str(self), len(replies), len(replies))
            return None
        shown = "\n".join(f"[{i}] {test}" for i, test in enumerate(tests, 1))
        try:
            said = asker.each([ask(context.problem, f"{alone(c)}\n\nStatements:\n{shown}", JUDGE_TESTS) for c in pool])
        except BudgetExhausted as end:
            context.trace.note(f"{end} before {self} had judged any answer")
            return None
        found = [read_passes(reply[0].text, len(tests)) if reply else None for reply in said]
        given = sum(bool(reply) for reply in said)
        context.trace.count_unread(str(self), given - sum(f is not None for f in found), given)
        return np.array([float(sum(p is True for p in f or ())) for f in found])
