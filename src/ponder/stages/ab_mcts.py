"""Wider or deeper: new answers and revisions of old ones, chosen by what has paid so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from ponder.core.adaptive_tree import POSTERIORS, ROOT, Adaptive, Trial, ask, tell
from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.terms import OneOf, Range, registered
from ponder.scorers.base import Scorer
from ponder.scorers.process import prm
from ponder.stages.revise import again, chain_of
from ponder.stages.weigh import scored


@registered
class ab_mcts(Stage):
    """n answers, each a new one or a revision of an earlier one, by Thompson sampling (AB-MCTS-A, Inoue et al. 2025, arXiv 2503.04412).

    A score s, the log of a probability, is the reward exp(s) in [0, 1], and what comes back are all answers with it as their weight.
    Several models are as many ways to make an answer; each node learns for itself which of them pays. Answers that are drawn at the
    same time are chosen without knowing of each other. Finished candidates that are there already can be revised like new answers.
    """

    n: Annotated[int, Range(1, 100_000), "how many answers"]
    scorer: Annotated[Scorer, "what tells good from bad, by log-probability"] = prm()
    models: Annotated[str, "which of the run's models answer, with commas between; the first by default"] = ""
    posterior: Annotated[str, OneOf(POSTERIORS), "of rewards: normal with unknown variance, or shares of successes"] = "normal"
    batch: Annotated[int, Range(1, 10_000), "how many answers are drawn at a time"] = 1
    context: Annotated[int, Range(1, 1000), "how many earlier attempts a revision is shown"] = 4

    def __call__(self, population: Population[Candidate], context: Context) -> Population[Candidate]:
        names = [name.strip() for name in self.models.split(",")]
        for name in names:
            context.model(name)
        made = dict(enumerate(c for c in population.items if c.finished and c.finish))
        state = Adaptive(len(names), self.posterior, tuple(Trial(i, ROOT, 0) for i in made))
        worth: dict[int, float] = {}
        fresh, here, left = dict(made), context, self.n
        try:
            while True:
                made |= fresh
                for trial, score in self._scores(fresh, here).items():
                    worth[trial], made[trial] = score, fresh[trial]
                    state = tell(state, trial, score)
                if not left:
                    break
                here = context.at(self.n - left)
                state, trials = ask(state, min(self.batch, left), here.rng("arms"))
                left -= len(trials)
                fresh = self._answers(trials, made, names, here)
        except BudgetExhausted as end:
            if not made:
                raise
            context.trace.note(f"{end} after {len(made)} answers of {self}")
        if not made:
            raise BudgetExhausted("the budget ended before a whole answer was drawn")
        with np.errstate(divide="ignore"):
            weights = np.log([worth.get(i, 0.5) for i in made])
        return Population(tuple(made.values()), weights)

    def _answers(self, trials: Sequence[Trial], made: dict[int, Candidate], names: Sequence[str], context: Context) -> dict[int, Candidate]:
        """Whole answers by trial, one call for each model."""
        found: dict[int, Candidate] = {}
        for action, name in enumerate(names):
            own = [trial for trial in trials if trial.action == action]
            if not own:
                continue
            chains = [() if t.parent == ROOT else chain_of(made[t.parent]) for t in own]
            try:
                drawn = again(chains, self.context, name, context.at("answers", action))
            except BudgetExhausted:
                if not found:
                    raise
                break
            found |= {t.id: candidate for t, candidate in zip(own, drawn, strict=True) if candidate is not None}
        return found

    def _scores(self, fresh: dict[int, Candidate], context: Context) -> dict[int, float]:
        """Rewards in [0, 1]; the answers remember their scores."""
        if not fresh:
            return {}
        scores, known = scored(Population(tuple(fresh.values())), self.scorer, context.at("scores"))
        if np.any(scores > 1e-9):
            raise InputError(f"{self} needs a scorer that gives log-probabilities, at most 0; {self.scorer} gave {np.max(scores):g}")
        fresh.update(zip(fresh, known.items, strict=True))
        return {trial: float(min(1.0, np.exp(s))) for trial, s in zip(fresh, scores, strict=True)}
