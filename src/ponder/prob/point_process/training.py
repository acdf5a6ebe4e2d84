"""Fitting a neural point process by maximum likelihood. Needs the extra `torch`."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError, need
from ponder.core.seeds import generator
from ponder.prob.point_process.events import EventBatch
from ponder.prob.point_process.neural import MarkedTPP


@dataclass(frozen=True)
class History:
    """Mean loss a sequence in nats, after each pass over the training data.

    Attributes:
        train: during the pass.
        validation: after it; the model keeps the weights of the smallest.
    """

    train: tuple[float, ...]
    validation: tuple[float, ...]


def fit(
    model: MarkedTPP,
    train: EventBatch,
    validation: EventBatch,
    epochs: int = 60,
    patience: int = 8,
    batch: int = 64,
    rate: float = 1e-3,
    decay: float = 1e-5,
    seed: int = 0,
) -> History:
    """Train in place by Adam, stop when the validation loss has not improved for `patience` passes, keep the best weights.

    Args:
        model: its log waits are standardised by those of `train`.
        train, validation: sequences; some of either may be empty.
        epochs, patience: passes at most, and without an improvement of 1e-4.
        batch, rate, decay: sequences a step, learning rate, weight decay.
        seed: of the order of sequences.

    Raises:
        InputError: fewer than 2 events in `train`, or a number below 1.
    """
    torch = need("torch", "torch")
    if min(epochs, patience, batch) < 1:
        raise InputError(f"epochs, patience and batch are at least 1, not {(epochs, patience, batch)}")
    model.standardise(train)
    optimiser, rng = torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay), generator(seed, ["fit"])
    best, kept, since = np.inf, copy.deepcopy(model.state_dict()), 0
    losses, checked = [], []
    for _ in range(epochs):
        # Sequences of a step have about one length, so that little is padded; steps come in random order.
        order, spent = np.argsort(train.lengths + rng.uniform(0, 5, len(train))), 0.0
        starts = rng.permutation(np.arange(0, len(train), batch))
        for rows in (order[at : at + batch] for at in starts):
            optimiser.zero_grad()
            time, mark, survival = model(train[rows])
            loss = -(time + mark + survival).mean()
            loss.backward()
            optimiser.step()
            spent += float(loss.detach()) * len(rows)
        losses.append(spent / len(train))
        checked.append(-float(model.log_prob(validation).total.mean()))
        since += 1
        if checked[-1] < best - 1e-4:
            best, kept, since = checked[-1], copy.deepcopy(model.state_dict()), 0
        if since >= patience:
            break
    model.load_state_dict(kept)
    return History(tuple(losses), tuple(checked))
