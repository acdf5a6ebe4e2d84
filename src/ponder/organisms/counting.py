"""Questions of the family organism by what it was trained on, and what a net makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ponder.organisms import family
from ponder.organisms.characters import Ints
from ponder.organisms.net import Net


def seen(n: int, rng: np.random.Generator) -> family.Questions:
    """n questions of the relations that are trained on: all but how many sisters a woman's brother has."""
    drawn = family.questions(n + n // 8 + 64, rng)
    return drawn.take(np.flatnonzero(~drawn.held_out)[:n])


def held_out(n: int, rng: np.random.Generator) -> family.Questions:
    """n questions of the composition that is never trained on."""
    drawn = family.questions(n, rng)
    women = rng.integers(0, len(family.NAMES) // 2, n)
    whose, what = np.full(n, family.HOPS.index("b")), np.full(n, family.WHAT.index("s"))
    return family.Questions(women, drawn.brothers, drawn.sisters, drawn.sisters_first, whose, what)


def right(net: Net, asked: family.Questions) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether the most probable response is right, shape (n,). Where each digit is the most probable one after the right digits before
    it, greedy decoding writes them all."""
    tokens = family.encode(asked)
    states = net.feed(net.cache(len(tokens)), tokens[:, :-1], every=True)
    return (net.logits(states[:, family.PROMPT - 1 :]).argmax(-1) == tokens[:, family.PROMPT :]).all(-1)


def written(net: Net, asked: family.Questions) -> Ints:
    """The numbers that greedy decoding writes, shape (n,)."""
    tokens = family.encode(asked)[:, : family.PROMPT]
    cache = net.cache(len(tokens))
    tens = net.logits(net.feed(cache, tokens))[:, 0].argmax(-1)
    ones = net.logits(net.feed(cache, tens[:, None]))[:, 0].argmax(-1)
    return 10 * (tens - family.ALPHABET.index("0")) + ones - family.ALPHABET.index("0")
