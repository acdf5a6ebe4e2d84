"""Figures of self-invoking code: pass@k both ways, base against second problem, what goes wrong, and who calls the base function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ponder.bench.stats import Interval, bootstrap, pass_at_k, wilson
from ponder.core.errors import InputError
from ponder.core.language import LM, Sampling
from ponder.sandbox import Sandbox
from ponder.tasks.self_invoking.judging import SECONDS, Judged, judge
from ponder.tasks.self_invoking.prompting import continuations
from ponder.tasks.self_invoking.records import Item


@dataclass(frozen=True)
class SelfInvoking:
    """What a set of judged programs shows. Intervals of pass@k are over items, those of shares over programs.

    Attributes:
        pass_at: (way, k) -> pass@k over the items. Ways: "pro" as published (the better of the two readings), "raw", "clean", "base".
        confusion: (base right, second right) -> programs, where the base problem's tests are known.
        pro_given_base: share of programs right on the second problem among those right on the base problem; None if there is none.
        errors: what programs that fail on the second problem fail of.
        calls_base: share of passing programs whose base function is called; None if none passes.
        judged, infrastructure: programs that count, and programs that the sandbox could not judge.
    """

    pass_at: dict[tuple[str, int], Interval]
    confusion: dict[tuple[bool, bool], int]
    pro_given_base: Interval | None
    errors: dict[str, int]
    calls_base: Interval | None
    judged: int
    infrastructure: int


def summarise(judged: Sequence[Sequence[Judged]], ks: Sequence[int] = (1,)) -> SelfInvoking:
    """Figures of judged programs, a list for each item.

    Raises:
        InputError: no program could be judged, or an item has fewer programs than the largest k.
    """
    counted = [[j for j in own if not j.infrastructure] for own in judged]
    counted = [own for own in counted if own]
    flat = [j for own in counted for j in own]
    fewest = min((len(own) for own in counted), default=0)
    if not flat or max(ks) > fewest or min(ks) < 1:
        raise InputError(f"ks must be between 1 and {fewest}, the fewest judged programs of an item, not {list(ks)}")
    known = [j for j in flat if j.base is not None]
    based = [[j for j in own if j.base is not None] for own in counted]
    based = [own for own in based if len(own) >= max(ks)]
    ways = {
        "pro": [[j.passed for j in own] for own in counted],
        "raw": [[j.raw for j in own] for own in counted],
        "clean": [[j.clean for j in own] for own in counted],
        **({"base": [[bool(j.base) for j in own] for own in based]} if based else {}),
    }
    right = [j.passed for j in known if j.base]
    called = [j.calls_base for j in flat if j.calls_base is not None]
    return SelfInvoking(
        {(way, k): _interval(table, k) for way, table in ways.items() for k in ks},
        {(b, p): sum((bool(j.base), j.passed) == (b, p) for j in known) for b in (True, False) for p in (True, False)},
        wilson(sum(right), len(right)) if right else None,
        dict(Counter(j.error for j in flat if not j.passed).most_common()),
        wilson(sum(called), len(called)) if called else None,
        len(flat),
        sum(j.infrastructure for own in judged for j in own),
    )


def _interval(table: Sequence[Sequence[bool]], k: int) -> Interval:
    return bootstrap(pass_at_k([len(own) for own in table], [sum(own) for own in table], np.int64(k)))


def evaluate(
    lm: LM,
    items: Sequence[Item],
    ks: Sequence[int] = (1,),
    n: int = 1,
    sampling: Sampling | None = None,
    seed: int = 0,
    seconds: float = SECONDS,
    box: Sandbox | None = None,
) -> SelfInvoking:
    """Ask a model for all items and judge what it writes.

    Args:
        lm: asked with a begun answer, so it must be able to go on from one.
        items: of `ponder.tasks.self_invoking`.
        ks: for pass@k, each at most n.
        n: programs an item.
        sampling: greedy and at most 1024 tokens by default.
        seed: of the draws.
        seconds, box: as in `judge`.
    """
    if not 1 <= max(ks) <= n:
        raise InputError(f"pass@k needs 1 <= k <= n, not k={list(ks)} and n={n}")
    written = continuations(lm, items, n, sampling, seed)
    programs = [[item.program(text) for text in own] for item, own in zip(items, written, strict=True)]
    return summarise(judge(items, programs, seconds, box), ks)
