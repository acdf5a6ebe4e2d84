"""Rows in the form that ProcBench is published in: prompt, label {init, intermediate, final}, task_name, ..."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.steps import Steps
from ponder.tasks.procbench.base import answer_form, name
from ponder.tasks.rows import Row, read_rows, remote_split

HUB = "ifujisawa/procbench"


def published(source: str, tasks: Sequence[int], lengths: Sequence[int], per_length: int) -> list[tuple[Problem, Steps]]:
    """Problems and labels of published rows, in their order.

    Args:
        source: "hub", or a .jsonl or .csv file, or a folder of such files.
        tasks, lengths: which rows to take.
        per_length: at most so many of a task and a length.

    Raises:
        InputError: the rows cannot be read, a row has no prompt, task or label, or none is left.
        MissingExtra: the hub's client is not installed.
    """
    wanted = {name(number) for number in tasks}
    taken: Counter[tuple[str, int]] = Counter()
    found: list[tuple[Problem, Steps]] = []
    for i, row in enumerate(_rows(source)):
        task, prompt, label = _parts(f"{source}, row {i + 1}", row)
        k = len(label.intermediate) + 1
        if task not in wanted or k not in lengths or taken[task, k] == per_length:
            continue
        taken[task, k] += 1
        data = {"task": task, "steps": k}
        found.append((Problem(f"{prompt.rstrip()}\n\n{answer_form()}", id=f"{task}-{i}", reads="steps", data=data), label))
    if not found:
        raise InputError(f"procbench: {source} holds no row of the tasks and lengths asked for")
    return found


def _rows(source: str) -> list[Row]:
    if source == "hub":
        return remote_split(HUB, "train", None)
    path = Path(source).expanduser()
    files = sorted(p for p in path.iterdir() if p.suffix in (".jsonl", ".csv")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"procbench: the folder {source} holds no .jsonl or .csv file")
    return [row for file in files for row in read_rows(file)]


def _parts(where: str, row: Row) -> tuple[str, str, Steps]:
    """Task, prompt and label of a row. The label is a column of its own, an object or its JSON text, or its parts are columns."""
    try:
        label = _decoded(row["label"]) if "label" in row else {key: _decoded(row[key]) for key in ("intermediate", "final")}
        steps = Steps.of(label)
        task, prompt = row["task_name"], row["prompt"]
    except KeyError as error:
        raise InputError(f"{where}: there is no column {error.args[0]!r}; there are {', '.join(map(str, row))}") from error
    except InputError as error:
        raise InputError(f"{where}: the label cannot be used: {error}") from error
    if not isinstance(prompt, str) or not prompt.strip():
        raise InputError(f"{where}: the prompt is empty")
    return str(task), prompt, steps


def _decoded(value: Any) -> Any:
    """A text that is a JSON list or object as that; everything else as it is."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
