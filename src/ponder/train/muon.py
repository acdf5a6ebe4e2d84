"""Muon: momentum whose steps are orthogonalised, for matrices (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ponder.core.errors import need

torch: Any = need("torch", "torch")


def orthogonalised(gradient: Any, iterations: int = 5) -> Any:
    """A matrix with its singular values pushed towards 1, by the quintic Newton-Schulz iteration
    X <- aX + (bA + cA^2)X, A = XX^T, (a, b, c) = (3.4445, -4.7750, 2.0315), from X = gradient / |gradient|."""
    x = gradient / (gradient.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(iterations):
        a = x @ x.T
        x = 3.4445 * x + torch.addmm(a, a, a, beta=-4.7750, alpha=2.0315) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum with orthogonalised steps; a step is scaled by sqrt(max(1, rows / columns)).

    `torch.optim.Muon` iterates in bfloat16, which takes fifteen times as long on processors that lack the type; this one is
    float32 throughout.

    Args:
        matrices: parameters of two axes.
        lr: length of a step.
        momentum: share of the past.
    """

    def __init__(self, matrices: Iterable[Any], lr: float, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                past = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                ahead = p.grad.lerp(past, group["momentum"])
                p.add_(orthogonalised(ahead), alpha=-group["lr"] * max(1.0, p.shape[0] / p.shape[1]) ** 0.5)
