"""Programs small enough to enumerate: a tree of three symbols and three steps, its target, and an engine that writes it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ponder.core.context import Context
from ponder.core.language import Continuation, Sampling, Scored, Solution
from ponder.core.problem import Candidate, Problem
from ponder.lm.scripted import Scripted, ScriptedRewards, flatten
from ponder.programs.reasoner import Reasoner
from ponder.scorers.base import Scorer

DEPTH = 3
_rng = np.random.default_rng(18)
STEP = [_rng.dirichlet(np.ones(3), 3**t) for t in range(DEPTH)]
"""STEP[t][prefix, symbol]: probability of the symbol after a prefix of t symbols, written to base 3."""
SCORE = [_rng.uniform(0.15, 0.9, 3**t) for t in range(DEPTH + 1)]
"""SCORE[t][prefix]: what the verifier says of a prefix, in (0, 1)."""
SEEN = [_rng.uniform(-1, 1, 3**t) for t in range(DEPTH + 1)]
"""SEEN[t][prefix]: log-weight increments that the program itself gives, as a state-space model does."""


def log_odds(score: Any) -> Any:
    return np.log(score) - np.log1p(-score)


def enumerated(temper: float = 1.0, ratio: bool = False, seen: bool = True) -> tuple[np.ndarray, float]:
    """The target over the 27 whole paths, normalised, and its normaliser."""
    mass = np.zeros(27)
    for path in range(27):
        log = 0.0
        for t in range(1, DEPTH + 1):
            prefix = path // 3 ** (DEPTH - t)
            log += math.log(STEP[t - 1][prefix // 3, prefix % 3]) + seen * SEEN[t][prefix]
            if not ratio or t == DEPTH:
                log += log_odds(SCORE[t][prefix]) / temper
        mass[path] = math.exp(log)
    return mass / mass.sum(), float(mass.sum())


class Walk:
    """The tree as an array program: a state is (prefix to base 3, number of symbols)."""

    def start(self, n: int, context: Context) -> Any:
        return np.zeros((n, 2), dtype=np.int64)

    def extend(self, states: Any, width: int, context: Context) -> Any:
        prefix, t = np.repeat(states, width, axis=0).T
        below = np.cumsum(STEP[t[0]][prefix], axis=1)
        symbol = np.minimum((context.rng("step").random(len(prefix))[:, None] >= below).sum(1), 2)
        return np.stack([prefix * 3 + symbol, t + 1], axis=1), SEEN[t[0] + 1][prefix * 3 + symbol]

    def finished(self, states: Any) -> Any:
        return states[:, 1] >= DEPTH

    def retrace(self, final: Any, state: Any) -> tuple[Any, float]:
        if state is None:
            return np.zeros(2, dtype=np.int64), 0.0
        t = int(state[1]) + 1
        prefix = int(final[0]) // 3 ** (DEPTH - t)
        return np.array([prefix, t]), float(SEEN[t][prefix])

    def graft(self, final: Any, state: Any, states: Any, context: Context) -> Any:
        left = DEPTH - int(state[1])
        whole = states[:, 0] * 3**left + int(final[0]) % 3**left
        logs = np.zeros(len(states))
        for t in range(DEPTH - left + 1, DEPTH + 1):
            prefix = whole // 3 ** (DEPTH - t)
            logs += np.log(STEP[t - 1][prefix // 3, prefix % 3]) + SEEN[t][prefix]
        return np.stack([whole, np.full(len(whole), DEPTH)], axis=1), logs


class table(Scorer):
    """The log-odds of the verifier's score of a state of `Walk`."""

    def __call__(self, candidates: Sequence[Any], context: Context) -> Any:
        states = np.asarray(candidates)
        return log_odds(SCORE[int(states[0, 1])][states[:, 0]])


def walking(seed: int = 0, **more: Any) -> Context:
    return Context(Problem("?"), program=Walk(), root=seed, **more)


# The same idea with a language model: steps "a", "b" or "c." (which ends), three at most.

SEPARATOR = "\n"
PATHS = tuple("".join(p) for p in itertools.chain(["c"], (x + "c" for x in "ab"), (x + y + z for x in "ab" for y in "ab" for z in "abc")))


def chance(path: str) -> float:
    """Probability that the engine's text begins with these steps."""
    return math.prod(STEP[i][_code(path[:i]), "abc".index(path[i])] for i in range(len(path)))


def score(path: str) -> float:
    return float(SCORE[len(path)][_code(path)])


def _code(path: str) -> int:
    return sum("abc".index(s) * 3 ** (len(path) - 1 - i) for i, s in enumerate(path))


def text_target(temper: float = 1.0, ratio: bool = False) -> tuple[np.ndarray, float]:
    """The target over `PATHS`, normalised, and its normaliser."""
    odds = [[log_odds(score(p[: i + 1])) for i in range(len(p))] for p in PATHS]
    mass = np.array([chance(p) * math.exp((o[-1] if ratio else sum(o)) / temper) for p, o in zip(PATHS, odds, strict=True)])
    return mass / mass.sum(), float(mass.sum())


class Speller(Scripted):
    """Writes one step at a time, and tells the true probability that its text goes on so."""

    def __init__(self) -> None:
        super().__init__(self._next)

    def _next(self, prompt: str) -> dict[str, float]:
        begun = _begun(prompt)
        return {s + ("." if s == "c" else SEPARATOR): float(p) for s, p in zip("abc", STEP[len(begun)][_code(begun)], strict=True)}

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        self._count()
        found: list[Scored] = []
        for c in continuations:
            begun = _begun(flatten(c.prompt))
            new = letters(c.text)
            steps = [math.log(chance(begun + new[: i + 1])) - math.log(chance(begun + new[:i])) for i in range(len(new))]
            found.append(Scored(tuple(steps), prompt_tokens=len(begun) + len(new) + 1))
        return found


def _begun(prompt: str) -> str:
    return letters(prompt.rpartition("assistant: " if "assistant: " in prompt else "A:")[2])


def letters(text: str) -> str:
    return "".join(s for s in text if s in "abc")


def spelling(seed: int = 0, **more: Any) -> Context:
    """A context in which a reasoner writes the tree with a verifier; temperature 1."""

    def judge(solution: Solution) -> list[float]:
        return [score(letters("".join(solution.steps[: i + 1]))) for i in range(len(solution.steps))]

    given: dict[str, Any] = {
        "problem": Problem("Q?"),
        "models": {"speller": Speller()},
        "rewards_by": {"judge": ScriptedRewards(judge)},
        "program": Reasoner(SEPARATOR, max_steps=DEPTH),
        "sampling": Sampling(temperature=1.0),
        "root": seed,
    }
    return Context(**{**given, **more})


def spelled(path: str) -> Candidate:
    """A finished candidate with this path, as the reasoner grows it."""
    context, candidate = spelling(), Candidate()
    for i, symbol in enumerate(path):
        ends = symbol == "c"
        over = ends or i + 1 == DEPTH
        step = symbol + ("." if ends else SEPARATOR)
        text = candidate.text + (step.removesuffix(SEPARATOR) if over else step)
        candidate = Candidate(
            text=text,
            tokens=candidate.tokens + 1,
            finish="stop",
            steps=(*candidate.steps, step),
            finished=over,
            value=context.problem.read(text) if over else None,
            parent=candidate,
        )
    return candidate
