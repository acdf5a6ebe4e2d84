"""What a method will cost, known before anything runs: it is rehearsed on an engine that writes nothing but lengths."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from ponder.core.algebra import Stage
from ponder.core.answer import answer
from ponder.core.budget import Allowance, Price
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Completion, Continuation, Prompt, Reply, Request, Rewards, Sampling, Scored, Solution
from ponder.core.problem import Problem
from ponder.programs.layer_prompts import FUSE, REWRITE
from ponder.programs.reasoner import Reasoner

CHARACTERS = 4.0
"""How many characters of English a token of today's models has, roughly."""
_WRITES = (FUSE.partition("{critiques}")[2], REWRITE)


@dataclass(frozen=True)
class Forecast:
    """What a method costs on one question.

    Attributes:
        calls: prompts sent.
        completions: replies drawn; what Archon counts as calls.
        tokens_in, tokens_out: read and generated.
        money: US dollars, by the models' prices.
        by_model: calls, completions, tokens in and out of each model that is asked.
    """

    calls: int
    completions: int
    tokens_in: int
    tokens_out: int
    money: float
    by_model: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict[str, tuple[int, int, int, int]])

    @property
    def tokens(self) -> int:
        """Read and generated together."""
        return self.tokens_in + self.tokens_out

    def __str__(self) -> str:
        money = f", ${self.money:.4g}" if self.money else ""
        return (
            f"{self.calls} calls, {self.completions} completions, {self.tokens:,} tokens ({self.tokens_in:,} in, "
            f"{self.tokens_out:,} out){money}"
        )


def forecast(
    method: Stage,
    problem: Problem,
    *,
    answer_tokens: int = 256,
    reply_tokens: int = 64,
    prices: Mapping[str, Price] | Price | None = None,
    characters: float = CHARACTERS,
    sampling: Sampling | None = None,
) -> Forecast:
    """Rehearse a method on replies of given lengths: the most calls that it can make where stages stop by what they read.

    Every answer is taken for a different one, every ranking and verdict for unreadable, and no feedback for clean, so that nothing is
    left out; `until` runs to its limit. Tokens are as right as the lengths are.

    Args:
        method: the pipeline; models go by the names in it, the first one by "".
        problem: one question, as long as the real ones.
        answer_tokens: length of an answer, at most the sampling's `max_tokens`.
        reply_tokens: length of what critics, rankers, verifiers and judges write.
        prices: by the names of models, or one for all.
        characters: how many characters a token is taken for where text is read.
        sampling: the run's settings; `max_tokens` bounds all lengths.

    Raises:
        InputError: lengths below 1, or a method that needs a grammar that the rehearsal cannot imitate.
    """
    if answer_tokens < 1 or reply_tokens < 1 or not characters > 0:
        raise InputError(f"lengths must be at least 1 token of some characters, not {answer_tokens} and {reply_tokens} of {characters}")
    lengths = _Lengths(answer_tokens, reply_tokens, characters)
    team = _Team(lengths, prices or {})
    context = Context(problem, models=team, rewards_by={"": _Judge(lengths)}, program=Reasoner(), sampling=sampling or Sampling())
    bill = answer(method, context).bill
    by_model = {name: (e.calls, e.completions, e.tokens_in, e.tokens_out) for name, e in team.engines.items()}
    completions = sum(e.completions for e in team.engines.values())
    return Forecast(bill.calls, completions, bill.tokens_in, bill.tokens_out, bill.money, by_model)


@dataclass(frozen=True)
class _Lengths:
    """Tokens of answers and of other replies, and characters of a token."""

    answer: int
    reply: int
    characters: float

    def of(self, prompt: Prompt, more: str = "") -> int:
        """Tokens of a prompt."""
        text = prompt if isinstance(prompt, str) else "".join(m.content for m in prompt)
        return math.ceil((len(text) + len(more)) / self.characters)

    def text(self, number: int, tokens: int) -> str:
        """A text of so many tokens that is like no other."""
        return f"{number} ".rjust(int(tokens * self.characters), "w")


class _Rehearsal:
    """An engine that answers with texts of given lengths, each a different one."""

    concurrency = 1

    def __init__(self, name: str, lengths: _Lengths, price: Price | None, numbers: Iterator[int]) -> None:
        self.name, self.price, self._numbers, self._lengths = name or "the first model", price, numbers, lengths
        self.calls = self.completions = self.tokens_in = self.tokens_out = 0

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        replies: list[Reply] = []
        for request in requests:
            length = min(self._length(request.prompt), sampling.max_tokens)
            drawn = tuple(self._completion(length) for _ in range(request.n))
            replies.append(Reply(drawn, self._lengths.of(request.prompt, request.prefix)))
            self.calls += 1
            self.tokens_in += replies[-1].prompt_tokens
            self.tokens_out += length * request.n
        return replies

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        found = [Scored((-1.0,), self._lengths.of(c.prompt, c.text)) for c in continuations]
        self.calls += len(found)
        self.tokens_in += sum(s.prompt_tokens for s in found)
        return found

    def close(self) -> None:
        """There is nothing to free."""

    def _length(self, prompt: Prompt) -> int:
        """An answer is what the question alone asks for, and what is written in place of answers."""
        text = prompt if isinstance(prompt, str) else prompt[-1].content
        about = not isinstance(prompt, str) and text.startswith("Question: ")
        return self._lengths.reply if about and not text.endswith(_WRITES) else self._lengths.answer

    def _completion(self, length: int) -> Completion:
        self.completions += 1
        return Completion(self._lengths.text(next(self._numbers), length), length, logprobs=(-1.0,) * length)


class _Judge:
    """A reward model that is asked for nothing."""

    name, price = "reward model", None

    def __init__(self, lengths: _Lengths) -> None:
        self._lengths = lengths

    def rewards(self, solutions: Sequence[Solution]) -> list[Rewards]:
        return [Rewards((0.5,) * len(s.steps), self._lengths.of(s.prompt, "".join(s.steps))) for s in solutions]

    def close(self) -> None:
        """There is nothing to free."""


class _Team(Mapping[str, _Rehearsal]):
    """An engine for every name that is asked for."""

    def __init__(self, lengths: _Lengths, prices: Mapping[str, Price] | Price) -> None:
        self._lengths, self._prices, self._numbers = lengths, prices, count(1)
        self.engines: dict[str, _Rehearsal] = {}

    def __getitem__(self, name: str) -> _Rehearsal:
        if name not in self.engines:
            price = self._prices if isinstance(self._prices, Price) else self._prices.get(name)
            self.engines[name] = _Rehearsal(name, self._lengths, price, self._numbers)
        return self.engines[name]

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        yield ""

    def __len__(self) -> int:
        return 1
