"""The task `humaneval-pro`: items of self-invoking code as problems whose answers are whole programs."""

from __future__ import annotations

from typing import Any

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.tasks.base import Maker, Task, closest, subset
from ponder.tasks.code import passes
from ponder.tasks.self_invoking.lifting import OPERATORS
from ponder.tasks.self_invoking.prompting import question
from ponder.tasks.self_invoking.records import Item, generated, read_items

_ABOUT = "write a function, then a second one that builds on it; only the second is tested (Yu et al. 2024)"
_STYLES = ("plain", "cot")


def problem_of(item: Item, style: str = "plain") -> Problem:
    """An item as a problem; the answer is a whole program."""
    setup, tests = item.tests
    data = {"tests": tests, "setup": setup, "entry_point": item.names[1]}
    return Problem(question(item), item.id, reads="code", style=style, data=data)


def _make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    names = [op.name for op in OPERATORS]
    operator, style = options["operator"], options["style"]
    if operator and operator not in names:
        raise InputError(f"humaneval-pro: no operator is called {operator!r}; {closest(operator, names)}")
    if style not in _STYLES:
        raise InputError(f"humaneval-pro: style must be one of {', '.join(_STYLES)}, not {style!r}")
    items = [item for item in _items(options["source"]) if operator in ("", item.operator)]
    if not items:
        raise InputError(f"humaneval-pro: no item of {options['source']} was made by {operator!r}")
    chosen = subset(items, limit, seed)
    return Task("", _ABOUT, tuple(problem_of(item, style) for item in chosen), {item.id: item.truth for item in chosen}, grader=passes)


def _items(source: str) -> tuple[Item, ...] | list[Item]:
    return generated() if source == "generated" else read_items(source)


HUMANEVAL_PRO = Maker(
    _ABOUT,
    _make,
    {
        "source": (
            "generated",
            "generated (made of HumanEval by lifting operators), hub:humaneval-pro, hub:mbpp-pro, or a .json or .jsonl file",
        ),
        "operator": ("", "only items that this lifting operator made"),
        "style": ("plain", 'how the prompt is written: "plain" or "cot"'),
    },
)
