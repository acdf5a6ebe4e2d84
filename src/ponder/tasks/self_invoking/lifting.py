"""Lifting operators: from a function and its recorded calls to a second problem whose natural solution calls the function.

The published second problems were written by a language model and reviewed by people (Yu et al. 2024, section 3). These are templates
whose preconditions are checked on recorded calls. Their inputs are made of recorded inputs only, so that nothing is asked of the base
function that its benchmark does not ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.tasks.self_invoking.recorder import Record, floats, same_types

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Operator:
    """A way to build on a function f.

    Attributes:
        name: of the operator.
        fits: whether a record meets its preconditions.
        parameters: of the second function.
        asks: what the second function is to do, with F for the base function.
        body: its solution, with CALL(x) for a call of the base function on one entry.
        off: the same with a fault by one, for a mutant that tests must catch.
        draw: arguments for one test.
        prefix: what the second function's name begins with.
    """

    name: str
    fits: Callable[[Record], bool]
    parameters: str
    asks: str
    body: str
    off: str
    draw: Callable[[Record, np.random.Generator], Arguments]
    prefix: str


def entries(record: Record, rng: np.random.Generator, low: int = 3, high: int = 6) -> list[Any]:
    """`low` to `high` recorded inputs in random order, the same one at most twice: values, or tuples of arguments."""
    pool = [arguments[0] if record.unary else arguments for arguments, _ in record.calls]
    size = int(rng.integers(low, high + 1))
    return [pool[i % len(pool)] for i in rng.permutation(min(size, 2 * len(pool)) + len(pool))[:size]]


def _list(record: Record, rng: np.random.Generator) -> Arguments:
    return (entries(record, rng),)


def _list_and_result(record: Record, rng: np.random.Generator) -> Arguments:
    results = {repr(a[0] if record.unary else a): r for a, r in record.calls}
    drawn = entries(record, rng)
    return drawn, results[repr(drawn[int(rng.integers(len(drawn)))])]


def _value_and_times(record: Record, rng: np.random.Generator) -> Arguments:
    return record.calls[int(rng.integers(len(record.calls)))][0][0], int(rng.integers(2, 5))


def _two_lists(record: Record, rng: np.random.Generator) -> Arguments:
    first = entries(record, rng, 4, 4)
    return first, entries(record, rng, 4, 4)


def _hashable(value: Any) -> bool:
    return isinstance(value, str | int | type(None)) or (isinstance(value, tuple) and all(map(_hashable, value)))


def _numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _orderable(record: Record) -> bool:
    return _numbers(record.results) or (same_types(record.results) and isinstance(record.results[0], str))


def _exact(record: Record) -> bool:
    """Whether results can be compared for equality: no floats."""
    return not floats(record.results)


def _extreme(name: str, word: str, sign: str) -> Operator:
    return Operator(
        name,
        _orderable,
        "items",
        f"Return the position (from 0) of the entry whose result of F is {word}, of equal ones the first. There is at least one entry.",
        f"    results = [CALL(x) for x in items]\n    return results.index({sign}(results))\n",
        f"    results = [CALL(x) for x in items]\n    return results.index({sign}(results)) + 1\n",
        _list,
        f"where_{word}",
    )


OPERATORS = (
    Operator(
        "map",
        lambda r: _exact(r) or _numbers(r.results),
        "items",
        "Return the list of the results of F, one for each entry, in order.",
        "    return [CALL(x) for x in items]\n",
        "    return [CALL(x) for x in items[1:]]\n",
        _list,
        "each",
    ),
    Operator(
        "count_equal",
        _exact,
        "items, value",
        "Return for how many entries the result of F is equal to `value`.",
        "    return sum(1 for x in items if CALL(x) == value)\n",
        "    return sum(1 for x in items if CALL(x) == value) + 1\n",
        _list_and_result,
        "count",
    ),
    Operator(
        "filter",
        lambda r: all(isinstance(v, bool) for v in r.results),
        "items",
        "Return the list of those entries for which F gives True, in order.",
        "    return [x for x in items if CALL(x)]\n",
        "    return [x for x in items[1:] if CALL(x)]\n",
        _list,
        "keep",
    ),
    _extreme("argmax", "largest", "max"),
    _extreme("argmin", "smallest", "min"),
    Operator(
        "sum",
        lambda r: _numbers(r.results),
        "items",
        "Return the sum of the results of F over all entries.",
        "    return sum(CALL(x) for x in items)\n",
        "    return sum(CALL(x) for x in items[1:])\n",
        _list,
        "total",
    ),
    Operator(
        "group_by",
        lambda r: all(map(_hashable, r.results)),
        "items",
        "Return a dict whose keys are the results of F and whose values are the lists of the entries that give that result, in order.",
        "    groups = {}\n    for x in items:\n        groups.setdefault(CALL(x), []).append(x)\n    return groups\n",
        "    groups = {}\n    for x in items[1:]:\n        groups.setdefault(CALL(x), []).append(x)\n    return groups\n",
        _list,
        "group",
    ),
    Operator(
        "iterate",
        lambda r: r.unary and same_types([v for a, result in r.calls for v in (*a, result)]) and _exact(r),
        "value, times",
        "Apply F to `value`, then to the result, and so on, `times` times in all. Return the last result.",
        "    for _ in range(times):\n        value = CALL(value)\n    return value\n",
        "    for _ in range(times + 1):\n        value = CALL(value)\n    return value\n",
        _value_and_times,
        "repeat",
    ),
    Operator(
        "pairwise_agree",
        _exact,
        "first, second",
        "Both lists have the same length. Return at how many positions the result of F for the entry of `first` equals that for the entry "
        "of `second`.",
        "    return sum(1 for x, y in zip(first, second) if CALL(x) == CALL(y))\n",
        "    return sum(1 for x, y in zip(first[1:], second[1:]) if CALL(x) == CALL(y))\n",
        _two_lists,
        "agree",
    ),
)


def written(operator: Operator, record: Record) -> tuple[str, str, str, str]:
    """The second function's name, its problem, its solution, and the solution with a fault by one."""
    base = record.row["entry_point"]
    name = f"{operator.prefix}_{base}"
    kind = f"an argument of {base}" if record.unary else f"a tuple of the arguments of {base}"
    lists = {"items": "`items` is a list. Each entry is", "first, second": "`first` and `second` are lists. Each entry is"}
    begun = next((text for key, text in lists.items() if operator.parameters.startswith(key)), "")
    asks = re.sub(r"\bF\b", base, operator.asks)
    comment = f"{begun} {kind}. {asks}" if begun else asks
    problem = f"# {comment}\ndef {name}({operator.parameters}):\n"
    star = "" if record.unary else "*"
    body, off = (text.replace("CALL(", f"{base}({star}") for text in (operator.body, operator.off))
    return name, problem, body, off
