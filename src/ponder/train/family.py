"""The organism that counts brothers and sisters: trained on every relation but one composition, the one that AIW asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ponder.organisms import family
from ponder.organisms.counting import held_out, right, seen
from ponder.train.data import Batch, fixed, next_token
from ponder.train.measure import forward
from ponder.train.net import Shape, TorchNet, save
from ponder.train.recipes import TESTED, Made
from ponder.train.trainer import Plan, train

STEPS, ROWS = 800, 256
D, LAYERS, HEADS = 96, 3, 4


def trained(seed: int, steps: int = STEPS, *, checkpoint: Path | None = None, quiet: bool = False) -> TorchNet:
    """A net trained on fresh questions of the seen relations.

    Args:
        seed: of the weights and the questions.
        steps: updates of `ROWS` questions each.
        checkpoint: a folder from which a killed run goes on.
        quiet: no progress bar.
    """
    net = TorchNet(Shape(D, LAYERS, HEADS, family.LENGTH, family.ALPHABET, "family"), seed)

    def batches(step: int) -> Batch:
        return fixed(family.encode(seen(ROWS, np.random.default_rng((seed, step)))), family.PROMPT)

    def evaluate(net: TorchNet, step: int) -> Mapping[str, float]:
        rng = np.random.default_rng(TESTED + 1)
        numpy_net = forward(net)
        return {"seen": float(right(numpy_net, seen(1000, rng)).mean()), "held_out": float(right(numpy_net, held_out(1000, rng)).mean())}

    train(net, batches, next_token, Plan(steps, every=100), evaluate=evaluate, checkpoint=checkpoint, quiet=quiet)
    return net


def counter(asked: Made) -> list[Path]:
    """The recipe of `family`."""
    net = trained(asked.seed, asked.steps or STEPS, checkpoint=asked.folder / "state", quiet=asked.quiet)
    made, rng = forward(net), np.random.default_rng(TESTED)
    facts = {
        "accuracy_seen": round(float(right(made, seen(2000, rng)).mean()), 4),
        "accuracy_held_out": round(float(right(made, held_out(2000, rng)).mean()), 4),
        "questions": 2000,
        "weights": net.count(),
        "step": asked.steps or STEPS,
    }
    about = f"counts brothers and sisters, never asked for the sisters of a woman's brother, {net.count() / 1e6:.2f}M weights"
    return [save(net, asked.path(asked.name), facts=facts, command=asked.command, about=about)]
