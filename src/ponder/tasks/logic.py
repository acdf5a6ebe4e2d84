"""Logic problems: small theories made on the spot, whose answers are known, and rows of published sets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.logic.english import Wording, said
from ponder.logic.formula import FolSyntaxError, Formula, SignatureError
from ponder.logic.provers import check_installed, entails
from ponder.logic.theories import DEEPEST, LABELS, Question, question
from ponder.tasks.base import Maker, Task, closest, subset
from ponder.tasks.rows import Row, hub_rows, read_rows

MOST = 100_000
"""The most problems of a made task."""

COLUMNS = {
    "premises": ("premises", "theory", "context"),
    "conclusion": ("conclusion", "question", "statement"),
    "label": ("label", "answer"),
}
"""What a column of a published set is called if the user does not say: as in FOLIO and as in ProofWriter."""
FORMULAS = ("premises-FOL", "conclusion-FOL")
"""The columns of FOLIO that hold gold formulas; they are never part of a problem."""
_LABELS = {"true": "True", "false": "False", "uncertain": "Uncertain", "unknown": "Uncertain"}


@dataclass(frozen=True)
class Made:
    """A made problem with everything that is known of it; only its sentences go into a `Problem`.

    Attributes:
        question: the theory and what is asked of it, with the label and the depth.
        premises, conclusion: the sentences.
        formulas: what they say, the conclusion last.
    """

    question: Question
    premises: tuple[str, ...]
    conclusion: str
    formulas: tuple[Formula, ...]


def made(index: int, low: int, high: int, rare: int, seed: int) -> Made:
    """The problem of an index in the task `logic`: depths go round from low to high, and so do the labels."""
    rng = generator(seed, ("tasks", "logic", low, high, rare, index))
    span = high - low + 1
    asked = question(low + index % span, LABELS[index // span % len(LABELS)], rng)
    texts, items = zip(*said(asked, Wording(rare=rare / 100), rng), strict=True)
    return Made(asked, texts[:-1], texts[-1], tuple(item.formula for item in items))


def problem_of(premises: Sequence[str], conclusion: str, id: str) -> Problem:
    """Premises and a conclusion as a question with three options, the sentences in its data."""
    facts = "\n".join(premises) or "(none)"
    text = f"Facts and rules:\n{facts}\n\nStatement: {conclusion}\n\nDo the facts and rules make the statement true, false or neither?"
    data = {"premises": list(premises), "conclusion": conclusion}
    return Problem(text, id=id, choices=LABELS, reads="choice", data=data)


def _logic(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    low, high, rare, n = (options[key] for key in ("low", "high", "rare", "n"))
    if not 0 <= low <= high <= DEEPEST:
        raise InputError(f"logic: low and high must satisfy 0 <= low <= high <= {DEEPEST}, not low={low}, high={high}")
    if not 0 <= rare <= 100:
        raise InputError(f"logic: rare is a percentage from 0 to 100, not {rare}")
    if not 1 <= n <= MOST:
        raise InputError(f"logic: n must be between 1 and {MOST}, not {n}")
    found = [made(i, low, high, rare, seed) for i in range(n if limit is None else min(n, limit))]
    problems = tuple(problem_of(m.premises, m.conclusion, f"{seed}-{i}") for i, m in enumerate(found))
    return task_of(LOGIC.about, problems, [m.question.label for m in found])


def task_of(about: str, problems: tuple[Problem, ...], labels: Sequence[str]) -> Task:
    """A task of problems with their labels."""
    return Task("", about, problems, {p.id: p.read(label) or "" for p, label in zip(problems, labels, strict=True)}, 1 / len(LABELS))


def from_rows(name: str, about: str, rows: Sequence[Row], options: dict[str, str], limit: int | None, seed: int) -> Task:
    """A task of rows with premises, a conclusion and a label; premises are a list, or one text of lines or sentences.

    Raises:
        InputError: for a missing column, an empty set, a label that is not true, false, uncertain or unknown.
    """
    unknown = next((key for key in options if key not in COLUMNS), None)
    if unknown is not None:
        raise InputError(f"{name}: no option is called {unknown!r}; {closest(unknown, list(COLUMNS))}")
    if not rows:
        raise InputError(f"{name} holds no rows")
    column = {kind: _column(name, kind, rows[0], options.get(kind)) for kind in COLUMNS}
    problems: list[Problem] = []
    labels: list[str] = []
    for i, row in subset(list(enumerate(rows)), limit, seed):
        label = _LABELS.get(str(row[column["label"]]).strip().lower())
        conclusion = str(row[column["conclusion"]]).strip()
        if label is None or not conclusion:
            raise InputError(f"{name}, row {i + 1}: needs a conclusion and a label of {', '.join(_LABELS)}, not {row[column['label']]!r}")
        problems.append(problem_of(_sentences(row[column["premises"]]), conclusion, str(i)))
        labels.append(label)
    return task_of(about, tuple(problems), labels)


def rechecked(name: str, rows: Sequence[Row], prover: str) -> list[Row]:
    """The rows whose label is what a prover finds of their gold formulas, as LINC filters FOLIO.

    Raises:
        InputError: a row without gold formulas, or no row is left.
        MissingExtra, ProverNotFoundError: the prover is not installed; the set would silently be empty.
    """
    check_installed(prover)
    kept = [row for i, row in enumerate(rows) if _holds(f"{name}, row {i + 1}", row, prover)]
    if not kept:
        raise InputError(f"{name}: no label of {len(rows)} rows is what {prover} finds of the gold formulas")
    return kept


def _holds(where: str, row: Row, prover: str) -> bool:
    if any(column not in row for column in FORMULAS):
        raise InputError(f"{where}: has no gold formulas; its columns are {', '.join(map(str, row))}")
    premises, conclusion = (row[column] for column in FORMULAS)
    lines = premises if isinstance(premises, list) else str(premises).splitlines()
    given = [str(line).strip() for line in lines if str(line).strip()]
    label = _LABELS.get(str(row[_column(where, "label", row, None)]).strip().lower())
    try:
        found = entails(given, str(conclusion), prover=prover, dialect="unicode")
    except (FolSyntaxError, SignatureError):
        return False
    return found.settled and not found.inconsistent and found.label == label


def _column(name: str, kind: str, row: Row, given: str | None) -> str:
    found = given or next((column for column in COLUMNS[kind] if column in row), "")
    if found not in row:
        tried = given or ", ".join(COLUMNS[kind])
        raise InputError(f"{name} has no column for the {kind} (tried {tried}); its columns are {', '.join(map(str, row))}")
    return found


def _sentences(value: Any) -> list[str]:
    """Premises as a list, as lines, or as one text of sentences."""
    if not isinstance(value, list):
        text = str(value).strip()
        value = text.splitlines() if "\n" in text else re.split(r"(?<=\.)\s+", text)
    return [text for part in value if (text := str(part).strip())]


def _entailment(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    if not rest:
        raise InputError("entailment: needs a data set or a file, as in entailment:yale-nlp/FOLIO,split=validation")
    if Path(rest).suffix in (".jsonl", ".csv", ".tsv"):
        rows = read_rows(Path(rest).expanduser())
    else:
        rows = hub_rows(rest, options.pop("split", "validation"), options.pop("config", None))
    if check := options.pop("check", ""):
        rows = rechecked(f"entailment:{rest}", rows, check)
    return from_rows(f"entailment:{rest}", f"what follows from the premises of {rest}", rows, options, limit, seed)


LOGIC = Maker(
    "small theories of facts and rules: does a statement follow, does its negation, or neither? Equally many of each, at each depth",
    _logic,
    {
        "low": (0, "the fewest rounds of reasoning, from 0"),
        "high": (DEEPEST, f"the most rounds of reasoning, up to {DEEPEST}"),
        "rare": (5, "the percentage of sentences worded in a rare way"),
        "n": (360, f"how many problems, at most {MOST}"),
    },
)
ENTAILMENT = Maker(
    "premises, a conclusion and whether it is true, false or uncertain: FOLIO, ProofWriter, your own file",
    _entailment,
    form="entailment:ID or FILE[,split=validation,premises=COLUMN,conclusion=COLUMN,label=COLUMN,check=z3]",
)
