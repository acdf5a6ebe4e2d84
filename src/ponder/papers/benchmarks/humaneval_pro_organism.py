"""A small model that writes list programs: a base function from its description, and a second function that builds on it.

A base function is a chain of two or three of twelve primitives, described by words in the order of the chain or backwards. The second
function lifts it (over lists, or by repetition) and applies one or two more primitives. The model learns both kinds of items for 70% of
the base functions and is tested on the others: it writes programs, which are run on random lists by an interpreter of this language.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from typing import Any

import numpy as np

from ponder.bench.stats import wilson
from ponder.core.errors import need
from ponder.papers.report import Check, Table

List = list[int]
PRIMITIVES: dict[str, Callable[[List], List]] = {
    "r": lambda x: x[::-1],
    "s": sorted,
    "u": lambda x: list(dict.fromkeys(x)),
    "t": lambda x: x[1:],
    "h": lambda x: x[:-1],
    "i": lambda x: [(v + 1) % 10 for v in x],
    "d": lambda x: [2 * v % 10 for v in x],
    "c": lambda x: [9 - v for v in x],
    "p": lambda x: [v % 10 for v in accumulate(x)],
    "e": lambda x: [v for v in x if v % 2 == 0],
    "o": lambda x: [v for v in x if v % 2],
    "b": lambda x: [v for v in x if v > 4],
}
LIFTS = "*^v23"
"""Concatenate the results for all lists; the longest result; the shortest; the base function twice, three times, on the first list."""
SYNONYMS = 3
_WORDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚ"
NAMES = "".join(PRIMITIVES) + LIFTS
WORDS = {name: _WORDS[i * SYNONYMS : (i + 1) * SYNONYMS] for i, name in enumerate(NAMES)}
ALPHABET = "_\n<>|?=;fg" + NAMES + _WORDS[: SYNONYMS * len(NAMES)]
PROMPT, RESPONSE = 10, 13
CHAINS = [*map("".join, product(PRIMITIVES, repeat=2)), *map("".join, product(PRIMITIVES, repeat=3))]
TARGET = 0.85
_INPUTS = 12


@dataclass(frozen=True)
class Problem:
    """A base chain, and for the second function a lift and the chain behind it ("" and "" for a base item)."""

    base: str
    lift: str = ""
    after: str = ""

    def prompt(self, rng: np.random.Generator) -> str:
        """Its description, in synonyms and in an order drawn at random."""
        text = _described(self.base, rng).ljust(4, "_")
        return (text + ("|" + _described(self.lift + self.after, rng) if self.lift else "")).ljust(PROMPT - 1, "_") + "?"

    @property
    def response(self) -> str:
        return f"f={self.base};" + (f"g={self.lift}f{self.after}" if self.lift else "") + "\n"


def _described(names: str, rng: np.random.Generator) -> str:
    words = [WORDS[name][int(rng.integers(SYNONYMS))] for name in names]
    return "<" + "".join(words[::-1]) if rng.random() < 0.5 else ">" + "".join(words)


def draw(chains: Sequence[str], n: int, rng: np.random.Generator, second: bool) -> list[Problem]:
    """n random items on some base chains."""
    names = list(PRIMITIVES)
    found: list[Problem] = []
    for i in rng.integers(0, len(chains), n):
        after = "".join(rng.choice(names, int(rng.integers(1, 3)))) if second else ""
        found.append(Problem(chains[int(i)], LIFTS[int(rng.integers(len(LIFTS)))] if second else "", after))
    return found


def run(chain: str, value: List) -> List:
    """A chain of primitives, applied from left to right."""
    for name in chain:
        value = PRIMITIVES[name](value)
    return value


def lifted(lift: str, base: str, after: str, lists: Sequence[List]) -> List:
    """The second function."""
    if lift in "23":
        value = lists[0]
        for _ in range(int(lift)):
            value = run(base, value)
    else:
        results = [run(base, x) for x in lists]
        value = [v for x in results for v in x] if lift == "*" else max(results, key=len) if lift == "^" else min(results, key=len)
    return run(after, value)


def judged(problem: Problem, text: str, inputs: Sequence[Sequence[List]]) -> tuple[bool, bool]:
    """Whether the program that a text is gives what the base function gives, and what the second one gives, on all inputs."""
    first, _, rest = text.partition("\n")[0].partition(";")
    base, second = first.removeprefix("f="), rest.removeprefix("g=")
    known = set(PRIMITIVES)
    right = first.startswith("f=") and set(base) <= known and all(run(base, x) == run(problem.base, x) for lists in inputs for x in lists)
    if not problem.lift:
        return right, right
    form = rest.startswith("g=") and second[:1] in LIFTS and second[1:2] == "f" and set(second[2:]) <= known and set(base) <= known
    if not form or not second:
        return right, False
    want = [lifted(problem.lift, problem.base, problem.after, lists) for lists in inputs]
    return right, [lifted(second[0], base, second[2:], lists) for lists in inputs] == want


@dataclass(frozen=True)
class Stage:
    """Shares at one point of the training, on base functions that were never trained on: pass@1 of base items, of second items, and of
    second items among those whose base function is right in the same program."""

    step: int
    base: int
    second: int
    second_given_base: tuple[int, int]
    tested: int


def trained(seed: int, steps: int, tested: int = 400, every: int = 25, whole: bool = True) -> list[Stage]:
    """Train one model, to the end or until base items pass by `TARGET`; what it writes for held-out base functions at every evaluation, one
    sample each at temperature 1."""
    torch, net_, data, trainer = (need(m, "torch") for m in ("torch", "ponder.train.net", "ponder.train.data", "ponder.train.trainer"))
    torch.set_num_threads(1)
    order = np.random.default_rng((seed, 46)).permutation(len(CHAINS))
    chains = [CHAINS[i] for i in order]
    known, unknown = chains[: int(0.7 * len(chains))], chains[int(0.7 * len(chains)) :]
    net = net_.TorchNet(net_.Shape(64, 2, 4, PROMPT + RESPONSE, ALPHABET, "list programs"), seed)
    stages: list[Stage] = []

    def batch(step: int) -> Any:
        rng = np.random.default_rng((seed, step))
        items = [*draw(known, 64, rng, False), *draw(known, 64, rng, True)]
        return data.fixed(np.array([encoded(p.prompt(rng) + p.response, PROMPT + RESPONSE) for p in items]), PROMPT)

    def evaluate(net: Any, step: int) -> dict[str, float]:
        stages.append(tested_on(net, unknown, tested, step, seed))
        return {"base": stages[-1].base / tested}

    def reached(record: Any) -> bool:
        return not whole and record.figures["base"] >= TARGET

    trainer.train(net, batch, data.next_token, trainer.Plan(steps, every=every), evaluate=evaluate, until=reached, quiet=True)
    return stages


def encoded(text: str, width: int) -> list[int]:
    """A text as tokens, filled up."""
    return [ALPHABET.index(c) for c in text.ljust(width, "_")]


def tested_on(net: Any, chains: Sequence[str], n: int, step: int, seed: int) -> Stage:
    """n base items and n second items of some base functions."""
    measure = need("ponder.train.measure", "torch")
    rng = np.random.default_rng((seed, 77))
    counts: list[tuple[bool, bool]] = []
    runner = measure.forward(net)
    for second in (False, True):
        items = draw(chains, n, rng, second)
        prompts = np.array([encoded(p.prompt(rng), PROMPT) for p in items])
        written = measure.draw(runner, prompts, 1, RESPONSE, rng)[:, 0]
        texts = ["".join(ALPHABET[i] for i in row) for row in written]
        inputs = [[[int(v) for v in rng.integers(0, 10, int(rng.integers(3, 8)))] for _ in range(3)] for _ in range(_INPUTS)]
        counts += [judged(p, t, inputs) for p, t in zip(items, texts, strict=True)]
    based = [second for base, second in counts[n:] if base]
    return Stage(step, sum(b for b, _ in counts[:n]), sum(s for _, s in counts[n:]), (sum(based), len(based)), n)


def organism_part(seeds: Sequence[int], steps: int, whole: bool = True) -> tuple[list[Check], Table]:
    """The card's gates, at the first evaluation at which base items pass by `TARGET` (the last one if they never do).

    Args:
        seeds: of the models that are trained.
        steps: updates at most.
        whole: train on after that evaluation, to show how the gap closes.
    """
    runs = {seed: trained(seed, steps, whole=whole) for seed in seeds}
    chosen = {seed: next((s for s in run if s.base / s.tested >= TARGET), run[-1]) for seed, run in runs.items()}
    drops = [(s.base - s.second) / s.tested for s in chosen.values()]
    given = [wilson(*s.second_given_base) if s.second_given_base[1] else None for s in chosen.values()]
    shown = " ".join(f"{d:+.3f}" for d in drops)
    checks = [
        Check(f"list programs, {len(seeds)} seeds: base pass@1 less second pass@1", shown, "at least .05 in one", max(drops) >= 0.05),
        Check(
            "list programs: second right given base right",
            "; ".join(str(g) for g in given),
            "below 1",
            all(g is not None and g.high < 1 for g in given),
        ),
    ]
    rows = [
        (seed, s.step, str(wilson(s.base, s.tested)), str(wilson(s.second, s.tested)), "chosen" if s is chosen[seed] else "")
        for seed, run in runs.items()
        for s in run
    ]
    return checks, Table(
        "List programs for held-out base functions, one sample each at T=1", ("seed", "step", "base", "second", ""), tuple(rows)
    )
