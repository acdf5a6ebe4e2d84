"""Conjugate Gaussians over class embeddings. Needs the extra `torch`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ponder.core.errors import InputError, need

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Prototypes:
    """What is believed of the class means: class c has mean ~ N(Q_c / L_c, 1 / L_c), embeddings ~ N(mean, noise), class ~ Dirichlet.

    Everything is a torch tensor, so that gradients pass through (Kessler et al. 2023, section 6).

    Attributes:
        precision: L, shape (C,).
        information: Q = L mu, shape (C, k).
        counts: Dirichlet concentrations, prior included, shape (C,).
        noise: variance of an embedding around its class mean, in each dimension.
    """

    precision: Tensor
    information: Tensor
    counts: Tensor
    noise: float

    @classmethod
    def prior(
        cls, classes: int, dimension: int, noise: float = 0.05, precision: float = 1.0, concentration: float = 2.2, **kind: Any
    ) -> Prototypes:
        """Means ~ N(0, 1 / precision) and a symmetric Dirichlet; `kind` is what torch.full takes (dtype, device).

        Raises:
            InputError: for a number that is not above 0.
        """
        if min(classes, dimension) < 1 or not min(noise, precision, concentration) > 0:
            raise InputError(
                f"prototypes need classes and dimension >= 1, noise, precision and concentration > 0, "
                f"not {(classes, dimension, noise, precision, concentration)}"
            )
        torch = need("torch", "torch")
        kind = {"dtype": torch.float32, **kind}
        return cls(
            torch.full((classes,), precision, **kind),
            torch.zeros((classes, dimension), **kind),
            torch.full((classes,), concentration, **kind),
            noise,
        )

    def update(self, z: Tensor, labels: Tensor) -> Prototypes:
        """The posterior after embeddings of shape (n, k) with class indices of shape (n,). The order does not matter."""
        one_hot = need("torch", "torch").nn.functional.one_hot(labels, len(self.counts)).to(z.dtype)
        seen = one_hot.sum(0)
        return replace(
            self,
            precision=self.precision + seen / self.noise,
            information=self.information + one_hot.T @ z / self.noise,
            counts=self.counts + seen,
        )

    @property
    def means(self) -> Tensor:
        """Posterior means of the class means, shape (C, k)."""
        return self.information / self.precision[:, None]

    def log_joint(self, z: Tensor) -> Tensor:
        """log p(z, class) for new embeddings, shape (n, C); its softmax is p(class | z)."""
        square = (z[:, None, :] - self.means).square().sum(-1)
        return _log_joint(square, 1 / self.precision + self.noise, self.counts / self.counts.sum(), z.shape[-1])

    def log_joint_without_own(self, z: Tensor, labels: Tensor) -> Tensor:
        """The same for embeddings that were among those updated on, each judged as if it had not been; shape (n, C)."""
        torch = need("torch", "torch")
        precision = self.precision[labels] - 1 / self.noise
        mean = (self.information[labels] - z / self.noise) / precision[:, None]
        share = (self.counts[labels] - 1) / self.counts.sum()
        own = _log_joint((z - mean).square().sum(-1), 1 / precision + self.noise, share, z.shape[-1])
        hot = torch.nn.functional.one_hot(labels, len(self.counts)).bool()
        return torch.where(hot, own[:, None], self.log_joint(z))


def _log_joint(square: Tensor, variance: Tensor, share: Tensor, dimension: int) -> Tensor:
    return share.log() - 0.5 * (square / variance + dimension * (variance.log() + math.log(2 * math.pi)))
