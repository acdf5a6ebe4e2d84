"""A classifier over weights: one code for every neuron, summed, so that the order of neurons does not matter (Ganju et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.trust.distribution_inference.networks import Networks

Bools = NDArray[np.bool_]
CODE = 8


@dataclass(frozen=True)
class PermutationInvariantMetaClassifier:
    """Learns from the adversary's networks of both worlds to tell a victim's world from its weights.

    Each layer has an encoder of rows: Linear to 64, ReLU, Linear to 8, ReLU, dropout. A row is a neuron's incoming weights and bias. From
    the second layer on, the published classifier appends the codes of the layer before in the order of its neurons, which breaks the
    invariance that gives it its name. Here a row is its weights' sum of the codes before, its bias and its norm: exactly invariant.

    Attributes:
        epochs: full passes over the adversary's networks, fixed before: nothing is chosen on victims.
        invariant: False for the published construction.
        rate, decay: Adam's rate and weight decay.
        seed: of the start and the dropout.
    """

    epochs: int = 200
    invariant: bool = True
    rate: float = 1e-3
    decay: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or not self.rate > 0 or self.decay < 0:
            raise InputError(f"at least 1 epoch, a rate above 0 and a decay of at least 0 are needed, not {self}")

    def fit(self, adversary: tuple[Networks, Networks]) -> Meta:
        """Train on networks of world 0 and of world 1."""
        torch = need("torch", "torch")
        shapes = [tuple(layer.shape[1:] for layer in networks.layers) for networks in adversary]
        if shapes[0] != shapes[1]:
            raise InputError(f"networks of both worlds must have one shape, not {shapes[0]} and {shapes[1]}")
        weights = tuple(np.concatenate(pair) for pair in zip(*(networks.layers for networks in adversary), strict=True))
        scales = tuple((layer.mean((0, 1)), layer.std((0, 1)) + 1e-6) for layer in weights[:1])
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            meta = Meta(_encoders(shapes[0], self.invariant), self.invariant, scales[0])
            labels = torch.tensor(np.repeat([0.0, 1.0], [len(networks) for networks in adversary]), dtype=torch.float32)
            optimiser = torch.optim.Adam(meta.parts.parameters(), lr=self.rate, weight_decay=self.decay)
            meta.parts.train()
            for _ in range(self.epochs):
                optimiser.zero_grad()
                torch.nn.functional.binary_cross_entropy_with_logits(meta.logits(Networks(weights)), labels).backward()
                optimiser.step()
        meta.parts.eval()
        return meta


@dataclass(frozen=True)
class Meta:
    """A trained classifier over weights.

    Attributes:
        parts: the encoders and the last linear map, a torch module.
        invariant: whether the order of hidden neurons does not matter.
        scale: mean and deviation of each column of the first layer's rows.
    """

    parts: Any
    invariant: bool
    scale: tuple[NDArray[np.float32], NDArray[np.float32]]

    def logits(self, networks: Networks) -> Any:
        """The log odds of world 1, a tensor of shape (m,)."""
        torch = need("torch", "torch")
        codes, sums = None, []
        for i, layer in enumerate(networks.layers):
            rows = torch.as_tensor((layer - self.scale[0]) / self.scale[1] if i == 0 else layer, dtype=torch.float32)
            if codes is not None and self.invariant:
                seen = torch.bmm(rows[:, :, :-1], codes)
                rows = torch.cat([seen, rows[:, :, -1:], rows.norm(dim=2, keepdim=True)], 2)
            elif codes is not None:
                rows = torch.cat([rows, codes.flatten(1)[:, None].expand(-1, rows.shape[1], -1)], 2)
            codes = self.parts[i](rows)
            sums.append(codes.sum(1))
        return self.parts[-1](torch.cat(sums, 1))[:, 0]

    def __call__(self, victims: tuple[Networks, Networks]) -> tuple[Bools, Bools]:
        """Whether each network of world 0, and of world 1, is taken for one of world 1."""
        torch = need("torch", "torch")
        with torch.no_grad():
            first, second = (self.logits(networks).numpy() >= 0 for networks in victims)
        return first, second


def _encoders(shapes: tuple[tuple[int, ...], ...], invariant: bool) -> Any:
    nn = need("torch", "torch").nn
    parts = []
    for i, (_, inputs) in enumerate(shapes):
        width = inputs if i == 0 else (CODE + 2 if invariant else inputs + CODE * shapes[i - 1][0])
        parts.append(nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, CODE), nn.ReLU(), nn.Dropout(0.5)))
    return nn.ModuleList([*parts, nn.Linear(CODE * len(shapes), 1)])
