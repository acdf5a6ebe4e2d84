"""Interval bound propagation: what a network can say anywhere in a box around its input (Gowal et al. 2018; Mirman et al. 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ponder.core.errors import InputError, need
from ponder.trust.certifiers.gates import Gated


class UnsupportedLayer(InputError):
    """A network has a layer that no interval is known to pass."""


def bounds(model: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Bounds on a network's outputs over boxes of inputs, by interval arithmetic, layer by layer.

    Affine layers carry the box's centre through and its radius through |W|; ReLU, averaging and flattening act on each end.

    Args:
        model: a torch `Sequential` (also nested) of Linear, Conv2d, AvgPool2d, ReLU, Flatten, Dropout and Identity.
        low, high: ends of the boxes, tensors of one shape, a batch.

    Raises:
        UnsupportedLayer: for any other layer; the message names it.
    """
    torch = need("torch", "torch")
    nn, functional = torch.nn, torch.nn.functional
    layers = model if isinstance(model, nn.Sequential) else [model]
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            low, high = bounds(layer, low, high)
        elif isinstance(layer, nn.Linear | nn.Conv2d):
            radius, weight = (high - low) / 2, layer.weight.abs()
            if isinstance(layer, nn.Linear):
                spread = functional.linear(radius, weight)
            elif layer.padding_mode == "zeros":
                spread = functional.conv2d(radius, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
            else:
                raise UnsupportedLayer(f"intervals pass convolutions padded by zeros, not by {layer.padding_mode!r}")
            centre = layer((low + high) / 2)
            low, high = centre - spread, centre + spread
        elif isinstance(layer, nn.ReLU | nn.Flatten | nn.AvgPool2d):
            # in place would spoil the caller's tensors
            low, high = (functional.relu(end) if isinstance(layer, nn.ReLU) else layer(end) for end in (low, high))
        elif not isinstance(layer, nn.Identity | nn.Dropout) or (isinstance(layer, nn.Dropout) and layer.training):
            name = type(layer).__name__ + (" in training mode" if isinstance(layer, nn.Dropout) else "")
            raise UnsupportedLayer(
                f"intervals are not known to pass {name}; Linear, Conv2d, AvgPool2d, ReLU, Flatten, Dropout (eval) and Identity are"
            )
    return low, high


def lower_margin(model: Any, x: Any, labels: Any, eps: float) -> Any:
    """A lower bound on each label's lead over all others in an L-infinity ball: l_y - max u_k, shape (n,); differentiable."""
    low, high = bounds(model, x - eps, x + eps)
    own = labels[:, None]
    others = high.scatter(1, own, -math.inf).amax(1)
    return low.gather(1, own)[:, 0] - others


def interval_loss(model: Any, x: Any, labels: Any, eps: float, share: float) -> Any:
    """Honest training: (1 - share) cross-entropy + share cross-entropy of the worst logits in the ball (Gowal et al. 2018, eq. 13)."""
    functional = need("torch", "torch").nn.functional
    low, high = bounds(model, x - eps, x + eps)
    own = labels[:, None]
    worst = high.scatter(1, own, low.gather(1, own))
    return (1 - share) * functional.cross_entropy(model(x), labels) + share * functional.cross_entropy(worst, labels)


@dataclass(frozen=True)
class IntervalCertifier:
    """Certifies that no input within eps in every coordinate gets another answer; abstains otherwise.

    Attributes:
        eps: radius of the L-infinity ball, at least 0. At 0 whatever has one largest logit is certified.
    """

    eps: float

    def __post_init__(self) -> None:
        if not 0 <= self.eps < math.inf:
            raise InputError(f"eps must be at least 0, not {self.eps!r}")

    def certify(self, model: Any, x: ArrayLike) -> Gated:
        """Answer and certify rows x, shape (n, ...); `margin` is the lower bound on the answer's margin.

        Raises:
            UnsupportedLayer: as `bounds`.
        """
        torch = need("torch", "torch")
        with torch.no_grad():
            rows = torch.as_tensor(np.asarray(x), dtype=next(model.parameters()).dtype)
            predicted = model(rows).argmax(1)
            margin = lower_margin(model, rows, predicted, self.eps).numpy().astype(float)
        return Gated(predicted.numpy(), margin > 0, margin)
