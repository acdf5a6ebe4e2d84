"""A language model over a small vocabulary whose draws an enumeration can choose: what the laws run language-model stages on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ponder.core.budget import Allowance, Price
from ponder.core.errors import EngineError, InputError
from ponder.core.language import LM, Completion, Continuation, Reply, Request, Sampling, Scored
from ponder.prob.exact import Enumerator, rational

END = ""
"""The token that ends a text."""


@dataclass(frozen=True)
class ToyLanguage:
    """A language of a few short texts, given by what may follow each beginning.

    Args:
        following: following(text) gives the probabilities of the next token; `END` ends the text. Numbers or Fractions of total 1.
        longest: tokens after which a text that has not ended is an error.
    """

    following: Callable[[str], Mapping[str, Any]]
    longest: int = 20

    def table(self, text: str) -> dict[str, Fraction]:
        """What may follow a text.

        Raises:
            InputError: probabilities below 0 or of another total than 1.
        """
        found = {token: rational(p) for token, p in self.following(text).items()}
        if not found or min(found.values()) < 0 or sum(found.values()) != 1:
            raise InputError(f"what follows {text!r} must have probabilities of total 1, not { ({t: str(p) for t, p in found.items()}) }")
        return found

    def texts(self) -> dict[str, Fraction]:
        """Every whole text and its probability."""
        whole: dict[str, Fraction] = {}
        begun = [("", Fraction(1))]
        for _ in range(self.longest + 1):
            longer: list[tuple[str, Fraction]] = []
            for text, mass in begun:
                for token, p in self.table(text).items():
                    if token == END:
                        whole[text] = whole.get(text, Fraction(0)) + mass * p
                    elif p:
                        longer.append((text + token, mass * p))
            begun = longer
        if begun:
            raise InputError(f"after {self.longest} tokens {begun[0][0]!r} has not ended: a language to enumerate has short texts only")
        return whole

    def engine(self, source: Enumerator) -> LM:
        """An engine of which every token is a choice of the enumeration. Temperature 1, and no truncation."""
        return _Engine(self, source)


class _Engine:
    name, price, concurrency = "toy", None, 1
    price: Price | None

    def __init__(self, language: ToyLanguage, source: Enumerator) -> None:
        self._language, self._source, self._ids = language, source, dict[str, int]()

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        if (sampling.temperature, sampling.top_p, sampling.top_k) != (1, 1, 0):
            raise InputError(f"a toy language is drawn from at temperature 1 without truncation, not with {sampling}")
        return [Reply(tuple(self._drawn(r.prefix, sampling) for _ in range(r.n)), prompt_tokens=1) for r in requests]

    def _drawn(self, prefix: str, sampling: Sampling) -> Completion:
        text, drawn = "", list[tuple[int, float]]()

        def done(text: str, finish: Any, stopped_by: str = "") -> Completion:
            ids, logprobs = tuple(i for i, _ in drawn), tuple(p for _, p in drawn)
            return Completion(text, max(1, len(drawn)), finish, ids, logprobs, stopped_by)

        while len(drawn) < sampling.max_tokens:
            table = self._language.table(prefix + text)
            tokens = list(table)
            token = tokens[self._source.choose(list(table.values()))]
            if token == END:
                return done(text, "stop")
            text += token
            drawn.append((self._ids.setdefault(token, len(self._ids)), math.log(table[token])))
            met = [s for s in sampling.stop if s in text]
            if met:
                first = min(met, key=text.index)
                return done(text[: text.index(first)], "stop", first)
        return done(text, "length")

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        raise EngineError("a toy language does not score given texts; candidates hold the log-probabilities of their own")

    def close(self) -> None:
        """There is nothing to free."""
