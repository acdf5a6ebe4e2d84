"""Experiment A of card 16: does a real model like a letter, and what is left of it after the options were shuffled?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from ponder.bench.position_bias import PositionBias, position_bias
from ponder.bench.stats import Interval, wilson
from ponder.core.errors import need
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.papers.report import Check, Table
from ponder.programs.prompts import body
from ponder.stages.choices import Order, orders, reordered

Floats = NDArray[np.float64]
Letters = Callable[[Sequence[str]], Floats]
"""Log-probabilities of the letters after each prompt, shape (prompts, options)."""
LETTERS = ascii_uppercase[:4]
KINDS = {
    "animal": ("horse", "rabbit", "tiger", "sheep", "goat", "whale", "mouse", "eagle"),
    "fruit": ("apple", "banana", "cherry", "peach", "grape", "lemon", "mango", "plum"),
    "colour": ("blue", "green", "yellow", "purple", "white", "black", "grey", "pink"),
    "country": ("France", "Japan", "Brazil", "Egypt", "Canada", "India", "Spain", "Kenya"),
    "tool": ("hammer", "saw", "drill", "wrench", "shovel", "chisel", "pliers", "axe"),
}


@dataclass(frozen=True)
class Asked:
    """A question with the number of its right option."""

    problem: Problem
    gold: int


def questions(n: int, seed: int) -> list[Asked]:
    """Four-option questions, a third each of iris petals, of wines and of kinds of words; right options stand in every place equally often.

    Petals and wines are rows of scikit-learn's tables (extra: trust).
    """
    data = need("sklearn.datasets", "trust")
    tables = (
        ("Which of these iris petals is the longest (cm)?", data.load_iris().data[:, 2], max),
        ("Which of these wines has the least alcohol (%)?", data.load_wine().data[:, 0], min),
    )
    rng = generator(seed, ("position bias",))
    made: list[Asked] = []
    for i in range(n):
        which = i % 3
        if which < 2:
            text, column, pick = tables[which]
            values = rng.choice(np.unique(np.round(column, 1)), 4, replace=False).tolist()
            right, others = pick(values), [v for v in values if v != pick(values)]
            options = [f"{v:.1f}" for v in (right, *others)]
        else:
            kind, other = rng.choice(list(KINDS), 2, replace=False).tolist()
            text = f"Which of these is {'an' if kind[0] in 'ae' else 'a'} {kind}?"
            options = [str(rng.choice(KINDS[kind])), *map(str, rng.choice(KINDS[other], 3, replace=False))]
        gold = (i // 3) % 4
        options.insert(gold, options.pop(0))
        made.append(Asked(Problem(text, id=str(i), choices=tuple(options), reads="choice"), gold))
    return made


def prompt(problem: Problem) -> str:
    """What the model reads before the letter."""
    return f"{body(problem)}\nAnswer:"


def letter_shares(asked: Sequence[Asked], chosen: Sequence[Order], letters: Letters, keep: Path | None = None) -> Floats:
    """Log-shares of the letters for every question and order, shape (questions, orders, options), by the place of the letter.

    Args:
        keep: a file in which questions that were read are kept, so that a stopped run goes on.
    """
    known: dict[str, list[list[float]]] = json.loads(keep.read_text(encoding="utf-8")) if keep is not None and keep.exists() else {}
    for i, one in enumerate(asked):
        key = f"{one.problem.id} {len(chosen)}"
        if key in known:
            continue
        values = letters([prompt(reordered(one.problem, order)) for order in chosen])
        known[key] = (values - np.logaddexp.reduce(values, axis=1, keepdims=True)).tolist()
        if keep is not None and (i % 10 == 9 or i == len(asked) - 1):
            keep.parent.mkdir(parents=True, exist_ok=True)
            keep.write_text(json.dumps(known), encoding="utf-8")
    return np.array([known[f"{one.problem.id} {len(chosen)}"] for one in asked])


def votes(shares: Floats, chosen: Sequence[Order], members: Sequence[Sequence[int]]) -> list[int]:
    """The option that the probabilities of a question's members add up to, for each question.

    Args:
        members: for each question the numbers of the orders that vote.
    """
    found = []
    for row, voting in zip(shares, members, strict=True):
        total = np.zeros(row.shape[1])
        for j in voting:
            total[list(chosen[j])] += np.exp(row[j])
        found.append(int(np.argmax(total)))
    return found


@dataclass(frozen=True)
class Measured:
    """One condition: the accuracy, and its dependence on the right option's place."""

    accuracy: Interval
    bias: PositionBias


def conditions(asked: Sequence[Asked], shares: Floats, chosen: Sequence[Order], seed: int) -> dict[str, Measured]:
    """Fixed order, one random order, and as many of the orders as there are, in the sequence of the orders."""
    n, rng = len(asked), generator(seed, ("single order",))
    sets: dict[str, list[list[int]]] = {"fixed order": [[0]] * n, "one random order": [[int(rng.integers(len(chosen)))] for _ in range(n)]}
    sets |= {f"{m} orders": [list(range(m))] * n for m in (4, 8, 24) if m <= len(chosen)}
    golds = [LETTERS[a.gold] for a in asked]
    found = {}
    for name, members in sets.items():
        answered = [LETTERS[o] for o in votes(shares, chosen, members)]
        right = sum(a == g for a, g in zip(answered, golds, strict=True))
        found[name] = Measured(wilson(right, n), position_bias(answered, golds))
    return found


def mean_single(asked: Sequence[Asked], shares: Floats, chosen: Sequence[Order]) -> float:
    """Accuracy of one order, the mean over all orders."""
    each = [votes(shares, chosen, [[j]] * len(asked)) for j in range(len(chosen))]
    return float(np.mean([[o == a.gold for o, a in zip(row, asked, strict=True)] for row in each]))


def bias_checks(name: str, found: Mapping[str, Measured], single: float, claim: bool = True) -> list[Check]:
    """The card's gates: spread at least 20 points before, halved after; accuracy not below one order's less a point."""
    before, most = found["fixed order"], list(found)[-1]
    after = found[most]
    return [
        Check(
            f"{name}: spread of accuracy by the right option's place, fixed order",
            before.bias.spread,
            "at least .20",
            before.bias.spread >= 0.2,
            claim,
        ),
        Check(
            f"{name}: the same after {most}",
            after.bias.spread,
            "at most half of it (card: .05)",
            after.bias.spread <= before.bias.spread / 2,
            claim,
        ),
        Check(
            f"{name}: accuracy after {most} less the mean of one order",
            f"{after.accuracy.value - single:+.3f}",
            "at least -.01",
            after.accuracy.value >= single - 0.01,
            claim,
        ),
    ]


def bias_table(name: str, found: Mapping[str, Measured], single: float) -> Table:
    """Accuracy by place, condition by condition."""
    rows = []
    for condition, m in found.items():
        places = [None if a is None else a.value for a in m.bias.accuracy]
        rows.append((condition, str(m.accuracy), *places, m.bias.spread, m.bias.recall_std, "/".join(map(str, m.bias.chosen)), m.bias.p))
    columns = ("condition", "accuracy", *(f"right in {x}" for x in LETTERS), "spread", "recall std", "chosen A/B/C/D", "p of chi2")
    return Table(f"{name}: accuracy by the right option's place (mean of one order {single:.3f})", columns, tuple(rows))


def real_letters(batch: int = 8) -> Letters:
    """SmolLM2's letters, from torch in one pass a prompt; a stopped run goes on from its file."""
    from ponder.lm.letters import next_logprobs
    from ponder.lm.transformers import Transformers
    from ponder.pull import fetch

    path = fetch("smollm2")
    engine = Transformers(path.parent, gguf_file=path.name)
    texts = [f" {letter}" for letter in LETTERS]
    return lambda prompts: next_logprobs(engine, prompts, texts, batch)


def hunt(m: int = 8) -> list[Order]:
    """The orders of plain hunt, then all the others: the first 4 and 8 are what Medprompt's variants use."""
    first = orders(4, 8, "plain_hunt")
    return (first + [o for o in orders(4, 1, "all") if o not in first])[:m]
