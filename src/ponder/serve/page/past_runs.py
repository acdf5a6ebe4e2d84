"""Runs of `ponder bench` that lie under one folder, as the page shows them. They are opened for reading only."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.bench.store import Key
from ponder.bench.summary import Row, summarise
from ponder.core.budget import Budget
from ponder.core.errors import PonderError
from ponder.serve.errors import NotFound

MOST_RUNS = 200
MOST_SAMPLES = 64


@dataclass(frozen=True)
class PastRun:
    """One run: the name it has in addresses, its settings, and a row a task and method."""

    name: str
    settings: dict[str, Any]
    rows: list[Row]

    @property
    def about(self) -> str:
        """The settings that a reader looks for first."""
        models = ", ".join(self.settings.get("models", {}).values())
        sampling = self.settings.get("sampling", {})
        budget = Budget(**self.settings.get("budget", {}))
        facts = [f"{name.replace('_', ' ')} {sampling[name]}" for name in ("temperature", "max_tokens") if name in sampling]
        return " · ".join([models, *facts, f"budget {budget}"])


@dataclass(frozen=True)
class Sample:
    """One completion that the run's engine gave: its text, why it ended, its tokens."""

    text: str
    finish: str
    tokens: int


class PastRuns:
    """The runs under a folder, at most two folders deep.

    Args:
        folder: where to look; None shows none.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Names of the runs, the newest first."""
        if self.folder is None or not self.folder.is_dir():
            return []
        found = [*self.folder.glob("run.sqlite"), *self.folder.glob("*/run.sqlite"), *self.folder.glob("*/*/run.sqlite")]
        found.sort(key=lambda p: (-p.stat().st_mtime, str(p)))
        return [p.parent.relative_to(self.folder).as_posix() for p in found[:MOST_RUNS]]

    def run(self, name: str) -> PastRun:
        """A run with its table.

        Raises:
            NotFound: there is none of this name.
        """
        answers = self.answers(name)
        settings = {key: json.loads(value) for key, value in self._read(name, "SELECT name, value FROM settings")}
        methods, tasks = list(dict.fromkeys(k[1] for k in answers)), list(dict.fromkeys(k[0] for k in answers))
        return PastRun(name, settings, summarise(answers, methods, tasks))

    def answers(self, name: str, *key: Any) -> dict[Key, dict[str, Any]]:
        """The answers of a run whose key (task, method, seed, problem) begins with `key`, by key, in order of key."""
        begins = " AND ".join(f"{column} = ?" for column in ("task", "method", "seed", "problem")[: len(key)])
        where = f"WHERE {begins}" if begins else ""
        rows = self._read(name, f"SELECT task, method, seed, problem, answer FROM answers {where} ORDER BY 1, 2, 3, 4", *key)
        return {(task, method, seed, problem): json.loads(answer) for task, method, seed, problem, answer in rows}

    def samples(self, name: str, key: Key) -> list[Sample]:
        """What the engine wrote for one question by one method, in order of place; at most `MOST_SAMPLES`."""
        scope = f"{key[0]}\x1f{key[1]}\x1f{key[3]}\x1f"
        query = (
            "SELECT p.place, r.reply FROM places p JOIN replies r ON r.content = p.content "
            "WHERE p.place >= ? AND p.place < ? ORDER BY p.place LIMIT ?"
        )
        found: list[Sample] = []
        for _, reply in self._read(name, query, scope, scope[:-1] + "\x20", MOST_SAMPLES):
            drawn = json.loads(reply).get("completions", ())
            found += [Sample(c["text"], c["finish"], int(c.get("tokens") or len(c.get("token_ids") or ()))) for c in drawn]
        return found[:MOST_SAMPLES]

    def _read(self, name: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        if name not in self.names():
            raise NotFound(f"there is no run called {name[:100]!r} here")
        assert self.folder is not None
        path = self.folder / name / "run.sqlite"
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
                return db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise PonderError(f"the run {name} cannot be read: {error}") from error
