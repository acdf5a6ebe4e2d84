"""Medprompt: self-written worked examples, the nearest of them as shots, and a vote over shuffled options.

Nori et al. 2023 (arXiv 2311.16452), re-examined in "From Medprompt to o1" (arXiv 2411.03590):

    bank = prepare(train, model="smollm2")
    question = bank.equip(problem, shots=5)
    ponder.ask(question, method="medprompt(5)")
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ponder.core.algebra import Stage
from ponder.core.answer import Answer
from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.core.terms import OneOf, Range
from ponder.methods.named import named
from ponder.programs.prompts import body
from ponder.stages.choices import KINDS, shuffled
from ponder.stages.decide import vote

Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Floats]
WIDTH = 1024


@named
def medprompt(
    m: Annotated[int, Range(1, 10_000), "how many orders of the options vote"] = 5,
    order: Annotated[str, OneOf(KINDS), "which orders: random, plain_hunt, cyclic or all"] = "random",
) -> Stage:
    """A vote over shuffled options (arXiv 2311.16452); equip the question with worked examples from a bank first."""
    return shuffled(m, order) | vote()


def ngrams(texts: Sequence[str]) -> Floats:
    """Texts as unit vectors of hashed character trigrams and words, shape (n, WIDTH): an encoder that needs nothing else."""
    rows = np.zeros((len(texts), WIDTH))
    for row, text in zip(rows, texts, strict=True):
        words = text.casefold().split()
        padded = f" {' '.join(words)} "
        for piece in (*words, *(padded[i : i + 3] for i in range(len(padded) - 2))):
            row[zlib.crc32(piece.encode()) % WIDTH] += 1
    return _unit(np.sqrt(rows))


def _unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


@dataclass(frozen=True)
class Bank:
    """Worked examples that a model wrote itself and got right.

    Attributes:
        examples: (question with its options, solution).
        vectors: of the questions, unit length, shape (examples, width).
        embed: what made them.
        rejected: how many solutions were wrong, or not agreed on.
    """

    examples: tuple[tuple[str, str], ...]
    vectors: Floats
    embed: Embed = ngrams
    rejected: int = 0

    def __post_init__(self) -> None:
        if not self.examples or len(self.vectors) != len(self.examples):
            raise InputError(
                f"a bank needs examples and a vector for each; it has {len(self.examples)} and {len(self.vectors)} "
                f"({self.rejected} solutions were rejected)"
            )

    @classmethod
    def of(cls, examples: Sequence[tuple[str, str]], embed: Embed = ngrams, rejected: int = 0) -> Bank:
        """The bank of examples."""
        return cls(tuple(examples), _unit(np.asarray(embed([q for q, _ in examples]))) if examples else np.empty((0, 0)), embed, rejected)

    def nearest(self, problem: Problem, k: int, selection: Literal["nearest", "random"] = "nearest", seed: int = 0) -> list[int]:
        """Numbers of the k nearest examples by cosine, the nearest last; exact copies of the question are left out.

        Args:
            selection: "random" draws k instead: what nearness is compared with.
            seed: of that.
        """
        if k < 1 or selection not in ("nearest", "random"):
            raise InputError(f"at least 1 shot, 'nearest' or 'random', is needed, not {k}, {selection!r}")
        text = body(problem)
        allowed = [i for i, (question, _) in enumerate(self.examples) if _same(question) != _same(text)]
        if selection == "random":
            rng = generator(seed, ("shots", problem.id))
            return [allowed[int(i)] for i in rng.permutation(len(allowed))[:k]]
        likeness = self.vectors @ _unit(np.asarray(self.embed([text])))[0]
        return sorted(allowed, key=lambda i: (-likeness[i], i))[:k][::-1]

    def equip(self, problem: Problem, shots: int = 5, selection: Literal["nearest", "random"] = "nearest", seed: int = 0) -> Problem:
        """The problem with worked examples before it, in the few-shot style."""
        chosen = tuple(self.examples[i] for i in self.nearest(problem, shots, selection, seed))
        if not chosen:
            raise InputError(f"the bank holds nothing but copies of the question {problem.id or problem.question[:40]!r}")
        return replace(problem, examples=chosen, style="few-shot")


def _same(text: str) -> str:
    return " ".join(text.casefold().split())


class Graded(Protocol):
    """Questions with right answers: a `ponder.tasks.Task`."""

    @property
    def problems(self) -> Sequence[Problem]: ...
    def grade(self, problem: Problem, value: str | None, text: str = "") -> float: ...


def prepare(train: Graded, solve: Callable[[Problem, int], Answer], runs: int = 1, agree: int = 1, embed: Embed = ngrams) -> Bank:
    """Let a model write solutions of questions with known answers, and keep the right ones.

    Lucky reasoning that lands on the right letter passes too (1 in 4 guesses does): ask small models for two runs that agree.

    Args:
        train: questions that are never asked for real.
        solve: one run's answer: `lambda problem, run: ponder.ask(problem, method="sample(1, style='cot')", seed=run)`.
        runs: solutions a question.
        agree: how many of them must be right; the first right one is kept.

    Raises:
        InputError: nothing was right, or `agree` is above `runs`.
    """
    if not 1 <= agree <= runs:
        raise InputError(f"agree must be between 1 and the {runs} runs, not {agree}")

    def solved(problem: Problem) -> str | None:
        answers = [solve(problem, run) for run in range(runs)]
        right = [a.text for a in answers if train.grade(problem, a.value, a.text) >= 1]
        return right[0].strip() if len(right) >= agree else None

    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(solved, train.problems))
    kept = [(body(p), text) for p, text in zip(train.problems, texts, strict=True) if text]
    return Bank.of(kept, embed, rejected=len(texts) - len(kept))
