"""More inputs for a tested function: those of its tests, varied type by type (as EvalPlus does, Liu et al. 2023, arXiv 2305.01210)."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Arguments = tuple[Any, ...]


def inputs_of_tests(tests: Sequence[str], names: Sequence[str]) -> list[Arguments]:
    """The arguments with which test code calls a function, those that are literals, each once, in order.

    Args:
        tests: trusted code.
        names: what the function is called there.
    """
    found: dict[str, Arguments] = {}
    for test in tests:
        for node in ast.walk(ast.parse(test)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and not node.keywords:
                try:
                    arguments = tuple(ast.literal_eval(a) for a in node.args)
                except (ValueError, TypeError, SyntaxError):
                    continue
                found.setdefault(repr(arguments), arguments)
    return list(found.values())


def more_inputs(known: Sequence[Arguments], n: int, rng: np.random.Generator) -> list[Arguments]:
    """Up to n new inputs, each made of a known or a new one by one or two small changes; fewer if changes run out.

    Types stay as they are, numbers and lengths of a like size.
    """
    pool, seen, new = list(known), {repr(a) for a in known}, list[Arguments]()
    for _ in range(20 * n):
        if len(new) == n or not pool:
            break
        arguments = pool[int(rng.integers(len(pool)))]
        for _ in range(int(rng.integers(1, 3))):
            arguments = _one_varied(arguments, rng)
        if repr(arguments) not in seen:
            seen.add(repr(arguments))
            pool.append(arguments)
            new.append(arguments)
    return new


def same_value(a: Any, b: Any) -> bool:
    """Whether two plain values are equal as tests compare them, floating-point numbers to six digits."""
    if isinstance(a, float) or isinstance(b, float):
        numbers = isinstance(a, int | float) and isinstance(b, int | float)
        return numbers and (math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6) or (math.isnan(a) and math.isnan(b)))
    if isinstance(a, list | tuple) and type(a) is type(b):
        return len(a) == len(b) and all(same_value(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_value(a[k], b[k]) for k in a)
    return bool(a == b)


def _one_varied(items: tuple[Any, ...], rng: np.random.Generator) -> tuple[Any, ...]:
    if not items:
        return items
    i = int(rng.integers(len(items)))
    return (*items[:i], _varied(items[i], rng), *items[i + 1 :])


def _varied(value: Any, rng: np.random.Generator) -> Any:
    """A value of the same type, one small change away."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return (value + 1, value - 1, value + 2, value - 2, value // 2)[int(rng.integers(5))]
    if isinstance(value, float):
        return (value + 1, value - 1, -value, value / 2, value + 0.1)[int(rng.integers(5))]
    if isinstance(value, str):
        return "".join(_varied_items(list(value), "a", lambda c: str(rng.choice(list(f"{value}a"))), rng))
    if isinstance(value, list | tuple):
        return type(value)(_varied_items(list(value), None, lambda item: _varied(item, rng), rng))
    if isinstance(value, dict) and value:
        key = list(value)[int(rng.integers(len(value)))]
        kept = {k: v for k, v in value.items() if k != key}
        return kept if rng.integers(2) else {**value, key: _varied(value[key], rng)}
    return value


def _varied_items(items: list[Any], first: Any, change: Any, rng: np.random.Generator) -> list[Any]:
    """One item dropped, doubled, changed or moved; `first` put into an empty list, if it is not None."""
    if not items:
        return [] if first is None else [first]
    i, j = int(rng.integers(len(items))), int(rng.integers(len(items)))
    kind = int(rng.integers(4))
    if kind == 0:
        return items[:i] + items[i + 1 :]
    if kind == 1:
        return [*items[:j], items[i], *items[j:]]
    if kind == 2:
        return [*items[:i], change(items[i]), *items[i + 1 :]]
    items[i], items[j] = items[j], items[i]
    return items
