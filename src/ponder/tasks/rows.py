"""Tasks out of rows: published sets that ponder fetches, the user's own files, data sets of the Hugging Face hub."""

from __future__ import annotations

import csv
import importlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from ponder.core.errors import InputError, MissingExtra
from ponder.core.problem import Problem
from ponder.core.reading import READERS
from ponder.pull import SOURCES, fetch
from ponder.tasks.base import Maker, Task, closest, subset

Row = dict[str, Any]

COLUMNS = {
    "question": ("question", "prompt", "problem", "input"),
    "answer": ("answer", "target", "gold", "label", "answerKey"),
    "choices": ("choices", "options"),
    "context": ("context", "passage"),
}
"""What a column is called if the user does not say."""

MOST_CHOICES = 10


def from_rows(name: str, about: str, rows: Sequence[Row], options: dict[str, str], limit: int | None, seed: int) -> Task:
    """A task of rows with named columns. With a limit, a subset that depends on the seed; ids are the rows' places in the set.

    Raises:
        InputError: for a missing column (listing those there are), an empty set, a row that cannot be used.
    """
    unknown = [key for key in options if key not in (*COLUMNS, "reads", "style")]
    if unknown:
        raise InputError(f"{name}: no option is called {unknown[0]!r}; {closest(unknown[0], [*COLUMNS, 'reads', 'style'])}")
    if not rows:
        raise InputError(f"{name} holds no rows")
    columns = {kind: _column(name, kind, rows[0], options.get(kind)) for kind in COLUMNS}
    reads = options.get("reads") or _reader(rows, columns)
    if reads not in READERS:
        raise InputError(f"{name}: no answer reader is called {reads!r}; {closest(reads, list(READERS))}")
    problems, answers = [], {}
    for i, row in subset(list(enumerate(rows)), limit, seed):
        problem, gold = _problem(f"{name}, row {i + 1}", i, row, columns, reads, options.get("style") or _STYLES.get(reads, "plain"))
        problems.append(problem)
        answers[problem.id] = gold
    guesses = [1 / len(p.choices) if p.choices else 0.5 if reads == "boolean" else 0.0 for p in problems]
    return Task(name, about, tuple(problems), answers, sum(guesses) / len(guesses))


_STYLES = {"number": "cot", "math": "cot"}


def _column(name: str, kind: str, row: Row, given: str | None) -> str | None:
    if given is not None:
        if given not in row:
            raise InputError(f"{name} has no column {given!r} for the {kind}; its columns are {', '.join(map(str, row))}")
        return given
    found = next((column for column in COLUMNS[kind] if column in row), None)
    if found is None and kind in ("question", "answer"):
        raise InputError(f"{name} has no column for the {kind} (tried {', '.join(COLUMNS[kind])}); its columns are "
                         f"{', '.join(map(str, row))}; name one with {kind}=COLUMN")  # fmt: skip
    return found


def _reader(rows: Sequence[Row], columns: dict[str, str | None]) -> str:
    if columns["choices"]:
        return "choice"
    golds = [str(row.get(columns["answer"] or "", "")).strip() for row in rows]
    if all(gold.lower() in ("yes", "no", "true", "false") for gold in golds):
        return "boolean"
    figure = re.compile(r"[-+−]?[$€£]?[\d,]*\.?\d+(?:/\d+)?%?")
    if all(figure.fullmatch(gold) or "####" in gold for gold in golds):
        return "number"
    return "text"


def _problem(where: str, index: int, row: Row, columns: dict[str, str | None], reads: str, style: str) -> tuple[Problem, str]:
    question = row.get(columns["question"] or "")
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"{where}: the question is empty")
    choices, labels = _choices(where, row.get(columns["choices"])) if columns["choices"] else ((), ())
    passage = row.get(columns["context"]) if columns["context"] else None
    context = tuple(map(str, passage)) if isinstance(passage, list) else (str(passage),) if passage else ()
    problem = Problem(question, id=str(index), choices=choices, context=context, reads=reads, style=style)
    given = row.get(columns["answer"] or "")
    gold = _letter(given, choices, labels) if choices else problem.read(str(given)) if given is not None else None
    if gold is None:
        raise InputError(f"{where}: the answer {given!r} cannot be read as a {reads}" + (f" of {len(choices)} options" if choices else ""))
    return problem, gold


def _choices(where: str, value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options and their own labels. A list, a JSON list, texts joined by "|", or the hub's {"text": [...], "label": [...]}."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [part.strip() for part in value.split("|")]
    labels: tuple[str, ...] = ()
    if isinstance(value, dict):
        value, labels = value.get("text"), tuple(map(str, value.get("label", ())))
    if not isinstance(value, list) or not 2 <= len(value) <= MOST_CHOICES:
        raise InputError(f"{where}: the options must be a list of 2 to {MOST_CHOICES} texts, not {value!r}")
    return tuple(map(str, value)), labels


def _letter(given: Any, choices: tuple[str, ...], labels: tuple[str, ...]) -> str | None:
    """The letter of the right option, given by its label, its text, its letter or (a whole number) its index from 0."""
    text = str(given).strip()
    index = labels.index(text) if text in labels else choices.index(text) if choices.count(text) == 1 else None
    if index is None and re.fullmatch(r"[A-Ja-j]", text):
        index = ascii_uppercase.index(text.upper())
    if index is None and re.fullmatch(r"\d{1,2}", text):
        index = int(text)
    return ascii_uppercase[index] if index is not None and index < len(choices) else None


def read_rows(path: Path) -> list[Row]:
    """The rows of a .csv, .tsv or JSON-lines file.

    Raises:
        InputError: if it cannot be read; bad JSON is named by its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start})") from error
    if path.suffix.lower() in (".csv", ".tsv"):
        reader = csv.DictReader(io.StringIO(text), delimiter="," if path.suffix.lower() == ".csv" else "\t")
        try:
            return list(reader)
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error
    rows: list[Row] = []
    for i, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {i}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {i}: not a JSON object: {line[:60]}")
        rows.append(row)
    return rows


def _file(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    if not rest:
        raise InputError("file: needs a path, as in file:questions.csv,question=q,answer=a")
    path = Path(rest).expanduser()
    return from_rows(f"file:{rest}", f"questions of {path.name}", read_rows(path), options, limit, seed)


def _hub(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    if not rest:
        raise InputError("hub: needs a data set, as in hub:openai/gsm8k,config=main,split=test")
    split = options.pop("split", "test")
    rows = hub_rows(rest, split, options.pop("config", None))
    return from_rows(f"hub:{rest}", f"the {split} split of {rest}", rows, options, limit, seed)


def hub_rows(name: str, split: str, config: str | None) -> list[Row]:
    """The rows of a split of a data set of the hub, or of a folder in its layout."""
    folder = Path(name).expanduser()
    return _local_split(folder, split, config) if folder.is_dir() else remote_split(name, split, config)


def _local_split(folder: Path, split: str, config: str | None) -> list[Row]:
    """A split of a data set folder in the hub's layout: files called after the split, in the folder or under data/ or the config's name."""
    places = [folder / config] if config else [folder, folder / "data"]
    files = [p for place in places if place.is_dir() for p in sorted(place.iterdir()) if p.suffix in (".jsonl", ".csv", ".tsv")]
    chosen = [p for p in files if re.fullmatch(rf"{re.escape(split)}(?:-\d+-of-\d+)?", p.stem)]
    if not chosen:
        raise InputError(
            f"{folder} has no .jsonl, .csv or .tsv file of a split {split!r}; it has {', '.join(p.name for p in files) or 'none'}"
        )
    return [row for path in chosen for row in read_rows(path)]


def remote_split(name: str, split: str, config: str | None) -> list[Row]:
    """The rows of a split of a data set of the hub.

    Raises:
        MissingExtra: the hub's client is not installed.
        InputError: the data set cannot be loaded.
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise MissingExtra(
            f"hub:{name} is no local folder, and fetching it needs datasets, which is not installed: pip install datasets"
        ) from error
    try:
        return [dict(row) for row in datasets.load_dataset(name, config, split=split)]
    except Exception as error:  # the client's errors have no common base
        raise InputError(f"hub:{name} (config {config}, split {split}) could not be loaded: {error}") from error


def _published(source: str, reads: str) -> Maker:
    about = SOURCES[source].about

    def make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
        rows = read_rows(fetch(source))
        for row in rows:
            if reads == "boolean":
                row["question"] = row["question"][:1].upper() + row["question"][1:] + "?"
        return from_rows(source, about, rows, {"reads": reads}, limit, seed)

    return Maker(about, make, {})


PUBLISHED = {name: _published(name, reads) for name, reads in (("gsm8k", "number"), ("boolq", "boolean"), ("arc-challenge", "choice"))}
FILE = Maker("your own questions: a .csv, .tsv or JSON-lines file", _file, form="file:PATH[,question=COLUMN,answer=COLUMN,choices=COLUMN]")
HUB = Maker("a data set of the Hugging Face hub, or a folder in its layout", _hub, form="hub:ID[,split=test,config=NAME]")
