"""Products that the organisms `products` were made for, new to all of them or not, and how they are led to work them."""

from __future__ import annotations

from typing import Any

from ponder.core.errors import InputError
from ponder.core.language import Sampling
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.organisms import products
from ponder.programs.hints import HINTS
from ponder.programs.tool_use import MARKUPS, Plan
from ponder.programs.tools import Calculator
from ponder.tasks.base import Maker, Task

GREEDY = Sampling(temperature=0, max_tokens=80)
"""How the organisms write where nothing is drawn; no stream of theirs needs more tokens."""
_SETS = {"test": True, "train": False}


def leading(hints: str = "products", rounds: int = 1) -> Plan:
    """How the organisms' streams are led: a calculator, their marks, and a library of hints."""
    return Plan(Calculator(), HINTS[hints], rounds, markup=MARKUPS["brackets"])


def _products(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    if options["set"] not in _SETS:
        raise InputError(f"products: set must be test or train, not {options['set']!r}")
    held_out = _SETS[options["set"]]
    most = products.count(held_out)
    if not 1 <= options["n"] <= most:
        raise InputError(f"products: n must be between 1 and {most}, not {options['n']}")
    n = options["n"] if limit is None else min(limit, options["n"])
    rng = generator(seed, ("tasks", "products", options["set"]))
    drawn: dict[tuple[int, int], None] = {}
    while len(drawn) < n:
        drawn.update(dict.fromkeys(products.draw(512, rng, held_out)))
    pairs = list(drawn)[:n]
    problems = tuple(Problem(f"What is {a} * {b}?", id=f"{a}x{b}", reads="number") for a, b in pairs)
    return Task("", PRODUCTS.about, problems, {p.id: str(a * b) for p, (a, b) in zip(problems, pairs, strict=True)})


PRODUCTS = Maker(
    "products of numbers up to 99, which the organisms `products` work in the head or with a tool",
    _products,
    {"set": ("test", "test (no organism was trained on them) or train"), "n": (500, "how many problems")},
)
