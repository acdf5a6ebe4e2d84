"""A small net that follows eight of ProcBench's procedures, state by state, and what it makes of runs longer than it learnt from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ponder.bench.steps import Graded, grade
from ponder.core.seeds import generator
from ponder.core.steps import Steps
from ponder.organisms.net import Net
from ponder.tasks.procbench import label
from ponder.tasks.procbench.base import LONGEST, SHORTEST, Procedure, name
from ponder.tasks.procbench.compact import ALPHABET, COLUMNS, LINES, NUMBERS, draw, next_places, prompt, prompt_places, read

ROWS = 256
"""Runs that are written side by side."""
RAMBLING = 2 * COLUMNS
"""A run is cut when a state has so many characters: no right one has half as many."""

_IDS = {c: i for i, c in enumerate(ALPHABET)}
_END, _NEXT = _IDS["\n"], _IDS[";"]
Ints = NDArray[np.int64]


def measured(net: Net, per_length: int, seed: int, lengths: Sequence[int] = range(SHORTEST, LONGEST + 1)) -> list[Graded]:
    """The net's runs on so many fresh instances of every procedure and length, graded."""
    keys = [(number, k, i) for number in NUMBERS for k in lengths for i in range(per_length)]
    made = [draw(number, k, generator(seed, ("papers", "procbench", number, k, i))) for number, k, i in keys]
    return [grade(label(p), given, name(p.number)) for p, given in zip(made, runs(net, made), strict=True)]


def runs(net: Net, procedures: Sequence[Procedure]) -> list[Steps]:
    """What the net writes for instances, greedily, in their order. Of a run that is cut, the final state is None."""
    order = sorted(range(len(procedures)), key=lambda i: len(procedures[i].states()))
    texts: dict[int, str] = {}
    for at in range(0, len(order), ROWS):
        part = order[at : at + ROWS]
        texts |= zip(part, _written(net, [procedures[i] for i in part]), strict=True)
    return [read(procedure, texts[i]) for i, procedure in enumerate(procedures)]


def _written(net: Net, procedures: Sequence[Procedure]) -> list[str]:
    """Responses, with the line break that ends each, or cut. Rows whose prompt is not over read on while others write."""
    given = [([_IDS[c] for c in prompt(p)], prompt_places(p)) for p in procedures]
    widest = max(len(ids) for ids, _ in given)
    forced, stand = (np.array([list(row[i]) + [0] * (widest - len(row[i])) for row in given]) for i in (0, 1))
    lengths = np.array([len(ids) for ids, _ in given])
    written: list[list[int]] = [[] for _ in given]
    rows, cache = np.arange(len(given)), net.cache(len(given))
    token, place, state = forced[:, 0], stand[:, 0], np.zeros(len(given), np.int64)
    at = 0
    while len(rows):
        chosen = net.logits(net.feed(cache, token[:, None], places=place[:, None]))[:, 0].argmax(-1)
        at += 1
        reading = at < lengths[rows]
        follows = next_places(place, (chosen == _NEXT) | (chosen == _END))
        here = min(at, widest - 1)
        token, place = np.where(reading, forced[rows, here], chosen), np.where(reading, stand[rows, here], follows)
        for i in np.flatnonzero(~reading):
            written[rows[i]].append(int(token[i]))
        state = np.where(reading | (token == _NEXT), 0, state + 1)
        over = ~reading & ((token == _END) | (state > RAMBLING) | (place // COLUMNS == LINES - 1))
        if over.any():
            kept = np.flatnonzero(~over)
            rows, token, place, state = rows[kept], token[kept], place[kept], state[kept]
            cache = cache.take(kept) if len(kept) else cache
    return ["".join(ALPHABET[i] for i in ids) for ids in written]
