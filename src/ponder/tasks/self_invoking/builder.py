"""Making items: lift recorded functions, run the solution for the expected results, and keep what good tests tell from faulty solutions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.core.errors import EngineError
from ponder.core.seeds import generator
from ponder.sandbox import Raised, Sandbox
from ponder.tasks.self_invoking.lifting import OPERATORS, Arguments, Operator, written
from ponder.tasks.self_invoking.recorder import Record, literal
from ponder.tasks.self_invoking.records import Item

N_TESTS = 4
LEAST = 3
"""An item has at least so many assertions."""
LONGEST = 250
"""Characters of an assertion."""
CLOSE = 1e-6
"""Floats count as equal this far apart."""


@dataclass(frozen=True)
class Draft:
    """An item before it is known whether it is kept.

    Attributes:
        item: as it would be.
        mutants: solutions with one fault each, as bodies of programs that tests must refuse.
    """

    item: Item
    mutants: tuple[str, ...]


def lift(record: Record, box: Sandbox, operators: Sequence[Operator] = OPERATORS, n_tests: int = N_TESTS, seed: int = 0) -> list[Draft]:
    """Drafts of all operators whose preconditions a record meets.

    Args:
        record: of the base function.
        box: runs the solutions, for the expected results.
        operators: which are tried.
        n_tests: assertions an item.
        seed: of the tests' inputs.
    """
    if not record.usable:
        return []
    drafts = [_draft(record, op, box, n_tests, generator(seed, (record.row["task_id"], op.name))) for op in operators if op.fits(record)]
    return [draft for draft in drafts if draft is not None]


def _draft(record: Record, operator: Operator, box: Sandbox, n_tests: int, rng: np.random.Generator) -> Draft | None:
    row, (name, problem, body, off) = record.row, written(operator, record)
    before = row["prompt"] + row["canonical_solution"] + "\n"
    inputs: dict[str, Arguments] = {}
    for _ in range(4 * n_tests):
        drawn = operator.draw(record, rng)
        inputs.setdefault(repr(drawn), drawn)
    outcome = box.calls(before + problem + body, [(name, drawn) for drawn in inputs.values()])
    tests = _assertions(name, list(inputs.values()), outcome.values)[:n_tests]
    if len(tests) < LEAST or len({result for _, result in tests}) < 2:
        return None
    code = "\n".join(line for line, _ in tests) + "\n"
    base, id_ = row["task_id"], f"{row['task_id']}/{operator.name}"
    item = Item(id_, row["prompt"], row["canonical_solution"], problem, body, code, base, operator.name)
    common = Counter(map(repr, record.results)).most_common(1)[0][0]
    replaced = [f"def {row['entry_point']}(*arguments):\n    return {value}\n" for value in (common, "arguments[0]")]
    return Draft(item, (*(before + instead + problem + body for instead in replaced), before + problem + off))


def _assertions(name: str, inputs: Sequence[Arguments], results: Sequence[Any]) -> list[tuple[str, str]]:
    """(assertion, result as Python writes it) of the calls that gave a result and make a line that is not too long."""
    found = [
        (assertion(name, arguments, result), repr(result))
        for arguments, result in zip(inputs, results, strict=False)
        if not isinstance(result, Raised) and literal(result, LONGEST)
    ]
    return [(line, result) for line, result in found if len(line) <= LONGEST]


def assertion(name: str, arguments: Arguments, result: Any) -> str:
    """A line that passes if the function gives the result; floats, alone or in a list, may differ by `CLOSE`."""
    call = f"{name}({', '.join(map(repr, arguments))})"
    if isinstance(result, float):
        return f"assert abs({call} - {result!r}) < {CLOSE}"
    if isinstance(result, list) and any(isinstance(v, float) for v in result):
        return f"assert [round(v, 6) for v in {call}] == {[round(v, 6) for v in result]!r}"
    return f"assert {call} == {result!r}"


def kept(drafts: Sequence[Draft], box: Sandbox) -> list[Item]:
    """The items whose published solution passes all its tests, in a run of its own, and whose mutants all fail.

    Raises:
        EngineError: the sandbox could not run one of them.
    """
    checks = [d.item.check(program) for d in drafts for program in (d.item.truth, *d.mutants)]
    outcomes = iter(box.check(checks))
    found: list[Item] = []
    for draft in drafts:
        own = [next(outcomes) for _ in range(1 + len(draft.mutants))]
        if any(o.status == "unsupported" for o in own):
            raise EngineError(f"{draft.item.id} could not be run: {own[0].error}")
        if own[0].all_passed and not any(o.all_passed for o in own[1:]):
            found.append(draft.item)
    return found
