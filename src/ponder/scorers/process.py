"""Process rewards: how good a solution is, step by step, and how good it will be a few steps on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import InputError, PonderError
from ponder.core.fitting import each_that_fits
from ponder.core.language import Solution
from ponder.core.problem import Candidate
from ponder.core.stepwise import step_program
from ponder.core.terms import OneOf, Range, registered
from ponder.programs.complete import begin
from ponder.programs.reasoner import Reasoner
from ponder.scorers.base import Scorer, log

CLIP = 1e-7
"""Probabilities are kept this far from 0 and 1 where odds are taken."""


@registered
class prm(Scorer):
    """The log of what a process reward model says: the probability, in [0, 1], that the solution is right so far.

    `over` is how the steps make one score (Puri et al. 2025, section 3): that of the last step, the product or the smallest of all,
    or "whole": all steps handed over as a single one. A candidate without a step scores 0, a weight of 1; one that does not fit the
    reward model's context is ruled out, and a note says so.
    """

    model: Annotated[str, "which of the run's reward models judges; the first by default"] = ""
    over: Annotated[str, OneOf(("last", "product", "min", "whole")), "how the scores of steps make one"] = "last"

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        prompt, _ = begin(context)
        steps = [_steps(c, context) for c in candidates]
        begun = [tuple(s) if self.over != "whole" else ("".join(s),) for s in steps if s]
        solutions = [Solution(prompt, s) for s in dict.fromkeys(begun)]
        found = each_that_fits(lambda some: context.rewards(some, self.model), solutions) if solutions else []
        if None in found:
            context.trace.note("a solution does not fit the reward model's context and was ruled out")
        scores: dict[tuple[str, ...], float] = {}
        for solution, rewards in zip(dict.fromkeys(begun), found, strict=True):
            if rewards is None:
                scores[solution] = 0.0
                continue
            values = np.asarray(rewards.values, dtype=np.float64)
            if values.shape != (len(solution),) or not np.all((values >= 0) & (values <= 1)):
                raise PonderError(f"the reward model must give {len(solution)} probabilities, one a step; it gave {rewards.values!r:.200}")
            scores[solution] = float({"product": np.prod, "min": np.min}.get(self.over, lambda v: v[-1])(values))
        judged = iter(begun)
        return log([scores[next(judged)] if s else 1.0 for s in steps])


def _steps(candidate: Candidate, context: Context) -> list[str]:
    """The steps of a text, each with its separator; what was written whole is cut where a reasoner would have stopped."""
    if not isinstance(context.program, Reasoner):
        return [s for s in candidate.steps if s]
    return context.program.split(candidate.text, context)


@registered
class odds(Scorer):
    """The log-odds of a score that is the log of a probability: exp(score) / (1 - exp(score)), kept 1e-7 from the ends.

    Weighing by it is the softmax over logits of Puri et al. 2025 (the rule of their code).
    """

    scorer: Annotated[Scorer, "what gives log-probabilities"]

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        chances = np.clip(np.exp(_log_probabilities(self, self.scorer, candidates, context)), CLIP, 1 - CLIP)
        return np.log(chances) - np.log1p(-chances)


@registered
class raw(Scorer):
    """The probability itself as a log-weight: weighing by it is the softmax over rewards of Puri et al. 2025, eq. 3."""

    scorer: Annotated[Scorer, "what gives log-probabilities"]

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        return np.exp(_log_probabilities(self, self.scorer, candidates, context))


def _log_probabilities(owner: Scorer, scorer: Scorer, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
    values = np.asarray(scorer(candidates, context), dtype=np.float64)
    if np.isnan(values).any() or np.any(values > 1e-9):
        raise InputError(f"{owner} needs a scorer that gives log-probabilities, at most 0; {scorer} gave {np.max(values):g}")
    return np.minimum(values, 0.0)


@registered
class lookahead(Scorer):
    """The score at the end of a greedy rollout of up to `steps` further steps (Snell et al. 2024, section 5.2); 0 steps is the scorer."""

    scorer: Annotated[Scorer, "what is asked at the end"]
    steps: Annotated[int, Range(0, 100), "how many steps ahead"] = 1

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        program = step_program(context)
        greedy = replace(context, sampling=replace(context.sampling, temperature=0.0))
        ahead = list(candidates)
        for step in range(self.steps):
            open_ = [i for i, done in enumerate(program.finished(ahead)) if not done]
            if not open_:
                break
            further, _ = program.extend([ahead[i] for i in open_], 1, greedy.at("lookahead", step))
            for i, candidate in zip(open_, further, strict=True):
                ahead[i] = candidate
        return self.scorer(ahead, context)
