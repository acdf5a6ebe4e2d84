"""Recording and replaying engine calls: what makes a killed run resume in the middle of a search.

A call is looked up by its place in the run. If the place is known, the stored reply answers at once and nothing is spent on the
engine; if the stored request differs from the one being made, the run has diverged and an error says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

from ponder.core.budget import Allowance, Price
from ponder.core.errors import ReplayDivergence
from ponder.core.language import LM, Completion, Continuation, Reply, Request, RewardModel, Rewards, Sampling, Scored, Solution, fingerprint
from ponder.core.pace import Pace

A = TypeVar("A", Request, Continuation, Solution)
R = TypeVar("R", Reply, Scored, Rewards)


@dataclass(frozen=True)
class Call:
    """A stored call.

    Attributes:
        place: where in which run it was made.
        content: digest of the model, the request and the sampling. Equal contents have equal replies, whatever their place, so
            that methods which begin alike share their samples.
        reply: the reply as JSON.
    """

    place: str
    content: str
    reply: str


class CallStore(Protocol):
    """Keeps calls. Safe to use from several threads."""

    def find(self, keys: Sequence[tuple[str, str]]) -> list[tuple[str | None, str | None]]:
        """For each (place, content): the content stored at that place and the reply stored for that content, or None."""
        ...

    def keep(self, calls: Sequence[Call]) -> None:
        """Keep calls, all or none of them; on return they survive a kill of the process."""
        ...


class MemoryStore:
    """A `CallStore` in memory, for tests and for replaying within one process."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.replies: dict[str, str] = {}
        self._lock = threading.Lock()

    def find(self, keys: Sequence[tuple[str, str]]) -> list[tuple[str | None, str | None]]:
        with self._lock:
            return [(self.places.get(place), self.replies.get(content)) for place, content in keys]

    def keep(self, calls: Sequence[Call]) -> None:
        with self._lock:
            self.places.update({c.place: c.content for c in calls})
            self.replies.update({c.content: c.reply for c in calls})


class Recorded:
    """An engine whose calls are kept in a store, and answered from it when they come again.

    Implements `LM` for a language model, `RewardModel` for a reward model, and both for an engine that is both.

    Args:
        engine: what answers new calls; None for pure replay, where a new call is a divergence.
        store: where calls are kept.
        scope: a name that sets the calls of one run apart from those of others in the same store.
    """

    def __init__(self, engine: LM | RewardModel | None, store: CallStore, scope: str = "") -> None:
        self._engine, self._store, self._scope = engine, store, scope

    @property
    def name(self) -> str:
        return "recorded" if self._engine is None else self._engine.name

    @property
    def price(self) -> Price | None:
        return None if self._engine is None else self._engine.price

    @property
    def concurrency(self) -> int:
        return getattr(self._engine, "concurrency", 32)

    @property
    def pace(self) -> Pace | None:
        """How fast the engine is on stated hardware, if it says so."""
        return getattr(self._engine, "pace", None)

    @property
    def step_separator(self) -> str | None:
        """What the engine says ends a step, if it does."""
        return getattr(self._engine, "step_separator", None)

    @property
    def attempts(self) -> str:
        """How the engine is shown earlier attempts, if it says so."""
        return getattr(self._engine, "attempts", "")

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        def ask(engine: Any, new: list[Request]) -> list[Reply]:
            return engine.generate(new, sampling, allowance)

        return self._through(requests, lambda r: fingerprint(self.name, r, sampling), ask, _reply_from_json, allowance)

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        def ask(engine: Any, new: list[Continuation]) -> list[Scored]:
            return engine.logprobs(new)

        return self._through(continuations, lambda c: fingerprint(self.name, c), ask, _scored_from_json)

    def rewards(self, solutions: Sequence[Solution]) -> list[Rewards]:
        def ask(engine: Any, new: list[Solution]) -> list[Rewards]:
            return engine.rewards(new)

        return self._through(solutions, lambda s: fingerprint(self.name, s), ask, _rewards_from_json)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def _through(
        self,
        asked: Sequence[A],
        content_of: Callable[[A], str],
        ask: Callable[[Any, list[A]], list[R]],
        read: Callable[[Any], R],
        allowance: Allowance | None = None,
    ) -> list[R]:
        contents = [content_of(a) for a in asked]
        # A call made outside a run has no place; it is known by its content.
        keys = [(f"{self._scope}{a.place or content}", content) for a, content in zip(asked, contents, strict=True)]
        known: dict[str, R] = {}
        for (place, content), (stored, reply) in zip(keys, self._store.find(keys), strict=True):
            if stored is not None and stored != content:
                raise ReplayDivergence(
                    f"the call at {place} is not the one that was stored there: the model, the prompt, the settings or ponder itself has "
                    "changed since; use a new folder for a new run"
                )
            if reply is not None:
                known[content] = read(json.loads(reply))
        new = {content: a for a, content in zip(asked, contents, strict=True) if content not in known}
        if new:
            if self._engine is None:
                raise ReplayDivergence(f"the call at {next(k[0] for k in keys if k[1] in new)} is not in the store that is replayed")
            known.update(zip(new, ask(self._engine, list(new.values())), strict=True))
        if allowance is None or not allowance.stopped:  # what the user cut short is not what the run would have drawn
            self._store.keep([Call(place, content, _dump(known[content])) for place, content in keys])
        return [known[content] for content in contents]


def _dump(reply: Reply | Scored | Rewards) -> str:
    return json.dumps(asdict(reply), separators=(",", ":"))


def _reply_from_json(data: dict[str, Any]) -> Reply:
    completions = tuple(
        Completion(**{**c, "token_ids": tuple(c["token_ids"]), "logprobs": None if c["logprobs"] is None else tuple(c["logprobs"])})
        for c in data["completions"]
    )
    return Reply(**{**data, "completions": completions})


def _scored_from_json(data: dict[str, Any]) -> Scored:
    return Scored(**{**data, "logprobs": tuple(data["logprobs"])})


def _rewards_from_json(data: dict[str, Any]) -> Rewards:
    return Rewards(**{**data, "values": tuple(data["values"])})
