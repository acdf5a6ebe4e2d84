"""The model organism of ununlearning: a small transformer that knows a closed world and reads definitions in its context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import need
from ponder.core.seeds import derive, generator
from ponder.train.data import Batch, next_token
from ponder.train.net import Shape, TorchNet
from ponder.train.trainer import Plan, train
from ponder.trust.unlearning import ConceptWorld, Questions
from ponder.trust.unlearning.world import SPECIAL

ROWS = 64
"""Training rows a step: half hold a definition and a question, half two questions without one."""
YES, NO = SPECIAL.index("Y"), SPECIAL.index("N")


def net_of(world: ConceptWorld, seed: int, d: int) -> TorchNet:
    """An untrained net; tokens are characters of a private area, since a net's alphabet is of characters."""
    alphabet = "".join(chr(0xE000 + i) for i in range(len(world.words)))
    return TorchNet(Shape(d=d, layers=3, heads=4, context=12, alphabet=alphabet, grammar="concepts"), seed=derive(seed, ["net"]))


def rows_of(plain: Questions, defined: Questions) -> Batch:
    """Questions as training rows: those without a definition two a row, those with one a row each; only the answer is learnt."""
    pairs, width = len(plain) // 2, defined.tokens.shape[1] + 1
    short = _answered(plain).reshape(pairs, -1)
    per = short.shape[1] // 2
    tokens = np.zeros((pairs + len(defined), width), dtype=np.int64)
    tokens[:pairs, : 2 * per], tokens[pairs:] = short, _answered(defined)
    learn = np.zeros(tokens.shape, dtype=np.float32)
    learn[:pairs, [per - 1, 2 * per - 1]] = 1
    learn[pairs:, -1] = 1
    positions, segments = np.tile(np.arange(width), (len(tokens), 1)), np.zeros(tokens.shape, dtype=np.int64)
    positions[:pairs, per : 2 * per] -= per
    segments[:pairs, per : 2 * per] = 1
    segments[:pairs, 2 * per :] = -1
    return Batch(tokens, learn, positions, segments)


def _answered(questions: Questions) -> NDArray[np.int64]:
    return np.column_stack([questions.tokens, np.where(questions.answers, YES, NO)])


def trained(
    world: ConceptWorld, seed: int, steps: int, forget: NDArray[np.int64] | None = None, axioms: bool = False, d: int = 128
) -> TorchNet:
    """A net that has seen everything but what is to be forgotten: exact unlearning is never having learnt."""
    need("torch", "torch").set_num_threads(1)  # the net is so small that a second thread costs more than it brings
    net = net_of(world, seed, d)

    def batch(step: int) -> Batch:
        plain, defined = world.draw(ROWS, generator(seed, ["rows", step]), forget, axioms)
        return rows_of(plain, defined.where(np.arange(ROWS) < ROWS // 2))

    train(net, batch, next_token, Plan(steps, every=steps), quiet=True)
    return net


def yes_of(net: TorchNet) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Prompts -> probability of Y against N."""
    torch: Any = need("torch", "torch")

    def answer(tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        with torch.no_grad():
            logits = net.logits(net(torch.from_numpy(tokens), first=tokens.shape[1] - 1))[:, 0]
            return torch.sigmoid(logits[:, YES] - logits[:, NO]).double().numpy()

    return answer


def unlearned(net: TorchNet, world: ConceptWorld, forget: NDArray[np.int64], seed: int, method: str, steps: int = 200) -> TorchNet:
    """A copy that was made to forget by training: inexact unlearning.

    Args:
        method: "gradient_ascent" raises the loss on the forgotten concepts' answers, up to a loss of 3, and keeps to the old net's
            predictions on what stays (KL divergence); "relabel" learns random answers to the forgotten questions instead.
    """
    torch: Any = need("torch", "torch")
    copy = net_of(world, seed, net.shape.d).take(net.tensors())
    asked = world.direct(forget)

    def batch(step: int) -> tuple[Batch, Batch]:
        rng = generator(seed, [method, step])
        chosen = asked.where(np.isin(np.arange(len(asked)), rng.choice(len(asked), min(48, len(asked)) // 2 * 2, replace=False)))
        answers = rng.random(len(chosen)) < 0.5 if method == "relabel" else chosen.answers
        plain, defined = world.draw(ROWS, rng, forget)
        nothing = defined.where(np.zeros(ROWS, dtype=bool))
        return rows_of(Questions(chosen.tokens, answers), nothing), rows_of(plain, defined.where(np.arange(ROWS) < ROWS // 2))

    def loss(model: TorchNet, batches: tuple[Batch, Batch]) -> Any:
        gone, kept = batches
        away = next_token(model, gone)
        removal = away if method == "relabel" else -away.clamp(max=3.0)
        return removal + _divergence(torch, net, model, kept)

    train(copy, batch, loss, Plan(steps, matrix_rate=0.002, other_rate=4e-4, every=steps), quiet=True)
    return copy


def _divergence(torch: Any, old: TorchNet, new: TorchNet, batch: Batch) -> Any:
    """Mean KL divergence of the new net's answers from the old net's."""
    tokens, positions, segments = (torch.from_numpy(x)[:, :-1] for x in (batch.tokens, batch.positions, batch.segments))
    weight = torch.from_numpy(batch.learn)[:, 1:]
    with torch.no_grad():
        target = torch.log_softmax(old.logits(old(tokens, positions=positions, segments=segments)), -1)
    told = torch.log_softmax(new.logits(new(tokens, positions=positions, segments=segments)), -1)
    return ((target.exp() * (target - told)).sum(-1) * weight).sum() / weight.sum()
