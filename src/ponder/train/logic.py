"""Organisms for first-order logic: one translates sentences, one answers whole problems, at once or after deriving claims.

Both learn from theories whose deepest claim takes at most two rounds, the second from small ones first. Words are exchanged for others of
their kind at every use, which nothing about a theory depends on, so a few thousand theories go a long way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import need
from ponder.logic.english import Wording, claim_text, sentence, sentences
from ponder.logic.theories import LABELS, Claim, Label, Question, Sizes, question
from ponder.organisms import worded
from ponder.organisms.worded import ALPHABET, ANSWERS, PAD
from ponder.train import measure
from ponder.train.data import Batch, next_token, pack
from ponder.train.net import Shape, TorchNet, save
from ponder.train.recipes import TESTED, Made
from ponder.train.trainer import Plan, train

torch: Any = need("torch", "torch")

SEEN = Wording(rare=0.0)
"""Rare ways of saying things are never met in training."""
DEPTHS = (0, 1, 2)
CONTEXT = 256
CLAIMS = 6
"""Claims that a row asks of one theory, where the answer is all that is learnt."""
TRIED = 180
"""Problems, or sentences, that a run is watched on, and as many others that its accuracy is measured on."""
_HELD_OUT = 99
_IDS = {c: i for i, c in enumerate(ALPHABET)}
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Stage:
    """A part of a run: up to which share of its steps, how large theories are, how many rows a step has, from how many theories."""

    until: float
    sizes: Sizes
    rows: int
    pool: int = 2000


@dataclass(frozen=True)
class LogicRun:
    """How one of the organisms is made."""

    steps: int
    context: int
    stages: tuple[Stage, ...]
    about: str


RUNS = {
    "logic-formula": LogicRun(
        600, 64, (Stage(1.0, Sizes(), 24, 6000),), "translates one sentence about a small world into first-order logic, 0.21M weights"
    ),
    "logic-answer": LogicRun(
        1300,
        CONTEXT,
        (
            Stage(0.46, Sizes((2, 4), (1, 2), names=3, attributes=4, relations=1), 32),
            Stage(0.77, Sizes((3, 7), (2, 4), names=4, attributes=6, relations=1), 24),
            Stage(1.0, Sizes(), 16),
        ),
        "says what follows from a small theory, at once or step by step, 0.22M weights",
    ),
}


@dataclass(frozen=True)
class Source:
    """A question with what rows are made of: claims that follow, those that took a rule first, and claims that neither follow nor fail."""

    asked: Question
    derived: tuple[Claim, ...]
    known: tuple[Claim, ...]
    open_: tuple[Claim, ...]


def source(asked: Question) -> Source:
    """The claims of a question's theory. Open ones are conclusions that a rule might have had."""
    depths = asked.theory.depths()
    names = dict.fromkeys(n for f in asked.theory.facts for n in f.args)
    might = dict.fromkeys(r.conclusion.about(n) for r in asked.theory.rules for n in names)
    missing = tuple(c for c in might if c not in depths)
    derived = tuple(c for c, depth in depths.items() if depth)
    return Source(asked, derived, tuple(depths), missing)


def sources(n: int, seed: int, sizes: Sizes | None = None) -> list[Source]:
    """n questions of all labels and depths up to 2, or to the number of rules."""
    sizes = sizes or Sizes()
    depths = DEPTHS[: sizes.rules[1] + 1]
    rng = np.random.default_rng((seed, 23))
    return [source(question(depths[i % len(depths)], LABELS[i // len(depths) % 3], rng, sizes)) for i in range(n)]


def label_row(s: Source, rng: np.random.Generator) -> tuple[str, list[tuple[int, float]]]:
    """A theory with several claims asked of it one after the other, each with its answer; and (place, weight) of what is learnt."""
    premises, claim = sentences(s.asked, SEEN, rng)
    text, learnt = "".join(map(worded.lettered, premises)), list[tuple[int, float]]()
    asked: list[tuple[str, Label]] = [(claim, s.asked.label)]
    asked += [_another(s, rng) for _ in range(CLAIMS - 1)]
    for words, label in asked:
        text += worded.asked(words) + ANSWERS[label] + "\n"
        learnt += [(len(text) - 2, 1.0), (len(text) - 1, 0.1)]
    return text, learnt


def _another(s: Source, rng: np.random.Generator) -> tuple[str, Label]:
    """A claim of a random label, in words; of those that follow, half took a rule."""
    label = LABELS[int(rng.integers(3))]
    pool = s.open_ if label == "Uncertain" else s.derived if rng.random() < 0.5 else s.known
    if not pool:
        pool, label = s.known, "True"
    claim = pool[int(rng.integers(len(pool)))]
    turned = label == "False" or (label == "Uncertain" and rng.random() < 0.5)
    return claim_text(claim.opposite if turned else claim), label


def steps_row(s: Source, rng: np.random.Generator) -> tuple[str, list[tuple[int, float]]]:
    """A problem with all claims that are derived, round by round, and the answer, which counts for as much as four claims' tokens."""
    prompt = worded.problem_prompt(*sentences(s.asked, SEEN, rng), steps=True)
    text = prompt + worded.derived_text(s.derived, s.asked.label) + "\n"
    return text, [(i, 4.0 if i == len(text) - 2 else 1.0) for i in range(len(prompt), len(text))]


def exchanged(rng: np.random.Generator) -> Ints:
    """For every token the one that takes its place: words are exchanged for others of their kind."""
    found = np.arange(len(ALPHABET))
    for kinds in (("NOPQRS",), ("ΓΔΘΛΞΠΣΦΨΩ",), ("ЖИЛЦ", "жилц", "ъыэю")):
        order = rng.permutation(len(kinds[0]))
        for letters in kinds:
            ids = np.array([_IDS[c] for c in letters])
            found[ids] = ids[order]
    return found


def batch_of(rows: list[tuple[str, list[tuple[int, float]]]], rng: np.random.Generator, context: int) -> Batch:
    """Rows of text as a batch; each begins at a random place of the context, so that all places are learnt."""
    length = max(len(text) for text, _ in rows)
    tokens, learn = np.full((len(rows), length), PAD), np.zeros((len(rows), length), np.float32)
    for i, (text, learnt) in enumerate(rows):
        tokens[i, : len(text)] = exchanged(rng)[[_IDS[c] for c in text]]
        for place, weight in learnt:
            learn[i, place] = weight
    offsets = rng.integers(0, context - length + 1, (len(rows), 1))
    first = max(1, int(learn.any(0).argmax()))
    return Batch(tokens, learn, positions=offsets + np.arange(length), first=first)


def formula_pairs(s: Source, rng: np.random.Generator, n: int) -> list[tuple[list[int], list[int]]]:
    """n sentences of a theory, each with its formula, as tokens."""
    said = [*s.asked.theory.facts, *s.asked.theory.rules, s.asked.claim]
    pairs: list[tuple[list[int], list[int]]] = []
    for i in rng.permutation(len(said))[:n]:
        item, swap = said[int(i)], exchanged(rng)
        texts = worded.sentence_prompt(sentence(item, SEEN, rng)), worded.formula_text(item.formula) + "\n"
        prompt, response = (swap[[_IDS[c] for c in text]].tolist() for text in texts)
        pairs.append((prompt, response))
    return pairs


def batches(name: str, pools: list[list[Source]], seed: int) -> Callable[[int], Batch]:
    """The batch of a step, for one of the runs, from a pool for each of its stages. Every other row of answers has steps."""
    run = RUNS[name]

    def batch(step: int) -> Batch:
        rng = np.random.default_rng((seed, step))
        stage = next((i for i, s in enumerate(run.stages) if step < s.until * run.steps), len(run.stages) - 1)
        pool = pools[stage]
        chosen = [pool[int(i)] for i in rng.integers(0, len(pool), run.stages[stage].rows)]
        if name == "logic-formula":
            return pack([pair for s in chosen for pair in formula_pairs(s, rng, 8)], run.context)
        rows = [(steps_row if i % 2 else label_row)(s, rng) for i, s in enumerate(chosen)]
        return batch_of([row for row in rows if len(row[0]) <= run.context], rng, run.context)

    return batch


def organism(asked: Made) -> list[Path]:
    """One of `RUNS`, with the accuracy that it has on new problems of depths up to 2."""
    run = RUNS[asked.name]
    net = TorchNet(Shape(64, 4, 4, run.context, ALPHABET, "worded"), asked.seed)
    data = batches(asked.name, [sources(stage.pool, asked.seed, stage.sizes) for stage in run.stages], asked.seed)
    held_out = batches(asked.name, [sources(TRIED, _HELD_OUT)] * len(run.stages), _HELD_OUT)(run.steps)

    @torch.no_grad()
    def evaluate(net: TorchNet, step: int) -> dict[str, float]:
        return {"loss": float(next_token(net, held_out))}

    plan = Plan(asked.steps or run.steps, every=50)
    train(net, data, next_token, plan, evaluate=evaluate, checkpoint=asked.folder, quiet=asked.quiet)
    facts = {"weights": net.count(), "trained_to_depth": DEPTHS[-1]} | figures(asked.name, measure.forward(net), TRIED, TESTED)
    return [save(net, asked.path(asked.name), facts=facts, command=asked.command, about=run.about)]


def figures(name: str, net: Any, n: int, seed: int) -> dict[str, Any]:
    """Accuracy of greedy answers to n new problems of depths up to 2, or to n sentences of them, in common wordings."""
    rng, found = np.random.default_rng(seed), sources(n, seed)
    if name == "logic-formula":
        pairs = [pair for s in found for pair in formula_pairs(s, rng, 1)]
        asked, right = [p for p, _ in pairs], [r for _, r in pairs]
        wrong = sum(greedy(net, p, len(r)) != r for p, r in zip(asked, right, strict=True))
        return {"accuracy": round(1 - wrong / n, 4), "sentences": n}
    facts: dict[str, Any] = {"problems": n}
    for figure, steps in (("accuracy", False), ("accuracy_step_by_step", True)):
        prompts = [worded.problem_prompt(*sentences(s.asked, SEEN, rng), steps=steps) for s in found]
        written = [greedy(net, [_IDS[c] for c in p], CONTEXT - len(p)) for p in prompts]
        answers = ["".join(ALPHABET[t] for t in tokens).partition("\n")[0][-1:] for tokens in written]
        right = sum(a == ANSWERS[s.asked.label] for a, s in zip(answers, found, strict=True))
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
