"""The organism that judges strings of grammars it has just been shown, at once or after writing down rules; and sums, in the same two ways.

Grammars are drawn by the thousand and their letters exchanged at every use, so that nothing about one can be remembered. Strings that
belong are also learnt as text, pair after pair: what a net knows of a grammar without being asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import need
from ponder.tasks.mind_your_step.grammar import LETTERS, Grammar, draw_strings, random_grammar
from ponder.tasks.mind_your_step.pairs import ALPHABET, ASK, CONTEXT, IDS, NO, PAIR_IDS, QUESTION, THINK, YES, Sum, ids, induced, random_sum
from ponder.train.data import Batch, Example, behind, surprise
from ponder.train.data import next_token as loss
from ponder.train.net import Shape, TorchNet, save
from ponder.train.recipes import Made
from ponder.train.trainer import Plan, train

torch: Any = need("torch", "torch")

STEPS, POOL = 3000, 2000
GRAMMARS, DIRECT, THOUGHT = 2, 12, 5
"""Grammars of an update, and questions of each that are answered at once and after rules."""
SUMS, EACH = 1, 16
"""Rows of sums of an update, and sums of a row; every other one is worked out step by step."""
D, LAYERS, HEADS = 96, 3, 4
MATRIX_RATE, OTHER_RATE = 0.01, 1e-2
TEXT = 0.3
"""Weight of a pair of a string or of a rule; an answer's is 1."""
HELD_OUT, FRESH = 99, 200
"""Seed and number of the grammars that a net is measured on."""


def two_modes(asked: Made) -> list[Path]:
    """The recipe."""
    steps = asked.steps or STEPS
    net = fresh_net(asked.seed)
    held = batches(HELD_OUT, FRESH)
    watched = [held(step) for step in range(8)]

    def evaluate(net: TorchNet, step: int) -> dict[str, float]:
        return figures(net, watched)

    data, plan = batches(asked.seed, POOL), Plan(steps, MATRIX_RATE, OTHER_RATE, every=100)
    train(net, data, loss, plan, evaluate=evaluate, checkpoint=asked.folder, quiet=asked.quiet)
    measured = figures(net, [held(step) for step in range(8, 8 + FRESH // GRAMMARS)])
    facts = {"weights": net.count(), "run_steps": steps} | {name: round(share, 4) for name, share in measured.items()}
    about = f"judges strings of grammars that it is shown, at once or after writing down rules, {net.count() / 1e6:.2f}M weights"
    return [save(net, asked.path(f"{asked.name}-{asked.seed}"), facts=facts, command=asked.command, about=about)]


@torch.no_grad()
def figures(net: TorchNet, given: Sequence[Batch]) -> dict[str, float]:
    """Shares of answers that have more than half of the probability, behind the right rules and right steps where there are any."""
    right: dict[str, list[np.ndarray]] = {"accuracy": [], "accuracy_after_rules": [], "sums": [], "sums_worked_out": []}
    for batch in given:
        sure = surprise(net, batch).numpy() < np.log(2)
        assert batch.segments is not None
        segments, learn = batch.segments[:, batch.first :], batch.learn[:, batch.first :]
        ends = (learn > 0) & (segments != np.pad(segments[:, 1:], ((0, 0), (0, 1)), constant_values=-1))
        judges = np.arange(len(segments))[:, None] < GRAMMARS
        thought = np.where(judges, segments >= DIRECT, segments % 2 == 1)
        for name, rows in (("accuracy", judges & ~thought), ("accuracy_after_rules", judges & thought), ("sums", ~judges & ~thought)):
            right[name].append(sure[ends & rows])
        right["sums_worked_out"].append(sure[ends & ~judges & thought])
    return {name: float(np.concatenate(hits).mean()) for name, hits in right.items()}


def fresh_net(seed: int) -> TorchNet:
    """A net at the start."""
    return TorchNet(Shape(D, LAYERS, HEADS, CONTEXT, ALPHABET, "two-modes"), seed)


def batches(seed: int, pool: int) -> Callable[[int], Batch]:
    """Rows of grammars and of sums, a function of the step."""
    rng = np.random.default_rng((seed, 22))
    grammars = [random_grammar(rng) for _ in range(pool)]

    def batch(step: int) -> Batch:
        rng = np.random.default_rng((seed, step))
        rows = [grammar_row(grammars[int(i)], rng) for i in rng.integers(0, pool, GRAMMARS)]
        return behind(rows + [([], sum_examples(rng)) for _ in range(SUMS)], place=QUESTION, weight=TEXT)

    return batch


def grammar_row(grammar: Grammar, rng: np.random.Generator) -> tuple[list[int], list[Example]]:
    """The strings shown of a grammar, and questions about others."""
    exchange = str.maketrans(LETTERS, "".join(rng.permutation(list(LETTERS))))
    drawn = draw_strings(grammar, rng)
    study = [s.translate(exchange) for s in drawn.study]
    about = [(s, YES) for s in drawn.members] + [(s, NO) for s in drawn.others]
    examples: list[Example] = []
    for i, at in enumerate(rng.permutation(len(about))[: DIRECT + THOUGHT]):
        text, answer = about[int(at)]
        first, *rest = ids(text.translate(exchange))
        read = [TEXT if answer == YES else 0.0] * len(rest)
        if i < DIRECT:
            examples.append(([first], [*rest, IDS[ASK], IDS[answer]], [*read, 0.0, 1.0]))
        else:
            rules = [PAIR_IDS[pair] for pair in induced(study, rng)]
            weights = [*read, 0.0, *[TEXT] * (len(rules) + 1), 1.0]
            examples.append(([first], [*rest, IDS[THINK], *rules, IDS[ASK], IDS[answer]], weights))
    return [i for s in study for i in ids(s)], examples


def sum_examples(rng: np.random.Generator) -> list[Example]:
    """Sums, every other one worked out."""
    return [sum_example(random_sum(rng), bool(i % 2)) for i in range(EACH)]


def sum_example(asked: Sum, thought: bool) -> Example:
    """A sum with its answer, behind what is reached on the way if it is thought about."""
    said = "".join(map(str, asked.reached))
    response = [IDS[c] for c in (f"{said[:-1]}{ASK}{said[-1]}" if thought else said[-1])]
    return [IDS[c] for c in asked.text + (THINK if thought else ASK)], response, [1.0] * len(response)
