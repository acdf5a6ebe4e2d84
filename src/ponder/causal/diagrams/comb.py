"""Comb disintegration: a joint distribution as a channel inside a comb, which can be cut from observations alone.

Jacobs, Kissinger & Zanasi 2019, section 5: for a full-support state of A, B, C there are a unique channel g: A -> B and a unique comb f
around it, f(a, c | b) = omega(a) omega(c | a, b), whose A does not depend on B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ponder.causal.diagrams.channel import Channel, Numbers, State, contract, names_of
from ponder.core.errors import InputError


@dataclass(frozen=True, eq=False)
class Comb:
    """A channel g: A -> B and the comb f around it: f gives A out, takes B in, gives C out.

    Attributes:
        f: P(a, c | b) as a channel of cod A + C and dom B; its A-marginal is the same for every b.
        g: P(b | a).
    """

    f: Channel
    g: Channel

    def joint(self) -> State:
        """f with g put back: the state it was made from."""
        a, b, c = self._sides()
        return State(contract([(self.f.array, a + c + b), (self.g.array, b + a)], a + b + c), a + b + c)

    def cut(self) -> State:
        """The state after surgery on A: f's own A is discarded, and g gets a uniform one."""
        a, b, c = self._sides()
        inner = self.f.marginal(c)
        size = int(np.prod([self.g.array.shape[len(b) + i] for i in range(len(a))]))
        uniform = Fraction(1, size) if self.g.exact else 1 / size
        return State(contract([(inner.array, c + b), (self.g.array * uniform, b + a)], a + b + c), a + b + c)

    def effect(self) -> Channel:
        """P(c | do(a)) = sum over b of g(b | a) f(c | b): the front-door formula."""
        a, b, c = self._sides()
        return Channel(contract([(self.f.marginal(c).array, c + b), (self.g.array, b + a)], c + a), c, a)

    def _sides(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        a, b = self.g.dom, self.g.cod
        return a, b, tuple(name for name in self.f.cod if name not in a)


def comb_disintegrate(state: State, a: str | Sequence[str], b: str | Sequence[str], c: str | Sequence[str]) -> Comb:
    """Split a joint distribution of A, B, C into a channel A -> B and the comb around it.

    The table alone cannot tell whether the comb is the right shape for the causes behind it (no hidden cause of A or C may act on B): ask
    `causal_effect`, which knows the graph, or know it yourself.

    Args:
        state: of all variables in a, b, c and no others.
        a, b, c: the treatment, everything on the way, the outcome; a name or several each.

    Raises:
        SupportError: if a cell has probability zero.
        InputError: if the three do not make up the state's variables.
    """
    sides = [names_of(names, state.names) for names in (a, b, c)]
    if sorted(name for side in sides for name in side) != sorted(state.names) or not all(sides):
        raise InputError(f"a comb needs the variables {state.names} in three parts, none empty; {sides} were given")
    on_a, on_b, on_c = sides
    omega = state.marginal(on_a + on_b + on_c).full_support()
    g = omega.marginal(on_a + on_b).disintegrate(on_a)
    last = omega.disintegrate(on_a + on_b)
    f: Numbers = contract([(omega.marginal(on_a).array, on_a), (last.array, on_c + on_a + on_b)], on_a + on_c + on_b)
    return Comb(Channel(f, on_a + on_c, on_b), g)
