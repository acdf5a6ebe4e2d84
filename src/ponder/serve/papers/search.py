"""Searching the catalog: by words as they are typed (SQLite FTS5), and by meaning where a sentence encoder is at hand."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ponder.papers.catalog import Paper

LONGEST = 200
MOST_WORDS = 12
NEAR = 5
LEAST_COSINE = 0.3
"""Below it, sentences of the small encoder that `load_encoder` is made for have nothing in common that a reader would see."""

BEGIN, END = "\x02", "\x03"
"""Stand around a word that was found, in the texts of a `Hit`."""

_COLUMNS = ("title", "slug", "claim", "wing", "authors", "year", "arxiv")
_WEIGHTS = (8, 8, 2, 2, 6, 3, 6)


class Encoder(Protocol):
    """Makes vectors of sentences, such that sentences of like meaning have a large cosine."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """One row a text, shape (n, d). Safe to call from any thread, one call at a time."""
        ...


@dataclass(frozen=True)
class Hit:
    """A paper that a search found.

    Attributes:
        slug: the paper.
        by: "words", or "meaning" if none of its words were asked for.
        title, claim: the paper's, with `BEGIN` and `END` around the words that were found.
    """

    slug: str
    by: str
    title: str
    claim: str


class Index:
    """The catalog, ready to be searched. Safe to use from many threads.

    Args:
        papers: what is searched.
        encoder: for the search by meaning; None for none.
    """

    def __init__(self, papers: Sequence[Paper], encoder: Encoder | None = None) -> None:
        self._papers = tuple(papers)
        self._encoder = encoder
        self._vectors: np.ndarray | None = None
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            f"CREATE VIRTUAL TABLE papers USING fts5({', '.join(_COLUMNS)}, prefix='1 2 3', tokenize='unicode61 remove_diacritics 2')"
        )
        rows = [tuple(str(getattr(paper, column)) for column in _COLUMNS) for paper in self._papers]
        self._db.executemany(f"INSERT INTO papers VALUES ({', '.join('?' * len(_COLUMNS))})", rows)

    def search(self, text: str) -> tuple[Hit, ...]:
        """The papers that hold all words of `text`, each perhaps not typed to its end; if none does, those with any of the longer ones.

        The best match comes first. Up to `NEAR` papers that are near in meaning follow. A text without words finds nothing.
        """
        words = re.findall(r"\w+", text[:LONGEST])[:MOST_WORDS]
        if not words:
            return ()
        with self._lock:
            telling = [word for word in words if len(word) > 3] or words  # "to" begins a word of every paper
            found = self._matches(_query(words, " ")) or self._matches(_query(telling, " OR "))
            return found + self._near(text[:LONGEST], {hit.slug for hit in found})

    def _matches(self, query: str) -> tuple[Hit, ...]:
        rows = self._db.execute(
            "SELECT rowid, highlight(papers, 0, ?, ?), highlight(papers, 2, ?, ?) FROM papers WHERE papers MATCH ? "
            f"ORDER BY bm25(papers, {', '.join(map(str, _WEIGHTS))}), rowid",
            (BEGIN, END, BEGIN, END, query),
        )
        return tuple(Hit(self._papers[row - 1].slug, "words", title, claim) for row, title, claim in rows)

    def _near(self, text: str, found: set[str]) -> tuple[Hit, ...]:
        if self._encoder is None:
            return ()
        if self._vectors is None:
            self._vectors = _unit(self._encoder.encode([f"{p.title}. {p.claim}" for p in self._papers]))
        cosines = self._vectors @ _unit(self._encoder.encode([text]))[0]
        nearest = [self._papers[i] for i in np.argsort(-cosines, kind="stable") if cosines[i] >= LEAST_COSINE]
        return tuple(Hit(p.slug, "meaning", p.title, p.claim) for p in nearest if p.slug not in found)[:NEAR]


def _query(words: Sequence[str], joined: str) -> str:
    return joined.join(f'"{word}"*' for word in words)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
