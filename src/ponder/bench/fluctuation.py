"""Many answers to each problem of a task: rates, and whether they fluctuate over variations that should not matter.

Nezhurina et al. 2024 (arXiv 2406.02061) compare correct rates of the variations of one problem; the test of equal rates is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ponder.bench.stats import Interval, wilson
from ponder.core.errors import InputError
from ponder.core.language import LM, Prompt, Request, Sampling
from ponder.core.problem import Problem
from ponder.core.seeds import derive
from ponder.programs.prompts import write_prompt
from ponder.tasks import Task

STRONG_P, STRONG_RANGE = 1e-3, 0.3
"""Rates fluctuate strongly if the test of equal rates gives less than the one, and they differ by more than the other."""


@dataclass(frozen=True)
class Trials:
    """What came of answering one problem many times.

    Attributes:
        problem: the problem.
        n: answers.
        correct: how many were right.
        unread: how many gave no answer that could be read; they count as wrong.
        copied: how many gave a number that stands in the problem (`data["numbers"]`).
        tokens: generated in all.
    """

    problem: Problem
    n: int
    correct: int
    unread: int
    copied: int
    tokens: int


@dataclass(frozen=True)
class Fluctuation:
    """Correct rates of variations, and the likelihood-ratio test that they are equal.

    Attributes:
        rates: with Wilson intervals, in the given order.
        mean: of the rates.
        range: the largest less the smallest.
        spread: standard deviation over variations.
        g, df, p: the statistic, its degrees of freedom, and the probability of one as large if all rates were equal.
    """

    rates: tuple[Interval, ...]
    mean: float
    range: float
    spread: float
    g: float
    df: int
    p: float

    @property
    def strong(self) -> bool:
        """Whether rates differ both surely and by much."""
        return self.p < STRONG_P and self.range > STRONG_RANGE


def repeated(
    task: Task,
    lm: LM,
    trials: int,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    read: Callable[[str], str | None] | None = None,
    write: Callable[[Problem], Prompt] | None = None,
) -> list[Trials]:
    """Answer every problem of a task many times, in one batch.

    Args:
        task: problems whose ids say what varies.
        lm: the engine.
        trials: answers a problem; the paper draws 60.
        sampling: at temperature 1 and up to 256 tokens by default.
        seed: of the draws.
        read: how an answer is read off a text; by the problem's reader if None.
        write: the prompt of a problem; by its style if None.

    Raises:
        InputError: fewer than one trial.
    """
    if trials < 1:
        raise InputError(f"trials must be at least 1, not {trials}")
    prompts = [write(p) if write else write_prompt(p)[0] for p in task.problems]
    requests = [Request(prompt, trials, derive(seed, ("repeated", p.id))) for prompt, p in zip(prompts, task.problems, strict=True)]
    found: list[Trials] = []
    for problem, reply in zip(task.problems, lm.generate(requests, sampling or Sampling(temperature=1.0)), strict=True):
        texts = [c.text for c in reply.completions]
        values = [read(t) if read else problem.read(t) for t in texts]
        correct = sum(task.grade(problem, v, t) == 1 for v, t in zip(values, texts, strict=True))
        copied = sum(v in problem.data.get("numbers", ()) for v in values)
        found.append(Trials(problem, len(texts), correct, values.count(None), copied, reply.tokens_out))
    return found


def fluctuation(correct: Sequence[int], n: Sequence[int]) -> Fluctuation:
    """Rates of variations with the likelihood-ratio (G) test of equal rates.

    G = 2 sum over variations and over right and wrong of observed log(observed / expected), against chi-square with one degree of
    freedom fewer than there are variations.

    Args:
        correct, n: right answers and answers of each variation, at least two variations.

    Raises:
        InputError: fewer than two variations, or counts that are impossible.
    """
    if len(correct) != len(n) or len(n) < 2:
        raise InputError(f"a fluctuation needs at least 2 variations with both counts, not {len(correct)} and {len(n)}")
    rates = tuple(wilson(int(c), int(m)) for c, m in zip(correct, n, strict=True))
    c, m = np.asarray(correct, float), np.asarray(n, float)
    pooled = c.sum() / m.sum()
    g = 2 * sum(_surprise(c, m * pooled) + _surprise(m - c, m * (1 - pooled)) for c, m in zip(c, m, strict=True))
    values = np.array([r.value for r in rates])
    df = len(values) - 1
    return Fluctuation(
        rates, float(values.mean()), float(np.ptp(values)), float(values.std(ddof=1)), max(0.0, g), df, chi_square_tail(max(0.0, g), df)
    )


def _surprise(observed: float, expected: float) -> float:
    return observed * math.log(observed / expected) if observed else 0.0


def chi_square_tail(x: float, df: int) -> float:
    """The probability that chi-square with `df` degrees of freedom exceeds x, by the recurrence of the incomplete gamma function."""
    if x < 0 or df < 1:
        raise InputError(f"chi-square needs x of at least 0 and at least 1 degree of freedom, not x={x}, df={df}")
    half = x / 2
    if half == 0:
        return 1.0
    a, tail = (1.0, math.exp(-half)) if df % 2 == 0 else (0.5, math.erfc(math.sqrt(half)))
    while a < df / 2:
        tail += math.exp(a * math.log(half) - half - math.lgamma(a + 1))
        a += 1
    return min(1.0, tail)


def two_shares(correct_a: int, n_a: int, correct_b: int, n_b: int) -> tuple[Interval, float]:
    """The difference of two independent shares, a less b, with its 95% interval (Newcombe 1998, from Wilson's), and the two-sided p of
    the pooled z-test that they are equal."""
    a, b = wilson(correct_a, n_a), wilson(correct_b, n_b)
    difference = a.value - b.value
    low = difference - math.hypot(a.value - a.low, b.high - b.value)
    high = difference + math.hypot(a.high - a.value, b.value - b.low)
    pooled = (correct_a + correct_b) / (n_a + n_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    p = 1.0 if error == 0 else 2 * NormalDist().cdf(-abs(difference) / error)
    return Interval(difference, low, high), p
