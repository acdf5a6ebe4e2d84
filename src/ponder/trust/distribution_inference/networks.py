"""Many small networks trained side by side: victims and shadow models by the hundred, in one batch of matrices.

Each is trained on its own rows with its own start, in the way of scikit-learn's `MLPClassifier`: Glorot-uniform starts, ReLU, Adam at 1e-3,
batches of 200, an L2 penalty of 1e-4. There is no early stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.trust.distribution_inference.records import Records

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Networks:
    """m networks of one shape.

    Attributes:
        layers: for each layer [W | b] of all networks, shape (m, outputs, inputs + 1); ReLU between layers, a logit at the end.
    """

    layers: tuple[NDArray[np.float32], ...]

    def __len__(self) -> int:
        return len(self.layers[0])

    def scores(self, x: Floats) -> Floats:
        """The probability of label 1 for rows x, shape (n, d) -> (m, n)."""
        hidden = np.broadcast_to(np.asarray(x, dtype=np.float32), (len(self), *np.shape(x)))
        for i, layer in enumerate(self.layers):
            hidden = hidden @ layer[:, :, :-1].transpose(0, 2, 1) + layer[:, None, :, -1]
            if i + 1 < len(self.layers):
                hidden = np.maximum(hidden, 0)
        return 1 / (1 + np.exp(-hidden[:, :, 0].astype(float)))

    def at(self, which: Sequence[int] | slice) -> Networks:
        """Some of the networks."""
        return Networks(tuple(layer[which] for layer in self.layers))

    def permuted(self, layer: int, order: Sequence[int]) -> Networks:
        """The same functions, with the hidden units of a layer in another order."""
        layers = [p.copy() for p in self.layers]
        layers[layer] = layers[layer][:, list(order)]
        layers[layer + 1] = layers[layer + 1][:, :, [*order, -1]]
        return Networks(tuple(layers))


def train_networks(
    samples: Sequence[Records], seed: int, hidden: Sequence[int] = (32, 16, 8), epochs: int = 40, batch: int = 200, rate: float = 1e-3
) -> Networks:
    """One network for each sample of rows.

    Args:
        samples: of equal size.
        seed: of starts and batches.
        hidden: units of the hidden layers.
        epochs: passes over the rows.
        batch: rows an update.
        rate: Adam's.

    Raises:
        InputError: if sizes differ or there are no samples.
    """
    shapes = {s.x.shape for s in samples}
    if len(shapes) != 1:
        raise InputError(f"networks are trained side by side on samples of one size, not {sorted(shapes) or 'none'}")
    torch = need("torch", "torch")
    random = torch.Generator().manual_seed(seed)
    x = torch.tensor(np.stack([s.x for s in samples]), dtype=torch.float32)
    y = torch.tensor(np.stack([s.y for s in samples]), dtype=torch.float32)
    many, rows, width = x.shape
    sizes = (width, *hidden, 1)
    layers: list[Any] = []
    for a, b in pairwise(sizes):
        bound = np.sqrt(6 / (a + b))
        layers.append(((2 * torch.rand((many, a + 1, b), generator=random) - 1) * bound).requires_grad_())
    optimiser = torch.optim.Adam(layers, lr=rate)
    for _ in range(epochs):
        order = torch.rand((many, rows), generator=random).argsort(1)
        for part in order.split(batch, dim=1):
            rows_now = torch.gather(x, 1, part[:, :, None].expand(-1, -1, width))
            logits = _forward(torch, layers, rows_now)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.gather(y, 1, part), reduction="none").mean(1)
            penalty = sum((p[:, :-1] ** 2).sum((1, 2)) for p in layers) * (0.5e-4 / part.shape[1])
            optimiser.zero_grad()
            (loss + penalty).sum().backward()
            optimiser.step()
    return Networks(tuple(p.detach().numpy().transpose(0, 2, 1).copy() for p in layers))


def _forward(torch: Any, layers: Sequence[Any], x: Any) -> Any:
    for i, p in enumerate(layers):
        x = torch.baddbmm(p[:, -1:], x, p[:, :-1])
        if i + 1 < len(layers):
            x = torch.relu(x)
    return x[:, :, 0]
