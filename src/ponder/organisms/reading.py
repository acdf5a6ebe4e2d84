"""Reading texts with a net: from what is kept of earlier texts on, equal texts once, texts of one length side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from ponder.organisms.cache import Cache, Index, gather
from ponder.organisms.card import Floats
from ponder.organisms.kept import Kept, Row
from ponder.organisms.net import Net

ROWS = 512
"""Rows of one batch: more no longer fit the processor's cache."""

Told = Literal["logprobs", "values"]


def start(net: Net, kept: Kept, texts: Sequence[bytes], copies: Sequence[int]) -> tuple[Cache, Floats, Index]:
    """Read texts of one length and make copies of each, ready to draw from.

    Args:
        texts: different ones.
        copies: of each text.

    Returns:
        The cache of all copies; their next-token logits, shape (copies, vocab); which text each is a copy of. Copies of a text stand
        side by side; texts may be in another order.
    """
    found = [(min(n, len(text) - 1), row) for text in texts for n, row in [kept.find(text)]]
    parts: list[tuple[Cache, Index]] = []
    logits: list[Floats] = []
    order: list[int] = []
    for length in sorted({n for n, _ in found}):
        places = [i for i, (n, _) in enumerate(found) if n == length]
        times = [copies[i] for i in places]
        fed = np.array([np.frombuffer(texts[i], dtype=np.uint8)[length:] for i in places], dtype=np.int64)
        rows = [row for i in places if (row := found[i][1]) is not None]
        repeats = np.repeat(np.arange(len(places)), times)
        # One token more costs less than copying the rows twice.
        if fed.shape[1] == 1 and length:
            cache = _forked(rows, repeats, length)
            logits.append(net.logits(net.feed(cache, fed[repeats]))[:, 0])
            parts.append((cache, np.arange(cache.rows)))
        else:
            cache = _forked(rows, np.arange(len(rows)), length) if rows else net.cache(len(places))
            logits.append(net.logits(net.feed(cache, fed))[repeats, 0])
            kept.keep(cache, ((texts[i], j, None) for j, i in enumerate(places)))
            parts.append((cache, repeats))
        order += [i for i, n in zip(places, times, strict=True) for _ in range(n)]
    cache, rows = parts[0]
    if len(parts) > 1 or not np.array_equal(rows, np.arange(cache.rows)):
        cache = gather(parts, len(texts[0]))
    return cache, np.concatenate(logits), np.array(order)


def tell(net: Net, kept: Kept, texts: Iterable[bytes], what: Told) -> dict[bytes, Floats]:
    """What the net says of each token of texts.

    Returns:
        For each text an array of shape (tokens,): the log-probability of each token given those before it (0 for the first), or
        the value head's output at each token.
    """
    found: dict[bytes, Floats] = {}
    todo: dict[tuple[int, int], list[tuple[bytes, Row | None]]] = {}
    for text in sorted(set(texts)):
        length, row = kept.find(text)
        if row is not None and row.told is not None and length == len(text):
            found[text] = row.told
            continue
        # The last token that is known is read again: its state says how probable the next one is.
        length = max(0, length - 1)
        todo.setdefault((len(text), length), []).append((text, row if length else None))
    for (_, length), wanted in sorted(todo.items(), key=lambda pair: pair[0]):
        for at in range(0, len(wanted), ROWS):
            found |= _told(net, kept, wanted[at : at + ROWS], length, what)
    return found


def _told(net: Net, kept: Kept, wanted: Sequence[tuple[bytes, Row | None]], length: int, what: Told) -> dict[bytes, Floats]:
    tokens = np.array([np.frombuffer(text, dtype=np.uint8) for text, _ in wanted], dtype=np.int64)
    rows = [row for _, row in wanted if row is not None]
    cache = _forked(rows, np.arange(len(rows)), length) if rows else net.cache(len(wanted))
    states = net.feed(cache, tokens[:, length:], every=True)
    told = np.zeros(tokens.shape, dtype=np.float32)
    for i, row in enumerate(rows):
        if row.told is not None:
            told[i, : length + 1] = row.told[: length + 1]
    if what == "values":
        told[:, length:] = net.values(states)
    else:
        ids = tokens[:, length + 1 :, None]
        told[:, length + 1 :] = np.take_along_axis(log_softmax(net.logits(states[:, :-1])), ids, -1)[..., 0]
    kept.keep(cache, ((text, i, told[i]) for i, (text, _) in enumerate(wanted)))
    return {text: told[i] for i, (text, _) in enumerate(wanted)}


def log_softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Log-probabilities over the last axis, in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _forked(rows: Sequence[Row], repeats: Index, length: int) -> Cache:
    """Rows of kept caches, in order and repeated, cut to a length."""
    parts: list[tuple[Cache, list[int]]] = []
    for i in repeats:
        row = rows[i]
        if not parts or parts[-1][0] is not row.cache:
            parts.append((row.cache, []))
        parts[-1][1].append(row.index)
    return gather([(cache, np.array(indices)) for cache, indices in parts], length)
