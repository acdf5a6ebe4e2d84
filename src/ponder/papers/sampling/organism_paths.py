"""Many paths of the organisms on chained arithmetic, drawn in bulk and kept as arrays, for the reproductions that need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.core.language import Request, Sampling, Solution
from ponder.core.seeds import derive
from ponder.lm.load import load
from ponder.lm.organism import Organism, Writer
from ponder.organisms import chain

BATCH = 512
"""Rows that are drawn at once."""


@dataclass(frozen=True)
class Paths:
    """n samples of each of P chains.

    Attributes:
        chains: the problems.
        prompts: their canonical prompts, P of them.
        texts: responses without the line break that ends them, [P][n].
        token_logprobs: of each response's tokens at temperature 1, shape (P, n, 32), 0 behind the last.
    """

    chains: chain.Problems
    prompts: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    token_logprobs: NDArray[np.float32]

    @cached_property
    def values(self) -> NDArray[np.int64]:
        """The number of each response's last step, -1 where it is malformed; shape (P, n)."""
        return np.array([[_last(text) for text in row] for row in self.texts])

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which responses end in the right number, shape (P, n)."""
        return self.values == self.chains.answers[:, None]

    @property
    def logprobs(self) -> NDArray[np.float64]:
        """Log-probability of each whole response, shape (P, n)."""
        return self.token_logprobs.sum(axis=2, dtype=np.float64)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each response, shape (P, n)."""
        return np.array([[len(text) for text in row] for row in self.texts])

    def mean_logprobs(self, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean log-probability of each response's first tokens, so many of problem i as `tokens[i]` says (or fewer), shape (P, n)."""
        counted = np.minimum(tokens.reshape(len(self.prompts), -1), self.lengths)
        sums = np.cumsum(self.token_logprobs, axis=2, dtype=np.float64)
        found = np.take_along_axis(sums, np.maximum(counted - 1, 0)[..., None], axis=2)[..., 0]
        return np.where(counted > 0, found, 0.0) / np.maximum(1, counted)

    def at(self, problems: NDArray[np.intp]) -> Paths:
        """The paths of some of the problems."""
        c = self.chains
        rows = [int(i) for i in problems]
        return Paths(
            chain.Problems(c.first[rows], c.kinds[rows], c.operands[rows], c.values[rows], c.lengths[rows]),
            tuple(self.prompts[i] for i in rows),
            tuple(self.texts[i] for i in rows),
            self.token_logprobs[rows],
        )


def _last(text: str) -> int:
    last = text.removesuffix(";").rpartition(";")[2]
    return int(last) if len(last) == chain.STEP - 1 and last.isascii() and last.isdigit() else -1


def draw(model: str, chains: chain.Problems, n: int, seed: int, temperature: float = 1.0) -> Paths:
    """n samples of each chain.

    Args:
        model: an organism that writes, such as "chain".
        seed: of the draws; the samples of a problem depend on it and the problem's place.
    """
    lm = organism(model)
    prompts = tuple(chain.prompts(chains))
    sampling = Sampling(temperature=temperature, max_tokens=chain.LENGTH - chain.PROMPT)
    requests = [Request(p, n=min(BATCH, n - at), seed=derive(seed, (i, at))) for i, p in enumerate(prompts) for at in range(0, n, BATCH)]
    per = len(requests) // len(prompts)
    group = max(1, BATCH // min(BATCH, n)) * per
    found = [c for at in range(0, len(requests), group) for r in lm.generate(requests[at : at + group], sampling) for c in r.completions]
    texts = [c.text for c in found]
    table = np.zeros((len(found), sampling.max_tokens), dtype=np.float32)
    for row, completion in zip(table, found, strict=True):
        row[: len(completion.logprobs or ())] = completion.logprobs
    return Paths(chains, prompts, tuple(tuple(texts[i * n : (i + 1) * n]) for i in range(len(prompts))), table.reshape(len(prompts), n, -1))


def judge(model: str, prompts: Sequence[str], texts: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """What a reward model says at the end of each text, whole or begun, shape (P, n); equal texts are judged once.

    Args:
        model: an organism that judges, such as "chain-selfeval".
        texts: responses or beginnings of them that end in a step's separator, [P][n].
    """
    lm = judging(model)
    scores = np.empty((len(texts), len(texts[0])))
    for i, (prompt, row) in enumerate(zip(prompts, texts, strict=True)):
        different = list(dict.fromkeys(row))
        found = lm.rewards([Solution(prompt, steps(text)) for text in different])
        known = {text: rewards.values[-1] for text, rewards in zip(different, found, strict=True)}
        scores[i] = [known[text] for text in row]
    return scores


def steps(text: str) -> tuple[str, ...]:
    """A response cut into steps, each with its separator; the last as it is."""
    pieces = text.split(";")
    return tuple(p + ";" for p in pieces[:-1]) + ((pieces[-1],) if pieces[-1] else ())


def halves(chains: chain.Problems) -> NDArray[np.int64]:
    """Half of each chain's steps, rounded down, at least one, shape (P,)."""
    return np.maximum(1, chains.lengths // 2)


def begun(paths: Paths, cuts: NDArray[np.int64]) -> list[list[str]]:
    """Each response cut after so many steps, `cuts[i]` of problem i."""
    return [["".join(steps(text)[:cut]) for text in row] for row, cut in zip(paths.texts, cuts, strict=True)]


def organism(name: str) -> Writer:
    """An organism from the shelf."""
    lm = load(f"organism:{name}")
    assert isinstance(lm, Writer)
    return lm


def judging(name: str) -> Organism:
    """An organism from the shelf that judges.

    Raises:
        InputError: it judges no steps.
    """
    lm = organism(name)
    if not isinstance(lm, Organism):
        raise InputError(f"organism:{name} judges no steps")
    return lm
