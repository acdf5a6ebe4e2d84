"""Samples of the organisms on three tasks at many settings, scored by several verifiers: what the study of card 06 chooses from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.bench.effects import StudyTable
from ponder.core.algebra import Stage
from ponder.core.answer import heaviest
from ponder.core.context import Context
from ponder.core.language import Request, Sampling, Solution
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.core.seeds import derive
from ponder.organisms import chain, countdown
from ponder.papers.sampling.chain_runs import SIDE_BY_SIDE
from ponder.papers.sampling.organism_paths import judging, organism, steps
from ponder.programs.prompts import write_prompt
from ponder.scorers.base import log
from ponder.stages import argmax, vote
from ponder.stages.sample import finish
from ponder.tasks import Task
from ponder.tasks import load as load_task

Floats = NDArray[np.float64]
POLICIES = {"chain": "chain", "countdown": "countdown", "products": "products"}
"""Task -> the organism that writes."""
LONGEST = {"chain": 32, "countdown": 24, "products": 60}
CHOICES: Mapping[str, Stage] = {"vote": vote(), "argmax": argmax()}
VERIFIERS = ("random", "self", "outcome", "process")
JUDGES = {("chain", "outcome"): "chain-outcome", ("chain", "process"): "chain-reward-3", ("countdown", "outcome"): "countdown-head"}
"""(task, verifier) -> the organism that judges."""
CANONICAL = {"chain": chain.canonical, "countdown": countdown.canonical}


@dataclass(frozen=True)
class Drawn:
    """n samples of each problem of a task.

    Attributes:
        task: the problems.
        candidates: [problems][n].
        grades: shape (problems, n).
        tokens: mean tokens of a sample.
    """

    task: Task
    candidates: tuple[tuple[Candidate, ...], ...]
    grades: Floats
    tokens: float

    @property
    def single(self) -> Floats:
        """Mean grade of a sample, shape (problems,)."""
        return self.grades.mean(axis=1)

    @property
    def oracle(self) -> Floats:
        """Grade of the best sample: what an oracle's choice gives, shape (problems,)."""
        return self.grades.max(axis=1)

    def chosen(self, scores: Floats, choose: Stage) -> Floats:
        """Grade of what is chosen by scores in [0, 1], shape (problems, n); shape (problems,)."""
        found = np.zeros(len(self.candidates))
        for i, (problem, row) in enumerate(zip(self.task.problems, self.candidates, strict=True)):
            best, _ = heaviest(choose(Population(row, log(scores[i])), Context(problem)))
            found[i] = 0.0 if best is None or best.value is None else self.task.grade(problem, best.value, best.text)
        return found

    def voted(self) -> Floats:
        """Grade of the plain majority, shape (problems,)."""
        return self.chosen(np.ones(self.grades.shape), vote())


def drawn(name: str, limit: int, n: int, temperature: float, top_p: float, seed: int) -> Drawn:
    """n samples of each of so many problems; the same problems and seeds at every setting."""
    task, lm = load_task(name, limit=limit, seed=seed), organism(POLICIES[name])
    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=LONGEST[name])
    requests = [Request(write_prompt(p)[0], n=n, seed=derive(seed, ("bag", i))) for i, p in enumerate(task.problems)]
    replies = [r for at in range(0, limit, SIDE_BY_SIDE) for r in lm.generate(requests[at : at + SIDE_BY_SIDE], sampling)]
    rows = tuple(tuple(finish(Candidate(), c, p, lm.name) for c in r.completions) for p, r in zip(task.problems, replies, strict=True))
    grades = np.array([[task.grade(p, c.value, c.text) for c in row] for p, row in zip(task.problems, rows, strict=True)])
    return Drawn(task, rows, grades, float(np.mean([r.tokens_out for r in replies])) / n)


def scores(samples: Drawn, verifier: str, task: str, seed: int, judge: str = "") -> Floats:
    """What a verifier says of each sample, in [0, 1], shape (problems, n); a sample without text has 0.

    Args:
        verifier: "random", "self" (the mean log-probability of the tokens), or one that an organism judges.
        task: whose prompts they are.
        judge: an organism instead of the task's own.
    """
    shape = samples.grades.shape
    if verifier == "random":
        return 1.0 - np.random.default_rng([seed, 6]).random(shape)
    if verifier == "self":
        return np.exp([[c.mean_logprob or 0.0 for c in row] for row in samples.candidates])
    lm = judging(judge or JUDGES[task, verifier])
    found = np.zeros(shape)
    for at in range(0, len(samples.candidates), SIDE_BY_SIDE):
        rows = range(at, min(at + SIDE_BY_SIDE, len(samples.candidates)))
        prompts = {i: CANONICAL[task](samples.task.problems[i].question) for i in rows}
        pairs = dict.fromkeys((i, c.text) for i in rows for c in samples.candidates[i] if c.text)
        rewards = lm.rewards([Solution(prompts[i], steps(text)) for i, text in pairs])
        told = {pair: r.values[-1] for pair, r in zip(pairs, rewards, strict=True)}
        for i in rows:
            found[i] = [told.get((i, c.text), 0.0) for c in samples.candidates[i]]
    return found


def grid(limit: int, n: int, temperatures: Sequence[float], nuclei: Sequence[float], seed: int) -> StudyTable:
    """The chain task at every combination of temperature, top-p, verifier and choice; the first of each is the plain setting."""
    axes = {
        "temperature": tuple(map(str, temperatures)),
        "top_p": tuple(map(str, nuclei)),
        "verifier": VERIFIERS,
        "choice": tuple(CHOICES),
    }
    grades = np.empty((*(len(levels) for levels in axes.values()), limit))
    tokens = np.empty(grades.shape)
    for t, temperature in enumerate(temperatures):
        for p, nucleus in enumerate(nuclei):
            samples = drawn("chain", limit, n, temperature, nucleus, seed)
            tokens[t, p] = samples.tokens * n
            for v, verifier in enumerate(VERIFIERS):
                found = scores(samples, verifier, "chain", seed)
                for c, choose in enumerate(CHOICES.values()):
                    grades[t, p, v, c] = samples.chosen(found, choose)
    return StudyTable(axes, grades, tokens)
