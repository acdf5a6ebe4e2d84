"""Problem sets with graders, made from a line of text: `times-tables`, `arithmetic:difficulty=3`, `file:questions.csv`."""

from __future__ import annotations

import dataclasses
from typing import Any

from ponder.core.errors import InputError
from ponder.core.reading import READERS
from ponder.tasks.aiw import AIW
from ponder.tasks.arithmetic import ARITHMETIC, TIMES_TABLES
from ponder.tasks.base import Maker, Task, checked_options, closest, split_spec
from ponder.tasks.code import CRUXEVAL, HUMANEVAL, MBPP
from ponder.tasks.gym import GYM
from ponder.tasks.logic import ENTAILMENT, LOGIC
from ponder.tasks.logic_mixed import LOGIC_MIXED
from ponder.tasks.mind_your_step import MIND_YOUR_STEP
from ponder.tasks.organisms import CHAIN, COUNTDOWN
from ponder.tasks.procbench import PROCBENCH
from ponder.tasks.products import PRODUCTS
from ponder.tasks.rows import FILE, HUB, PUBLISHED
from ponder.tasks.self_invoking.task import HUMANEVAL_PRO

__all__ = ["Task", "describe", "load", "names"]

_MAKERS: dict[str, Maker] = {
    "times-tables": TIMES_TABLES,
    "arithmetic": ARITHMETIC,
    "chain": CHAIN,
    "countdown": COUNTDOWN,
    "aiw": AIW,
    **MIND_YOUR_STEP,
    "procbench": PROCBENCH,
    "products": PRODUCTS,
    "humaneval-pro": HUMANEVAL_PRO,
    "logic": LOGIC,
    "logic-mixed": LOGIC_MIXED,
    "entailment": ENTAILMENT,
    **PUBLISHED,
    "humaneval": HUMANEVAL,
    "mbpp": MBPP,
    "cruxeval": CRUXEVAL,
    "gym": GYM,
    "file": FILE,
    "hub": HUB,
}


def names() -> dict[str, str]:
    """How tasks are written -> what they are, with their options."""
    listed: dict[str, str] = {}
    for name, maker in _MAKERS.items():
        options = ", ".join(f"{key}={default}" for key, (default, _) in (maker.options or {}).items() if default not in ("", 0))
        listed[maker.form or name] = maker.about + (f" ({options})" if options else "")
    return listed


def load(spec: str, limit: int | None = None, seed: int = 0) -> Task:
    """The task that a text names: `name` or `name:key=value,key=value`.

    Args:
        spec: see `names`.
        limit: at most so many problems. Of made problems the first ones drawn; of fixed sets a subset that the seed shuffles.
            A smaller limit gives a part of what a larger one gives.
        seed: made problems depend on it, and so do the subsets of fixed sets.

    Raises:
        InputError: for an unknown name or option, with the nearest right one; for data that cannot be used.
        EngineError: if the data cannot be fetched.
    """
    kind, rest, options = split_spec(spec)
    maker = _MAKERS.get(kind)
    if maker is None:
        raise InputError(f"no task is called {kind!r}; {closest(kind, list(_MAKERS))}")
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1, not {limit}")
    if seed < 0:
        raise InputError(f"seed must be 0 or more, not {seed}")
    if maker.options is None:
        made = maker.make(rest, dict(options), limit, seed)
    elif rest:
        raise InputError(f"the task {kind!r} takes options as key=value, not {rest!r}; it has {', '.join(maker.options) or 'none'}")
    else:
        made = maker.make(rest, checked_options(kind, options, maker.options), limit, seed)
    return dataclasses.replace(made, name=spec)


def describe(task: Task) -> dict[str, Any]:
    """What a task is, with its first problem as a model reads it."""
    from ponder.programs.prompts import write_prompt

    first = task.problems[0]
    prompt, _ = write_prompt(first)
    return {
        "name": task.name,
        "about": task.about,
        "problems": len(task.problems),
        "style": first.style,
        "guess": round(task.guess, 4),
        "prompt": prompt if isinstance(prompt, str) else "\n\n".join(m.content for m in prompt),
        "gold": task.gold(first),
        "reads": first.reads,
        "reading": (READERS[first.reads].__doc__ or "").strip().split("\n")[0],
    }
