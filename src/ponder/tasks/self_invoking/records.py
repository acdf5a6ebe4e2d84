"""Items of self-invoking code: the published record format, the files that hold it, and the programs that are made of an item."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError
from ponder.sandbox import Check
from ponder.tasks.code import Row, rows, split_tests
from ponder.tasks.rows import remote_split

_FIELDS = ("raw_problem", "new_problem", "new_solution", "test_code")
_CUTS = ("if __name__", "# Test", "# Example")
HUB = "CodeEval-Pro/"
"""Where the published sets lie: humaneval-pro, mbpp-pro, bigcodebench-lite-pro."""


@dataclass(frozen=True)
class Item:
    """A base problem and a second one whose natural solution calls the first.

    Attributes:
        id: unique in its set.
        raw_problem, raw_solution: the base problem (imports, signature, docstring) and its body.
        new_problem, new_solution: the second problem (a comment and a signature) and its body.
        test_code: assertions on the second function.
        base: the HumanEval or MBPP task that the base problem is, "" if unknown.
        operator: what made the second problem, "" if people did.
    """

    id: str
    raw_problem: str
    raw_solution: str
    new_problem: str
    new_solution: str
    test_code: str
    base: str = ""
    operator: str = ""

    @property
    def names(self) -> tuple[str, str]:
        """The base function and the second one: the last that each problem begins."""
        return _last_function(self.raw_problem), _last_function(self.new_problem)

    @cached_property
    def tests(self) -> tuple[str, tuple[str, ...]]:
        """The test code as (setup, tests), a test an assertion."""
        return split_tests(self.test_code)

    @property
    def truth(self) -> str:
        """The published solution of both, without tests."""
        return self.raw_problem + self.raw_solution + "\n" + self.new_problem + self.new_solution + "\n"

    def program(self, completion: str) -> str:
        """The program that a model's continuation of the base problem makes; tabs become four spaces."""
        return (self.raw_problem + completion + "\n").replace("\t", "    ")

    def check(self, program: str, more: tuple[str, ...] = ()) -> Check:
        """What the sandbox runs to judge a whole program."""
        setup, tests = self.tests
        return Check(program.replace("\t", "    "), (*tests, *more), setup)

    @property
    def base_check(self) -> tuple[str, tuple[str, ...]] | None:
        """Setup and tests of the base function, where they are known."""
        known = base_rows().get(self.base)
        return None if known is None else split_tests(known["test"], known.get("entry_point"))


def _last_function(source: str) -> str:
    found = re.findall(r"^def\s+(\w+)", source, re.MULTILINE)
    if not found:
        raise InputError(f"there is no function in {source[:80]!r}")
    return found[-1]


@cache
def base_rows() -> dict[str, Row]:
    """HumanEval's and MBPP's rows by their ids."""
    return {row["task_id"]: row for name in ("humaneval", "mbpp") for row in rows(name)}


def sanitised(text: str) -> str:
    """A program without the examples behind it: cut at `if __name__`, else at `# Test`, else at `# Example`."""
    return next((text[: text.index(mark)] for mark in _CUTS if mark in text), text)


@cache
def generated() -> tuple[Item, ...]:
    """The items that ponder made of HumanEval: `python -m ponder.tasks.self_invoking` makes them again."""
    known = base_rows()
    return tuple(of_row(row, known[row["base"]]) for row in rows("self_invoking"))


def of_row(row: Row, base: Row) -> Item:
    """An item of the generated file, whose base problem stands in HumanEval's."""
    return Item(raw_problem=base["prompt"], raw_solution=base["canonical_solution"], **row)


def read_items(source: str) -> list[Item]:
    """The items of a published set.

    Args:
        source: "hub:humaneval-pro" or "hub:OWNER/NAME"; or a .json or .jsonl file of the published form. No revision is pinned: note
            which one you have, for keys were corrected after publication.

    Raises:
        InputError: what is there is no such set.
        MissingExtra: the hub's client is not installed.
    """
    if source.startswith("hub:"):
        name = source.removeprefix("hub:")
        name = name if "/" in name else HUB + name
        return of_published(remote_split(name, "train", None), name)
    path = Path(source).expanduser()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        found = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{source} cannot be read as JSON or JSON lines: {error}") from error
    return of_published(found, path.name)


def of_published(found: Any, source: str) -> list[Item]:
    """Rows of the published form as items.

    Raises:
        InputError: a row lacks a field, or its code is no Python.
    """
    if not isinstance(found, list) or not found or not all(isinstance(row, dict) for row in found):
        raise InputError(f"{source} must hold a list of objects, at least one")
    return [_published(row, i, source) for i, row in enumerate(found)]


def _published(row: Row, place: int, source: str) -> Item:
    missing = [name for name in _FIELDS if not isinstance(row.get(name), str)]
    if missing:
        raise InputError(f"{source}, item {place}: no text {', '.join(missing)}; it has {', '.join(map(str, row))}")
    id_ = str(row.get("id", row.get("task_id", place)))
    made = Item(id_, *(str(row.get(name, "")) for name in ("raw_problem", "raw_solution", *_FIELDS[1:])), base=_base(id_, source))
    try:
        _ = made.names, made.tests
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{source}, item {id_}: its code cannot be read: {error}") from error
    return made


def _base(id_: str, source: str) -> str:
    number = re.search(r"\d+\Z", id_)
    family = "HumanEval" if "humaneval" in source.lower() else "MBPP" if "mbpp" in source.lower() else ""
    name = f"{family}/{number[0] if number else ''}"
    return name if name in base_rows() else ""


def never_named(items: Sequence[Item]) -> list[str]:
    """Ids of the items whose published second solution never names the base function, so that nothing enforces a call of it."""
    found: list[str] = []
    for item in items:
        name, tree = item.names[0], ast.parse(item.new_problem + item.new_solution)
        if not any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree)):
            found.append(item.id)
    return found
