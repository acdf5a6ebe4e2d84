"""The contract between ponder and a language model engine: what is asked, what comes back.

An engine is synchronous and batch-first: it is handed a whole batch and returns when the batch is done. It may be called from
many threads at once; sharing batches between them is its own business. Every engine passes `ponder.lm.testing`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from ponder.core.budget import Allowance, Price
from ponder.core.errors import InputError

FinishReason = Literal["stop", "length", "cancelled"]
"""Why a completion ended: by itself or a stop string; by max_tokens or the context; because the budget ended."""


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


Prompt = str | tuple[Message, ...]
"""A raw text to continue, or chat turns that the engine puts into its model's own template."""


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn. Every field reaches the engine exactly as given; temperature 0 is greedy decoding.

    Attributes:
        temperature: 0 is greedy; 1 the model's own distribution.
        max_tokens: the longest completion, in tokens.
        top_p: nucleus mass in (0, 1]; 1 keeps all tokens.
        top_k: how many tokens to choose among; 0 is all.
        stop: texts that end a completion; they are not part of it.
    """

    temperature: float = 0.8
    max_tokens: int = 256
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.stop, str):
            raise InputError(f"stop must be a sequence of texts, not the one text {self.stop!r}")
        object.__setattr__(self, "stop", tuple(self.stop))
        for name, ok, right in (
            ("temperature", 0 <= self.temperature < float("inf"), "a number of at least 0"),
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("top_k", self.top_k >= 0, "0 (all) or more"),
            ("stop", all(self.stop), "texts that are not empty"),
        ):
            if not ok:
                raise InputError(f"{name} must be {right}, not {getattr(self, name)!r}")


@dataclass(frozen=True)
class Request:
    """One prompt of a batch.

    Attributes:
        prompt: what the model reads.
        n: how many completions to draw; they share the prompt's computation.
        seed: what the engine draws them with; the same request gives the same completions on the same engine.
        prefix: for chats, the beginning of the assistant's turn that the completion continues.
        place: where in a run the request is made; not part of the request's identity. Replay looks calls up by it.
    """

    prompt: Prompt
    n: int = 1
    seed: int = 0
    prefix: str = ""
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"a request needs n of at least 1, not {self.n}")
        if not isinstance(self.prompt, str) and not self.prompt:
            raise InputError("a chat prompt needs at least one message")


@dataclass(frozen=True)
class Completion:
    """One drawn continuation.

    Attributes:
        text: the text, without the stop string.
        tokens: how many tokens were generated (what is billed; a stop string's tokens may count).
        finish: why it ended.
        token_ids: the token ids of `text`, where the engine tells; else ().
        logprobs: natural-log probability of each of `token_ids` under the model at temperature 1 without truncation, where the
            engine tells; else None.
        stopped_by: the stop string that ended it, "" if none did; None if the engine does not tell.
        certainty: how far the model was from guessing, the mean over `token_ids` of the Kullback-Leibler divergence of the uniform
            distribution from the model's, in nats; None if the engine does not tell.
    """

    text: str
    tokens: int
    finish: FinishReason = "stop"
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] | None = None
    stopped_by: str | None = None
    certainty: float | None = None


@dataclass(frozen=True)
class Reply:
    """What came back for one request.

    Attributes:
        completions: n of them; fewer only if the call was cancelled before they began.
        prompt_tokens: tokens of the prompt, counted once.
        cached_tokens: how many of them the engine took from its cache.
        seconds: from the start of the batch until this reply was complete.
    """

    completions: tuple[Completion, ...]
    prompt_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens_out(self) -> int:
        return sum(c.tokens for c in self.completions)


@dataclass(frozen=True)
class Continuation:
    """A text whose log-probability after a prompt is asked for.

    Attributes:
        prompt: what goes before; chat turns end in the opening of the assistant's turn.
        text: the continuation, not empty.
        place: as in `Request`.
    """

    prompt: Prompt
    text: str
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.text:
            raise InputError("the continuation to score is empty")


@dataclass(frozen=True)
class Scored:
    """Log-probabilities of a given continuation.

    Attributes:
        logprobs: natural-log probability of each token of the continuation, at temperature 1.
        prompt_tokens: tokens read to find them, prompt and continuation together.
        seconds: from the start of the batch until this was known.
    """

    logprobs: tuple[float, ...]
    prompt_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Solution:
    """A solution, whole or begun, whose steps a reward model is asked about.

    Attributes:
        prompt: the question.
        steps: the steps so far, each with its separator; together they are the text.
        place: as in `Request`.
    """

    prompt: Prompt
    steps: tuple[str, ...]
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.steps:
            raise InputError("a solution to judge needs at least one step")


@dataclass(frozen=True)
class Rewards:
    """What a process reward model says of a solution.

    Attributes:
        values: for each step the probability, in [0, 1], that the solution is right up to and with this step.
        prompt_tokens: tokens that the solution and its prompt have.
        cached_tokens: how many of them were known from earlier calls.
        seconds: from the start of the batch until this was known.
    """

    values: tuple[float, ...]
    prompt_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0


@runtime_checkable
class RewardModel(Protocol):
    """A process reward model: judges every step of a solution. An engine may be both this and an `LM`."""

    @property
    def name(self) -> str: ...
    @property
    def price(self) -> Price | None: ...

    def rewards(self, solutions: Sequence[Solution]) -> list[Rewards]:
        """What it says of each solution, in order.

        Raises:
            InputError: a solution that does not fit the context.
            EngineError: the model failed.
        """
        ...

    def close(self) -> None:
        """Free the model. Calling it twice is harmless."""
        ...


class LM(Protocol):
    """A language model engine.

    Attributes:
        name: the model and engine, as a run records it ("embedded:smollm2").
        price: dollars per million tokens; None if unknown.
        concurrency: how many questions side by side keep the engine busy.
    """

    @property
    def name(self) -> str: ...
    @property
    def price(self) -> Price | None: ...
    @property
    def concurrency(self) -> int: ...

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        """Draw completions for a batch; one reply a request, in order.

        An engine stops early when `allowance` says so and returns what it has, marked "cancelled".

        Raises:
            InputError: a prompt that does not fit the context, an option that the engine does not have.
            EngineError: the engine failed.
        """
        ...

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        """Log-probabilities of given continuations of prompts, in order.

        Raises:
            EngineError: if the engine cannot tell.
        """
        ...

    def close(self) -> None:
        """Free the engine. Calling it twice is harmless."""
        ...


def fingerprint(*parts: Any) -> str:
    """A short digest of requests, samplings or other plain values: equal values, equal digests."""
    text = json.dumps(parts, default=_plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Request):
        return [value.prompt, value.n, value.seed, value.prefix]
    if isinstance(value, Continuation):
        return [value.prompt, value.text]
    if isinstance(value, Solution):
        return [value.prompt, list(value.steps)]
    return asdict(value)
