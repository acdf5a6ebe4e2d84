"""Mixtures of log-normal waiting times, in torch. Needs the extra `torch`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import need

torch: Any = need("torch", "torch")


@dataclass(frozen=True, eq=False)
class LogNormalMixture:
    """Waits tau with (log tau - centre) / spread from a mixture of normals. All tensors of shape (..., C).

    Attributes:
        log_shares: of the components; they add up to 1.
        means, log_sds: of the components, for standardised log waits.
        centre, spread: of log waits, numbers.
    """

    log_shares: Any
    means: Any
    log_sds: Any
    centre: Any
    spread: Any

    def log_prob(self, tau: Any) -> Any:
        """Log-density of waits of shape (...)."""
        z = self._standard(tau)
        each = self.log_shares - 0.5 * z.square() - self.log_sds - 0.5 * math.log(2 * math.pi)
        return each.logsumexp(-1) - tau.log() - self.spread.log()

    def log_survival(self, tau: Any) -> Any:
        """log P(wait > tau), for waits of shape (...)."""
        return (self.log_shares + torch.special.log_ndtr(-self._standard(tau))).logsumexp(-1)

    def mean(self) -> Any:
        """Expected wait, shape (...)."""
        log_means = self.spread * self.means + self.centre + 0.5 * (self.spread * self.log_sds.exp()).square()
        return (self.log_shares + log_means).logsumexp(-1).exp()

    def sample(self, generator: Any) -> Any:
        """One wait each, shape (...)."""
        flat = self.log_shares.exp().reshape(-1, self.log_shares.shape[-1])
        which = torch.multinomial(flat, 1, generator=generator).reshape(*self.means.shape[:-1], 1)
        mean, sd = (a.gather(-1, which)[..., 0] for a in (self.means, self.log_sds.exp()))
        z = mean + sd * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        return (self.spread * z + self.centre).exp()

    def at(self, index: Any) -> LogNormalMixture:
        """Mixtures (..., C) chosen along the last axis but one by indices of shape (...)."""
        index = index[..., None, None].expand(*index.shape, 1, self.means.shape[-1])
        shares, means, log_sds = (a.gather(-2, index)[..., 0, :] for a in (self.log_shares, self.means, self.log_sds))
        return LogNormalMixture(shares, means, log_sds, self.centre, self.spread)

    def _standard(self, tau: Any) -> Any:
        return ((tau.log() - self.centre) / self.spread)[..., None].sub(self.means) * (-self.log_sds).exp()
