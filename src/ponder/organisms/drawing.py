"""Drawing texts from a net: one uniform for each (seed, sample, token), so that a draw depends on nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.organisms.cache import Cache, Index
from ponder.organisms.card import Floats
from ponder.organisms.kept import Kept
from ponder.organisms.net import Net
from ponder.organisms.reading import log_softmax

Doubles = np.ndarray[Any, np.dtype[np.float64]]
Words = np.ndarray[Any, np.dtype[np.uint64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_GOLDEN = 0x9E3779B97F4A7C15
_LIVE = 0.75
"""Rows that have ended are left out of the batch once fewer than this share goes on: copying the others must pay."""


def mixed(words: Words) -> Words:
    """The output function of splitmix64 (Steele, Lea and Flood 2014): a bijection of 64-bit words that scatters them."""
    z = words + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def streams(seeds: Sequence[int], samples: Sequence[int]) -> Words:
    """One word for each (request seed, sample index), to draw its uniforms from."""
    return mixed(mixed(np.array([s % 2**64 for s in seeds], dtype=np.uint64)) + np.array(samples, dtype=np.uint64))


def uniforms(words: Words, place: int) -> Doubles:
    """Uniforms in [0, 1) of streams for their token number `place`."""
    return (mixed(words + np.uint64(place)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choose(logits: Floats, at: Doubles, temperature: float, top_k: int = 0, top_p: float = 1.0) -> Index:
    """The token of each row at a place of its cumulative distribution.

    Args:
        logits: shape (rows, vocab).
        at: places in [0, 1), shape (rows,).
        temperature: above 0; 0 takes the most probable token.
        top_k: the most probable tokens that are kept, 0 for all.
        top_p: of those, the fewest most probable ones that have this mass together.
    """
    if temperature == 0:
        return logits.argmax(-1)
    # Subtracting the largest first keeps its mass at 1; at a tiny temperature the others may overflow to a mass of 0.
    scaled = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    with np.errstate(over="ignore"):
        masses = np.exp(scaled / temperature)
    if top_k or top_p < 1:
        order = np.argsort(-scaled, -1, kind="stable")
        ranked = np.take_along_axis(masses, order, -1)
        if top_k:
            ranked[:, top_k:] = 0
        before = np.cumsum(ranked, -1) - ranked
        ranked[before >= top_p * ranked.sum(-1, keepdims=True)] = 0
        np.put_along_axis(masses, order, ranked, -1)
    cumulative = np.cumsum(masses, -1)
    found = (cumulative <= at[:, None] * cumulative[:, -1:]).sum(-1)
    # Rounding may step behind the last token that has mass.
    return np.minimum(found, masses.shape[-1] - 1 - (masses[:, ::-1] > 0).argmax(-1))


@dataclass(frozen=True)
class Rules:
    """What holds for every row of a batch.

    Attributes:
        temperature, top_k, top_p: as in `choose`.
        limit: the most tokens of a row.
        end: the token that ends a text.
        stops: token sequences that end a text.
    """

    temperature: float
    top_k: int
    top_p: float
    limit: int
    end: int
    stops: tuple[bytes, ...]


@dataclass
class Drawn:
    """What was drawn, a row each.

    Attributes:
        tokens: shape (rows, limit); those behind `counts` mean nothing.
        logprobs: of the tokens, at temperature 1 without truncation.
        certainty: divergence of the uniform distribution from that which each token was drawn from, at temperature 1.
        counts: how many tokens were drawn, what ended the text included.
        ends: why a row ended: -1 not (its limit or the budget came first), 0 by the end token, i > 0 by `stops[i - 1]`.
        cancelled: rows that the budget ended.
    """

    tokens: Index
    logprobs: Floats
    certainty: Floats
    counts: Index
    ends: Index
    cancelled: Flags


def draw(
    net: Net, kept: Kept, texts: Sequence[bytes], cache: Cache, logits: Floats, words: Words, rules: Rules, admit: Callable[[Index], Flags]
) -> Drawn:
    """Draw until every row has ended; the rows that can be continued are kept.

    Args:
        texts: what each row has read.
        cache: of the rows; drawn into.
        logits: of each row's next token, shape (rows, vocab).
        words: each row's stream.
        admit: told of the rows that are about to get one token more; says which may. The others are cancelled.
    """
    n = len(texts)
    drawn = Drawn(
        np.zeros((n, rules.limit), dtype=np.int64),
        np.zeros((n, rules.limit), dtype=np.float32),
        np.zeros((n, rules.limit), dtype=np.float32),
        np.zeros(n, dtype=np.int64),
        np.full(n, -1),
        np.zeros(n, dtype=bool),
    )
    rows, live = np.arange(n), np.ones(n, dtype=bool)
    for place in range(rules.limit):
        admitted = admit(rows[live])
        drawn.cancelled[rows[live][~admitted]] = True
        live[live] = admitted
        if not live.any():
            break
        tokens = choose(logits, uniforms(words[rows], place), rules.temperature, rules.top_k, rules.top_p)
        going = rows[live]
        drawn.tokens[going, place] = tokens[live]
        told = log_softmax(logits[live])
        drawn.logprobs[going, place] = np.take_along_axis(told, tokens[live, None], -1)[:, 0]
        drawn.certainty[going, place] = -told.mean(-1) - np.log(told.shape[-1])
        drawn.counts[going] = place + 1
        _end(drawn, going, place, rules)
        live[live] = drawn.ends[going] < 0
        if not live.any() or place + 1 == rules.limit:
            break
        if live.sum() < _LIVE * len(rows):
            _keep(kept, texts, drawn, cache, rows, ~live)
            cache = cache.take(np.flatnonzero(live))
            rows, tokens, live = rows[live], tokens[live], np.ones(int(live.sum()), dtype=bool)
        logits = net.logits(net.feed(cache, tokens[:, None]))[:, 0]
    _keep(kept, texts, drawn, cache, rows, np.ones(len(rows), dtype=bool))
    return drawn


def _end(drawn: Drawn, rows: Index, place: int, rules: Rules) -> None:
    """Mark the rows that their newest token ends: the end token, or of the stops that are now complete the longest."""
    for i in sorted(range(len(rules.stops)), key=lambda i: len(rules.stops[i])):
        stop = rules.stops[i]
        if 0 < len(stop) <= place + 1:
            met = (drawn.tokens[rows, place + 1 - len(stop) : place + 1] == np.frombuffer(stop, dtype=np.uint8)).all(-1)
            drawn.ends[rows[met]] = i + 1
    drawn.ends[rows[drawn.tokens[rows, place] == rules.end]] = 0


def _keep(kept: Kept, texts: Sequence[bytes], drawn: Drawn, cache: Cache, rows: Index, which: Flags) -> None:
    """Keep the rows that a stop, the limit or the budget ended, under what they have read: all but their last token."""
    read = [(i, int(row)) for i, row in enumerate(rows) if which[i] and drawn.ends[row] != 0 and drawn.counts[row] > 1]
    written = drawn.tokens.astype(np.uint8)
    kept.keep(cache, ((texts[row] + written[row, : drawn.counts[row] - 1].tobytes(), i, None) for i, row in read))
