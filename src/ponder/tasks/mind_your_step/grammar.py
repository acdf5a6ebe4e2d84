"""Artificial grammars: strings of a hidden finite automaton, and strings that miss it by a letter.

Liu et al. 2024 (arXiv 2410.21333), task 1, after Reber's experiments on implicit learning. Sizes are the paper's (15 shown strings, 22 that
belong and 22 that do not); the automaton is ours: six nodes with two lettered edges each, and two nodes from which a string may end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.core.errors import InputError, PonderError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.tasks.base import Maker, Task

LETTERS = "MRSTVX"
SHORTEST, LONGEST = 4, 8
FEWEST = 60
"""Grammars with fewer different strings are drawn again."""
TRIES = 100
KIND = "artificial-grammar"


@dataclass(frozen=True)
class Grammar:
    """A finite automaton, which starts in node 0.

    Attributes:
        edges: for each node its (letter, next node) pairs; two of one letter are allowed.
        ends: the nodes in which a string may end.
    """

    edges: tuple[tuple[tuple[str, int], ...], ...]
    ends: frozenset[int]

    def accepts(self, text: str) -> bool:
        """Whether some walk from node 0 writes the text and may end there."""
        nodes = {0}
        for letter in text:
            nodes = {target for node in nodes for edge, target in self.edges[node] if edge == letter}
        return bool(nodes & self.ends)

    def strings(self, shortest: int = SHORTEST, longest: int = LONGEST) -> list[str]:
        """All its strings of these lengths, sorted."""
        front: set[tuple[int, str]] = {(0, "")}
        found: set[str] = set()
        for length in range(1, longest + 1):
            front = {(target, text + letter) for node, text in front for letter, target in self.edges[node]}
            if length >= shortest:
                found |= {text for node, text in front if node in self.ends}
        return sorted(found)


def random_grammar(rng: np.random.Generator, nodes: int = 6, fewest: int = FEWEST) -> Grammar:
    """A grammar with two differently lettered edges from each node, at least `fewest` strings, drawn again up to 100 times.

    Raises:
        InputError: fewer than 2 nodes.
        PonderError: no draw had enough strings.
    """
    if nodes < 2:
        raise InputError(f"a grammar needs at least 2 nodes, not {nodes}")
    for _ in range(TRIES):
        letters = [rng.choice(len(LETTERS), 2, replace=False) for _ in range(nodes)]
        targets = rng.integers(nodes, size=(nodes, 2))
        edges = tuple(tuple((LETTERS[i], int(t)) for i, t in zip(pair, to, strict=True)) for pair, to in zip(letters, targets, strict=True))
        made = Grammar(edges, frozenset(int(i) for i in rng.choice(nodes, 2, replace=False)))
        if len(made.strings()) >= fewest:
            return made
    raise PonderError(f"none of {TRIES} grammars of {nodes} nodes had {fewest} strings of {SHORTEST} to {LONGEST} letters")


@dataclass(frozen=True)
class Strings:
    """What is shown of a grammar and asked about: no string is in two of them."""

    study: tuple[str, ...]
    members: tuple[str, ...]
    others: tuple[str, ...]


def draw_strings(grammar: Grammar, rng: np.random.Generator, study: int = 15, each: int = 22) -> Strings:
    """Strings to study, members to ask about, and as many others: members with one letter replaced, which the grammar rejects.

    Raises:
        PonderError: the grammar has too few strings, or too few near ones that it rejects.
    """
    pool = grammar.strings()
    if len(pool) < study + each:
        raise PonderError(f"the grammar has {len(pool)} strings, and {study + each} are needed")
    chosen = [pool[i] for i in rng.permutation(len(pool))[: study + each]]
    others: dict[str, None] = {}
    for _ in range(200 * each):
        if len(others) == each:
            return Strings(tuple(chosen[:study]), tuple(chosen[study:]), tuple(others))
        text = chosen[study + int(rng.integers(each))]
        place, letter = int(rng.integers(len(text))), LETTERS[int(rng.integers(len(LETTERS)))]
        changed = text[:place] + letter + text[place + 1 :]
        if not grammar.accepts(changed):
            others.setdefault(changed)
    raise PonderError(f"fewer than {each} near strings are rejected by the grammar")


def ask_about(text: str, study: Sequence[str], grammar: int = 0, id: str = "") -> Problem:
    """Whether a string follows the rules that made the shown ones."""
    shown = "\n".join(study)
    question = f"These strings were all made by the same hidden rules:\n{shown}\n\nWas this string made by the same rules?\n{text}"
    return Problem(question, id=id, reads="boolean", data={"kind": KIND, "grammar": grammar, "study": list(study), "string": text})


def pairs(text: str) -> list[str]:
    """A string's pairs of neighbouring letters, its ends counted as letters: "MR" has ^M, MR and R$."""
    framed = f"^{text}$"
    return [framed[i : i + 2] for i in range(len(framed) - 1)]


def overlap(text: str, known: Iterable[str]) -> float:
    """The share of a string's pairs that are among known ones."""
    there, own = set(known), pairs(text)
    return sum(pair in there for pair in own) / len(own)


def chunk_overlap(text: str, study: Sequence[str]) -> float:
    """The share of a string's pairs that occur in the shown strings: a baseline without a model."""
    return overlap(text, (pair for s in study for pair in pairs(s)))


def _make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    grammars, nodes = options["grammars"], options["nodes"]
    if not 1 <= grammars <= 1000 or not 2 <= nodes <= 26:
        raise InputError(f"{KIND}: grammars must be between 1 and 1000 and nodes between 2 and 26, not {grammars} and {nodes}")
    problems: list[Problem] = []
    answers: dict[str, str] = {}
    for number in range(grammars):
        if limit is not None and len(problems) >= limit:
            break
        rng = generator(seed, ("tasks", KIND, nodes, number))
        drawn = draw_strings(random_grammar(rng, nodes), rng)
        asked = [(s, "yes") for s in drawn.members] + [(s, "no") for s in drawn.others]
        for i in rng.permutation(len(asked)):
            text, gold = asked[i]
            problems.append(ask_about(text, drawn.study, number, f"{seed}-{number}-{i}"))
            answers[problems[-1].id] = gold
    kept = tuple(problems[:limit])
    return Task("", ARTIFICIAL_GRAMMAR.about, kept, {p.id: answers[p.id] for p in kept}, guess=0.5)


ARTIFICIAL_GRAMMAR = Maker(
    "does a string follow the hidden rules that made 15 others? 22 that do and 22 that miss by a letter, of each grammar",
    _make,
    {"grammars": (12, "how many hidden grammars"), "nodes": (6, "of each automaton; fewer are easier")},
)
