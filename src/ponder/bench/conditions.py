"""The same items under two conditions, such as answering at once and after thinking; and whether to think, from what that showed.

Liu et al. 2024 (arXiv 2410.21333) compare direct answers with chains of thought item by item. Answers that cannot be read are counted
apart: as errors they would make thinking look worse than it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import Interval, paired_bootstrap, wilson
from ponder.core.errors import InputError
from ponder.core.language import LM, Request, Sampling
from ponder.core.seeds import derive
from ponder.programs.prompts import write_prompt
from ponder.tasks import Task

FEWEST = 20
"""The fewest items that a gate learns from."""
ABSTAIN = "abstain"


@dataclass(frozen=True)
class Condition:
    """How items are asked: a prompt style, and how answers are drawn. Temperature 0, as in the paper, is greedy."""

    style: str = "plain"
    max_tokens: int = 256
    temperature: float = 0.0


T = TypeVar("T")
DIRECT, COT = Condition("plain", 16), Condition("cot", 256)


@dataclass(frozen=True)
class Outcomes:
    """What came of the items of a task under one condition; arrays of shape (items,).

    Attributes:
        ids: of the items.
        correct: credit of at least one half.
        unread: no answer could be read; never correct.
        cut: the response was ended by its length, not by the model.
        tokens: generated.
    """

    ids: tuple[str, ...]
    correct: NDArray[np.bool_]
    unread: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    tokens: NDArray[np.int64]


@dataclass(frozen=True)
class PairedReport:
    """Two conditions on the same items. Differences are the second less the first.

    Attributes:
        names: of the conditions.
        n: items.
        accuracy: of each, unread answers counted as wrong.
        delta: difference of accuracies, with its 95% interval over items.
        only: items that only the first, and only the second, answers right.
        p: of McNemar's exact test that both are right equally often.
        unread, cut: shares of each.
        delta_read: the difference over the items that both conditions gave a readable answer to, and their number; None if there are none.
        tokens: mean generated tokens of each.
    """

    names: tuple[str, str]
    n: int
    accuracy: tuple[Interval, Interval]
    delta: Interval
    only: tuple[int, int]
    p: float
    unread: tuple[float, float]
    cut: tuple[float, float]
    delta_read: tuple[Interval, int] | None
    tokens: tuple[float, float]


def under(task: Task, lm: LM, condition: Condition, seed: int = 0) -> Outcomes:
    """Ask every item of a task once under a condition, in one batch."""
    prompts = [write_prompt(p, condition.style) for p in task.problems]
    sampling = Sampling(condition.temperature, condition.max_tokens, stop=tuple(sorted({s for _, stops in prompts for s in stops})))
    requests = [
        Request(prompt, 1, derive(seed, ("condition", condition.style, p.id)))
        for (prompt, _), p in zip(prompts, task.problems, strict=True)
    ]
    replies = [reply.completions[0] for reply in lm.generate(requests, sampling)]
    values = [p.read(c.text) for p, c in zip(task.problems, replies, strict=True)]
    grades = [task.grade(p, v, c.text) for p, v, c in zip(task.problems, values, replies, strict=True)]
    return Outcomes(
        tuple(p.id for p in task.problems),
        np.array([g >= 0.5 and v is not None for g, v in zip(grades, values, strict=True)]),
        np.array([v is None for v in values]),
        np.array([c.finish == "length" for c in replies]),
        np.array([c.tokens for c in replies]),
    )


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Outcomes of parts of a task as those of the whole."""
    arrays = (np.concatenate([getattr(p, name) for p in parts]) for name in ("correct", "unread", "cut", "tokens"))
    return Outcomes(tuple(i for p in parts for i in p.ids), *arrays)


def compare_conditions(task: Task, lm: LM, conditions: Mapping[str, Condition] | None = None, seed: int = 0) -> PairedReport:
    """The same items under two conditions, compared item by item.

    Args:
        task: the items.
        lm: the engine.
        conditions: two by name, the baseline first; "direct" and "cot" by default.
        seed: of the draws.

    Raises:
        InputError: not two conditions.
    """
    chosen = {"direct": DIRECT, "cot": COT} if conditions is None else dict(conditions)
    if len(chosen) != 2:
        raise InputError(f"a paired comparison needs 2 conditions, not {len(chosen)}: {', '.join(chosen) or 'none'}")
    (a, first), (b, second) = chosen.items()
    return paired(under(task, lm, first, seed), under(task, lm, second, seed), (a, b))


def paired(first: Outcomes, second: Outcomes, names: tuple[str, str] = ("direct", "cot")) -> PairedReport:
    """Two conditions' outcomes compared item by item.

    Raises:
        InputError: outcomes of other items, or of none.
    """
    if first.ids != second.ids or not first.ids:
        raise InputError(f"a paired comparison needs the same items in the same order: {len(first.ids)} and {len(second.ids)} were given")
    both = (first, second)
    only = int((first.correct & ~second.correct).sum()), int((second.correct & ~first.correct).sum())
    read = ~(first.unread | second.unread)
    left = (paired_bootstrap(second.correct[read], first.correct[read]), int(read.sum())) if read.any() else None
    return PairedReport(
        names,
        len(first.ids),
        _pair(wilson(int(o.correct.sum()), len(o.ids)) for o in both),
        paired_bootstrap(second.correct, first.correct),
        only,
        mcnemar(*only),
        _pair(float(o.unread.mean()) for o in both),
        _pair(float(o.cut.mean()) for o in both),
        left,
        _pair(float(o.tokens.mean()) for o in both),
    )


def _pair(values: Iterable[T]) -> tuple[T, T]:
    a, b = values
    return a, b


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test: under equal chances the discordant items are a fair coin's throws.

    Raises:
        InputError: negative counts.
    """
    if min(only_first, only_second) < 0:
        raise InputError(f"discordant items cannot be fewer than 0, not {only_first} and {only_second}")
    n, least = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(least + 1)) / 2**n)


@dataclass(frozen=True)
class ThinkGate:
    """Whether to think, by kind of item: the condition that was better on development items, where the difference is sure.

    Attributes:
        better: kind of item -> the better condition, or "abstain" where the interval of the difference covers 0.
    """

    better: Mapping[str, str]

    @classmethod
    def fit(cls, reports: Mapping[str, PairedReport]) -> ThinkGate:
        """A gate from paired reports by kind of item.

        Raises:
            InputError: no report, or one of fewer than 20 items.
        """
        if not reports:
            raise InputError("a gate needs at least one paired report")
        small = next((kind for kind, r in reports.items() if r.n < FEWEST), None)
        if small is not None:
            raise InputError(f"a gate needs at least {FEWEST} development items of each kind, and {small!r} has {reports[small].n}")
        return cls({kind: r.names[1] if r.delta.low > 0 else r.names[0] if r.delta.high < 0 else ABSTAIN for kind, r in reports.items()})

    def decide(self, kind: str) -> str:
        """The condition for an item of a kind; "abstain" where nothing is known or nothing is sure."""
        return self.better.get(kind, ABSTAIN)
