"""The organism that follows procedures: a decoder that learns eight of ProcBench's, in runs of up to 8 steps, state by state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ponder.core.errors import need
from ponder.tasks.procbench.base import Procedure
from ponder.tasks.procbench.compact import ALPHABET, COLUMNS, LINES, NUMBERS, draw, prompt, prompt_places, response, response_places
from ponder.train.data import Batch, next_token, surprise
from ponder.train.net import Shape, TorchNet, save
from ponder.train.recipes import Made
from ponder.train.trainer import Plan, train

torch = need("torch", "torch")

STEPS, EXAMPLES, ROW, DEEPEST = 1400, 48, 144, 8
"""Updates, examples an update, tokens of a row, and the most steps of a run that is learnt from."""
HELD_OUT = 99
_IDS = {c: i for i, c in enumerate(ALPHABET)}


def follower(asked: Made) -> list[Path]:
    """The recipe."""
    steps = asked.steps or STEPS
    net = fresh_net(asked.seed)
    held = packed(instances(np.random.default_rng(HELD_OUT), 240))

    @torch.no_grad()
    def evaluate(net: TorchNet, step: int) -> dict[str, float]:
        losses = surprise(net, held).numpy()
        sure = losses < np.log(2)
        assert held.segments is not None
        segments = held.segments[:, 1:]
        whole = [sure[row][segments[row] == i].all() for row in range(len(held)) for i in range(segments[row].max() + 1)]
        return {"loss": float(losses.sum() / held.learn.sum()), "whole": float(np.mean(whole))}

    plan = Plan(steps, every=100)
    records = train(net, batches(asked.seed), next_token, plan, evaluate=evaluate, checkpoint=asked.folder, quiet=asked.quiet)
    facts = {"weights": net.count(), "run_steps": steps} | {f"held_out_{k}": round(v, 4) for k, v in records[-1].figures.items()}
    about = f"follows eight of ProcBench's procedures, learnt in runs of 2 to {DEEPEST} steps, {net.count() / 1e6:.2f}M weights"
    return [save(net, asked.path(f"{asked.name}-{asked.seed}"), facts=facts, command=asked.command, about=about)]


def fresh_net(seed: int) -> TorchNet:
    """A net at the start. Places are embedded as sines of their line and of their column; they are learnt like all weights."""
    net = TorchNet(Shape(96, 3, 6, COLUMNS * LINES, ALPHABET, "procedures"), seed)
    line, column = np.divmod(np.arange(COLUMNS * LINES), COLUMNS)
    rates = np.exp(-np.log(40.0) * np.arange(24) / 24)
    angles = np.concatenate([x[:, None] * rates for x in (line, column)], axis=1)
    with torch.no_grad():
        net.position.copy_(torch.from_numpy(0.7 * np.concatenate([np.sin(angles), np.cos(angles)], axis=1)))
    return net


def instances(rng: np.random.Generator, n: int) -> list[Procedure]:
    """n compact instances, procedures and lengths uniform."""
    return [draw(NUMBERS[rng.integers(len(NUMBERS))], int(rng.integers(2, DEEPEST + 1)), rng) for _ in range(n)]


def batches(seed: int) -> Callable[[int], Batch]:
    """Fresh instances, a function of the step."""
    return lambda step: packed(instances(np.random.default_rng((seed, step)), EXAMPLES))


def packed(procedures: Sequence[Procedure]) -> Batch:
    """Instances with their responses, several to a row; a token attends within its own instance. Places are those of the page."""
    rows: list[list[Procedure]] = []
    left = 0
    for procedure in procedures:
        size = len(prompt(procedure)) + len(response(procedure))
        if size > left:
            rows.append([])
            left = ROW
        rows[-1].append(procedure)
        left -= size
    shape = (len(rows), ROW)
    tokens, places, segments = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    learn = np.zeros(shape, np.float32)
    for row, members in enumerate(rows):
        at = 0
        for segment, procedure in enumerate(members):
            asked, said = prompt(procedure), response(procedure)
            end = at + len(asked) + len(said)
            tokens[row, at:end] = [_IDS[c] for c in asked + said]
            places[row, at:end] = prompt_places(procedure) + response_places(said)
            segments[row, at:end] = segment
            learn[row, at + len(asked) : end] = 1
            at = end
    return Batch(tokens, learn, places, segments)
