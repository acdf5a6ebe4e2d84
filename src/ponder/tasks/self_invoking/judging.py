"""Judging programs for items: both ways of reading them, the base function alone, whether it is called, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ponder.core.errors import InputError
from ponder.sandbox import Check, Limits, Outcome, Sandbox, find
from ponder.tasks.self_invoking.records import Item, sanitised

EMPTY = "empty_completion"
SECONDS = 5.0
_COUNTER = """

base_calls__ = [0]
base_function__ = BASE

def BASE(*arguments, **named):
    base_calls__[0] += 1
    return base_function__(*arguments, **named)

def base_was_called__():
    return base_calls__[0] > 0
"""


@dataclass(frozen=True)
class Judged:
    """What is true of one program.

    Attributes:
        item: the item's id.
        raw, clean: whether it passes as it stands, and without the examples behind it. The published score takes the better of the two.
        base: whether its base function passes the base problem's tests; None if those are not known.
        calls_base: of one that passes, whether the base function was called in the tests; None of others.
        error: the exception's name or the limit of one that does not pass ("" if it passes).
        infrastructure: whether the sandbox could not judge it. Such a program counts nowhere.
    """

    item: str
    raw: bool = False
    clean: bool = False
    base: bool | None = None
    calls_base: bool | None = None
    error: str = ""
    infrastructure: bool = False

    @property
    def passed(self) -> bool:
        return self.raw or self.clean


def judge(
    items: Sequence[Item], programs: Sequence[Sequence[str]], seconds: float = SECONDS, box: Sandbox | None = None
) -> list[list[Judged]]:
    """Judge whole programs, any number for each item. They run in the sandbox only.

    Args:
        items: what was asked.
        programs: for each item, whole programs (`Item.program` makes them of continuations).
        seconds: of the wall, for a program with its tests. The published runner gives 30, its metric on the hub 3.
        box: another sandbox than the one that `ponder.sandbox.find` gives.

    Raises:
        InputError: not as many lists as items.
        MissingExtra: no sandbox serves here.
    """
    if len(items) != len(programs):
        raise InputError(f"{len(items)} items need as many lists of programs, not {len(programs)}")
    box, limits = box or find(), Limits(seconds=seconds)
    pairs = [(item, program) for item, own in zip(items, programs, strict=True) for program in own]
    raw = box.check([item.check(program) for item, program in pairs], limits)
    clean = _where(box, limits, [item.check(sanitised(p)) if sanitised(p) != p else None for item, p in pairs])
    better = [sanitised(p) if c and c.all_passed and not r.all_passed else p for (_, p), r, c in zip(pairs, raw, clean, strict=True)]
    base = _where(box, limits, [_base(item, p) for (item, _), p in zip(pairs, better, strict=True)])
    passed = [r.all_passed or bool(c and c.all_passed) for r, c in zip(raw, clean, strict=True)]
    counted = _where(box, limits, [_counted(item, p) if ok else None for (item, _), p, ok in zip(pairs, better, passed, strict=True)])
    found = zip(pairs, raw, clean, base, counted, strict=True)
    rows = iter([_judged(item, p, r, c, b, n) for (item, p), r, c, b, n in found])
    return [[next(rows) for _ in own] for own in programs]


def _where(box: Sandbox, limits: Limits, checks: Sequence[Check | None]) -> list[Outcome | None]:
    """Outcomes of the checks that there are, in their places."""
    ran = iter(box.check([c for c in checks if c is not None], limits))
    return [None if c is None else next(ran) for c in checks]


def _base(item: Item, program: str) -> Check | None:
    known = item.base_check
    return None if known is None else Check(program, known[1], known[0])


def _counted(item: Item, program: str) -> Check:
    """The tests once more with a counter round the base function, which the last test reads. It sits in the untrusted program: the count is
    a statistic, and no verdict depends on it."""
    return item.check(program + _COUNTER.replace("BASE", item.names[0]), ("assert base_was_called__()",))


def _judged(item: Item, program: str, raw: Outcome, clean: Outcome | None, base: Outcome | None, counted: Outcome | None) -> Judged:
    if raw.status == "unsupported":
        return Judged(item.id, infrastructure=True, error=raw.error)
    cleaned = raw.all_passed if clean is None else clean.all_passed
    passed = raw.all_passed or cleaned
    bare = not program.removeprefix(item.raw_problem.replace("\t", "    ")).strip()
    error = "" if passed else EMPTY if bare else raw.kind if raw.status in ("ok", "failed") else raw.status
    return Judged(
        item.id,
        raw.all_passed,
        cleaned,
        None if base is None else base.all_passed,
        None if counted is None else bool(counted.passed) and counted.passed[-1],
        error,
    )
