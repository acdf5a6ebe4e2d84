"""Organisms for first-order logic: one translates sentences, one answers whole problems, at once or after deriving claims.

Both learn from theories whose deepest claim takes at most two rounds, the second from tiny ones first. Words are exchanged for others of
their kind at every use, which nothing about a theory depends on, so a few thousand theories go a long way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import need
from ponder.logic.english import Wording, claim_text, said, sentence, sentences
from ponder.logic.theories import LABELS, Claim, Label, Question, Rule, Sizes, Theory, question
from ponder.organisms import worded
from ponder.organisms.worded import ALPHABET, ANSWERS, PAD
from ponder.train import measure
from ponder.train.data import Batch, Example, behind, next_token, pack, surprise
from ponder.train.net import Shape, TorchNet, save
from ponder.train.recipes import TESTED, Made
from ponder.train.trainer import Plan, train

torch: Any = need("torch", "torch")

SEEN = Wording(rare=0.0)
"""Rare ways of saying things are never met in training."""
DEPTHS = (0, 1, 2)
CONTEXT = 192
TRIED = 180
"""Problems, or sentences, that a run is watched on, and as many others that its accuracy is measured on."""
ANSWER = 2.0
"""Weight of an answer; other tokens that are learnt have 1, and a line break .1."""
_HELD_OUT = 99
_IDS = {c: i for i, c in enumerate(ALPHABET)}
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Stage:
    """A part of a run: up to which share of its steps, how large theories are, how many rows a step has, from how many theories, and how
    many claims of each are answered at once and step by step."""

    until: float
    sizes: Sizes
    rows: int
    pool: int = 2000
    at_once: int = 5
    steps: int = 4


@dataclass(frozen=True)
class LogicRun:
    """How one of the organisms is made."""

    steps: int
    context: int
    stages: tuple[Stage, ...]
    about: str
    rates: tuple[float, float] = (0.02, 4e-3)


RUNS = {
    "logic-formula": LogicRun(
        600, 64, (Stage(1.0, Sizes(), 24, 6000),), "translates one sentence about a small world into first-order logic, 0.21M weights"
    ),
    "logic-answer": LogicRun(
        5000,
        CONTEXT,
        (
            Stage(0.35, Sizes((2, 3), (1, 1), names=2, attributes=4, relations=0), 4, at_once=4, steps=6),
            Stage(0.65, Sizes((2, 5), (1, 3), names=3, attributes=5, relations=1), 4, at_once=4, steps=5),
            Stage(1.0, Sizes(), 6),
        ),
        "says what follows from a small theory, at once or step by step, 0.22M weights",
        (0.01, 1e-2),
    ),
}


@dataclass(frozen=True)
class Told:
    """A theory as it is told, and claims to ask of it.

    Attributes:
        text: the premises as they are read.
        theory: facts and rules in the order of the text.
        known: claims that follow, those of each depth.
        near, open_: claims that neither follow nor fail: those that a rule or a missing fact might have given, and others.
    """

    text: str
    theory: Theory
    known: tuple[tuple[Claim, ...], ...]
    near: tuple[Claim, ...]
    open_: tuple[Claim, ...]


def told(asked: Question, rng: np.random.Generator) -> Told:
    """A question's theory in words, in a random order."""
    *premises, _ = said(asked, SEEN, rng)
    items = [item for _, item in premises]
    theory = Theory(tuple(i for i in items if isinstance(i, Claim)), tuple(i for i in items if isinstance(i, Rule)))
    depths = theory.depths()
    names = tuple(dict.fromkeys(name for f in theory.facts for name in f.args))
    signs = {c.predicate: c for c in (*theory.facts, *(c for r in theory.rules for c in (*r.conditions, r.conclusion)))}
    might = [r.conclusion.about(name) for r in theory.rules for name in names]
    if asked.label == "Uncertain":
        likely = signs.get(asked.claim.predicate, asked.claim).positive
        might += [replace(asked.claim, positive=likely)] * 2
    others = [replace(c, args=args) for c in signs.values() for args in permutations(names, len(c.args))]
    return Told(
        "".join(worded.brief(text) for text, _ in premises),
        theory,
        tuple(tuple(c for c, depth in depths.items() if depth == d) for d in range(max(depths.values()) + 1)),
        tuple(c for c in might if c not in depths),
        tuple(c for c in others if c not in depths),
    )


def questions(n: int, seed: int, sizes: Sizes | None = None) -> list[Question]:
    """n questions of all labels and depths up to 2, or to the number of rules."""
    sizes = sizes or Sizes()
    depths = DEPTHS[: sizes.rules[1] + 1]
    rng = np.random.default_rng((seed, 23))
    return [question(depths[i % len(depths)], LABELS[i // len(depths) % 3], rng, sizes) for i in range(n)]


def chain(theory: Theory, name: str) -> list[Claim]:
    """What is known of somebody: the facts, then again and again what the first rule gives that gives something new."""
    found = dict.fromkeys(f for f in theory.facts if f.args[0] == name)
    while True:
        given = ((r.conclusion.about(name), [c.about(name) for c in r.conditions]) for r in theory.rules)
        new = next((end for end, conditions in given if end not in found and all(c in found for c in conditions)), None)
        if new is None:
            return list(found)
        found[new] = None


def random_claim(t: Told, rng: np.random.Generator) -> tuple[Claim, Label]:
    """A claim of a random label; of those that follow all depths are as frequent as each other."""
    label, pools = LABELS[int(rng.integers(3))], t.known
    if label == "Uncertain" and (t.near or t.open_):
        pools = [pool for pool in (t.near, t.open_) if pool]
    elif label == "Uncertain":
        label = "True"
    pool = pools[int(rng.integers(len(pools)))]
    claim = pool[int(rng.integers(len(pool)))]
    turned = label == "False" or (label == "Uncertain" and rng.random() < 0.5)
    return (claim.opposite if turned else claim), label


def example(t: Told, rng: np.random.Generator, steps: bool) -> tuple[str, str]:
    """A claim as it is asked of a theory, and the answer to it, behind what is known of whom it is about if there are steps."""
    claim, label = random_claim(t, rng)
    response = worded.derived_text(chain(t.theory, claim.args[0]), label) if steps else ANSWERS[label]
    return worded.asked(claim_text(claim), steps), response + "\n"


def row(t: Told, rng: np.random.Generator, stage: Stage) -> tuple[list[int], list[Example]]:
    """A theory and several claims that are asked of it, each by itself, in other words than its own."""
    swap = exchanged(rng)
    examples: list[Example] = []
    for i in range(stage.at_once + stage.steps):
        prompt, response = example(t, rng, i >= stage.at_once)
        weights = [1.0] * (len(response) - 2) + [ANSWER, 0.1]
        examples.append((exchange(prompt, swap), exchange(response, swap), weights))
    return exchange(t.text, swap), examples


def exchanged(rng: np.random.Generator) -> Ints:
    """For every token the one that takes its place: words are exchanged for others of their kind."""
    found = np.arange(len(ALPHABET))
    for kinds in (("NOPQRS",), ("ΓΔΘΛΞΠΣΦΨΩ",), ("ЖИЛЦ", "жилц", "ъыэю")):
        order = rng.permutation(len(kinds[0]))
        for letters in kinds:
            ids = np.array([_IDS[c] for c in letters])
            found[ids] = ids[order]
    return found


def exchange(text: str, swap: Ints) -> list[int]:
    """A text as tokens, with others in their places."""
    return swap[[_IDS[c] for c in text]].tolist()


def formula_pairs(asked: Question, rng: np.random.Generator, n: int) -> list[tuple[list[int], list[int]]]:
    """n sentences of a theory, each with its formula, as tokens."""
    items = [*asked.theory.facts, *asked.theory.rules, asked.claim]
    pairs: list[tuple[list[int], list[int]]] = []
    for i in rng.permutation(len(items))[:n]:
        item, swap = items[int(i)], exchanged(rng)
        prompt, response = worded.sentence_prompt(sentence(item, SEEN, rng)), worded.formula_text(item.formula) + "\n"
        pairs.append((exchange(prompt, swap), exchange(response, swap)))
    return pairs


def formula_batches(run: LogicRun, seed: int, given: list[Question]) -> Callable[[int], Batch]:
    """Sentences with their formulas, the batch of a step."""

    def batch(step: int) -> Batch:
        rng = np.random.default_rng((seed, step))
        chosen = [given[int(i)] for i in rng.integers(0, len(given), run.stages[0].rows)]
        return pack([pair for asked in chosen for pair in formula_pairs(asked, rng, 8)], run.context)

    return batch


def answer_batches(run: LogicRun, seed: int, pools: Sequence[Sequence[Told]]) -> Callable[[int], Batch]:
    """Theories with claims, the batch of a step, from a pool for each of the run's stages."""

    def batch(step: int) -> Batch:
        rng = np.random.default_rng((seed, step))
        at = next((i for i, s in enumerate(run.stages) if step < s.until * run.steps), len(run.stages) - 1)
        chosen = [pools[at][int(i)] for i in rng.integers(0, len(pools[at]), run.stages[at].rows)]
        return behind([row(t, rng, run.stages[at]) for t in chosen], filling=PAD)

    return batch


def batches(run: LogicRun, translates: bool, seed: int, n: int | None = None) -> Callable[[int], Batch]:
    """The batch of a step of a run, from n theories, or as many as its stages say."""
    pools = [questions(n or stage.pool, seed, stage.sizes) for stage in run.stages]
    if translates:
        return formula_batches(run, seed, pools[0])
    rng = np.random.default_rng((seed, 2310))
    return answer_batches(run, seed, [[told(asked, rng) for asked in pool] for pool in pools])


def organism(asked: Made) -> list[Path]:
    """One of `RUNS`, with the accuracy that it has on new problems of depths up to 2."""
    run, translates = RUNS[asked.name], asked.name == "logic-formula"
    run = replace(run, steps=asked.steps or run.steps)
    net = TorchNet(Shape(64, 4, 4, run.context, ALPHABET, "worded"), asked.seed)
    if not translates:
        net.sines()
    data = batches(run, translates, asked.seed)
    held_out = batches(run, translates, _HELD_OUT, TRIED)
    watched = [held_out(step) for step in range(run.steps, run.steps + (1 if translates else 6))]

    @torch.no_grad()
    def evaluate(net: TorchNet, step: int) -> dict[str, float]:
        found = {"loss": float(np.mean([float(next_token(net, batch)) for batch in watched]))}
        return found if translates else found | answers_right(net, watched, run.stages[-1].at_once)

    plan = Plan(run.steps, *run.rates, every=50 if translates else 200)
    train(net, data, next_token, plan, evaluate=evaluate, checkpoint=asked.folder, quiet=asked.quiet)
    facts = {"weights": net.count(), "trained_to_depth": DEPTHS[-1]} | figures(asked.name, measure.forward(net), TRIED, TESTED)
    return [save(net, asked.path(asked.name), facts=facts, command=asked.command, about=run.about)]


@torch.no_grad()
def answers_right(net: TorchNet, given: Sequence[Batch], at_once: int) -> dict[str, float]:
    """Shares of answers that have more than half of the probability: at once, and behind the right steps."""
    right: dict[str, list[Any]] = {"at_once": [], "behind_steps": []}
    for batch in given:
        sure, answers = surprise(net, batch).numpy() < np.log(2), batch.learn[:, batch.first :] == ANSWER
        assert batch.segments is not None
        first = batch.segments[:, batch.first :] < at_once
        right["at_once"].append(sure[answers & first])
        right["behind_steps"].append(sure[answers & ~first])
    return {name: float(np.concatenate(hits).mean()) for name, hits in right.items()}


def figures(name: str, net: Any, n: int, seed: int) -> dict[str, Any]:
    """Accuracy of greedy answers to n new problems of depths up to 2, or to n sentences of them, in common wordings."""
    rng, found = np.random.default_rng(seed), questions(n, seed)
    if name == "logic-formula":
        pairs = [pair for asked in found for pair in formula_pairs(asked, rng, 1)]
        wrong = sum(greedy(net, p, len(r)) != r for p, r in pairs)
        return {"accuracy": round(1 - wrong / n, 4), "sentences": n}
    facts: dict[str, Any] = {"problems": n}
    for figure, steps in (("accuracy", False), ("accuracy_step_by_step", True)):
        prompts = [worded.problem_prompt(*sentences(asked, SEEN, rng), steps=steps) for asked in found]
        written = [greedy(net, [_IDS[c] for c in p], CONTEXT - len(p)) for p in prompts]
        answers = ["".join(ALPHABET[t] for t in tokens).partition("\n")[0][-1:] for tokens in written]
        right = sum(a == ANSWERS[asked.label] for a, asked in zip(answers, found, strict=True))
        facts[figure] = round(right / n, 4)
    return facts


def greedy(net: Any, prompt: list[int], most: int) -> list[int]:
    """The most probable tokens behind a prompt, up to the line break or so many."""
    cache, end, written = net.cache(1), _IDS["\n"], list[int]()
    read = np.array([prompt])
    while len(written) < most and (not written or written[-1] != end):
        written.append(int(net.logits(net.feed(cache, read))[0, 0].argmax()))
        read = np.array([[written[-1]]])
    return written
