"""The organisms' engine: small trained models in process, on numpy, as language models and as process reward models.

A call's rows are drawn side by side. Calls that come from several threads while one is running run as one batch after it. What rows
have read is kept, so that a search that goes on from them reads only what is new.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.budget import Allowance, Price
from ponder.core.errors import ContextOverflow, EngineError, InputError
from ponder.core.language import (
    Completion,
    Continuation,
    FinishReason,
    Prompt,
    Reply,
    Request,
    Rewards,
    Sampling,
    Scored,
    Solution,
)
from ponder.lm.combine import Call, Combiner
from ponder.organisms.drawing import Drawn, Flags, Rules, draw, streams
from ponder.organisms.grammars import GRAMMARS
from ponder.organisms.kept import Kept
from ponder.organisms.net import Net
from ponder.organisms.reading import ROWS, Told, start, tell
from ponder.organisms.shelf import find

SEPARATOR = ";"
CLAMP = (-12.0, -1e-3)
"""Bounds of the log-probability of a prefix before its logit is taken, so that neither 0 nor 1 is."""


@dataclass
class _Ask:
    """One request of a call, while it is worked on."""

    call: Call
    request: Request
    text: bytes
    cached: int = 0
    begun: bool = False
    completions: tuple[Completion, ...] = ()
    seconds: float = 0.0

    @property
    def reply(self) -> Reply:
        return Reply(self.completions, len(self.text) if self.begun else 0, self.cached, self.seconds)


class Writer:
    """A small trained model as an `LM`; one that judges steps as well is an `Organism`.

    A prompt is text in the organism's alphabet, taken as it is; or a chat of one user message, a question that its grammar reads. A token
    is a character, and the line break ends a text. Completions depend on the request's seed, the sample's index and the text before,
    and on nothing else.

    Args:
        name: an organism on the shelf (`ponder models`), or a path that ends in .safetensors.
        price: dollars per million tokens.

    Raises:
        InputError: there is no such organism.
        EngineError: its file is damaged.
    """

    step_separator = SEPARATOR
    concurrency = 32

    def __init__(self, name: str | Path, *, price: Price | None = None) -> None:
        self.card = find(str(name))
        self.name, self.price = f"organism:{self.card.name}", price
        self._net = Net.load(self.card.path)
        alphabet = self.card.config.alphabet
        self.context_length = self.card.config.context
        # An organism that was trained to revise states how good its attempts in a row are.
        self.attempts = "continue" if "pass@1_by_attempt" in self.card.facts else ""
        self._letters, self._known = np.array(list(alphabet)), frozenset(alphabet)
        self._ids = {ord(c): chr(i) for i, c in enumerate(alphabet)}
        self._end = alphabet.index("\n")
        self._counted = np.array([c not in (SEPARATOR, "\n") for c in alphabet], dtype=np.float64)
        self._grammar = GRAMMARS[self.card.config.grammar]
        self._canonical = lru_cache(1024)(self._grammar.canonical)
        self._kept = Kept()
        self._told: dict[Told, Kept] = {"logprobs": Kept(), "values": Kept()}
        self._run = Combiner(self._batch)

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        meter = allowance or Allowance()
        texts = [self._tokens(r.prompt, r.prefix, spare=1) for r in requests]
        if not self.card.writes:
            raise EngineError(f"{self.name} only judges: it has no output head and cannot write")
        if not requests or meter.over(0.0):
            return [Reply(()) for _ in requests]
        return self._run(("generate", sampling), (tuple(zip(requests, texts, strict=True)), meter))

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        if not self.card.writes:
            raise EngineError(f"{self.name} only judges: it has no output head and tells no log-probabilities")
        began = time.perf_counter()
        pairs = [(len(self._tokens(c.prompt)), self._tokens(c.prompt, c.text)) for c in continuations]
        told, _ = self._run("logprobs", pairs) if pairs else ({}, {})
        seconds = time.perf_counter() - began
        return [Scored(tuple(told[text][start:].tolist()), len(text), seconds) for start, text in pairs]

    def close(self) -> None:
        """Forget what was read. The engine can be used again."""
        self._run("close", None)

    def _tokens(self, prompt: Prompt, more: str = "", spare: int = 0) -> bytes:
        """A prompt and what follows it as tokens, one byte each; room is left for `spare` more.

        Raises:
            InputError: for characters that are not in the alphabet, chats that are no single question, texts that do not fit.
        """
        if isinstance(prompt, str):
            text = prompt + more
        elif len(prompt) == 1 and prompt[0].role == "user":
            text = self._canonical(prompt[0].content) + more
        else:
            roles = ", ".join(m.role for m in prompt)
            raise InputError(f"{self.name} reads a chat of one user message: {self._grammar.READS}; given were the roles {roles}")
        unknown = set(text) - self._known
        if unknown:
            letters = "".join(self._letters)
            raise InputError(f"{self.name} reads only the characters {letters!r}, not {min(unknown)!r}; as a chat, {self._grammar.READS}")
        if not text or len(text) + spare > self.context_length:
            raise ContextOverflow(
                f"{self.name} reads texts of 1 to {self.context_length} characters; given were {len(text)}, with {spare} to write"
            )
        return text.translate(self._ids).encode("latin-1")

    def _batch(self, calls: Sequence[Call]) -> None:
        key: Hashable = calls[0].key
        if key == "close":
            for kept in (self._kept, *self._told.values()):
                kept.clear()
        elif key in self._told:
            self._tell(calls, key)  # pyright: ignore[reportArgumentType]
        else:
            self._generate(calls, key[1])  # pyright: ignore[reportIndexIssue]

    def _tell(self, calls: Sequence[Call], what: Told) -> None:
        kept, pairs = self._told[what], [pair for call in calls for pair in call.work]
        # What is known already of a text; the prompts, which many texts share, are read before them.
        cached = {text: max(0, min(n, len(text)) - (n < len(text))) for _, text in pairs for n, _ in [kept.find(text)]}
        tell(self._net, kept, (text[:start] for start, text in pairs), what)
        told = tell(self._net, kept, (text for _, text in pairs), what)
        for call in calls:
            call.result = told, cached

    def _generate(self, calls: Sequence[Call], sampling: Sampling) -> None:
        asked = {id(call): [_Ask(call, request, text) for request, text in call.work[0]] for call in calls}
        by_length: dict[int, list[_Ask]] = {}
        for ask in (ask for asks in asked.values() for ask in asks):
            by_length.setdefault(len(ask.text), []).append(ask)
        for asks in by_length.values():
            rows = 0
            chunk: list[_Ask] = []
            for ask in asks:
                n = _drawn(ask, sampling)
                if chunk and rows + n > ROWS:
                    self._draw(chunk, sampling)
                    chunk, rows = [], 0
                chunk.append(ask)
                rows += n
            self._draw(chunk, sampling)
        for call in calls:
            call.result = [ask.reply for ask in asked[id(call)]]

    def _draw(self, asks: Sequence[_Ask], sampling: Sampling) -> None:
        """Draw for requests of one length."""
        asks = [ask for ask in asks if not _meter(ask).over(_elapsed(ask))]
        if not asks:
            return
        for ask in asks:
            length, _ = self._kept.find(ask.text)
            ask.cached, ask.begun = min(length, len(ask.text) - 1), True
            _meter(ask).take(len(ask.text))
        # Requests of one text stand side by side, as `start` leaves its copies.
        places: dict[bytes, list[_Ask]] = {}
        for ask in asks:
            places.setdefault(ask.text, []).append(ask)
        texts = list(places)
        counts = [sum(_drawn(ask, sampling) for ask in places[text]) for text in texts]
        cache, logits, order = start(self._net, self._kept, texts, counts)
        firsts = order[np.flatnonzero(np.diff(order, prepend=-1))]
        placed = [ask for i in firsts for ask in places[texts[i]]]
        sizes = [_drawn(ask, sampling) for ask in placed]
        owner = np.repeat(np.arange(len(placed)), sizes)
        words = streams([placed[i].request.seed for i in owner], [k for n in sizes for k in range(n)])
        drawn = draw(
            self._net,
            self._kept,
            [placed[i].text for i in owner],
            cache,
            logits,
            words,
            self._rules(texts[0], sampling),
            _admit(placed, owner),
        )
        at = 0
        for ask, n in zip(placed, sizes, strict=True):
            ask.completions = self._completions(drawn, at, n, ask.request.n, sampling)
            ask.seconds = _elapsed(ask)
            at += n

    def _rules(self, text: bytes, sampling: Sampling) -> Rules:
        stops = tuple(s.translate(self._ids).encode("latin-1") if set(s) <= self._known else b"" for s in sampling.stop)
        limit = min(sampling.max_tokens, self.context_length - len(text))
        return Rules(sampling.temperature, sampling.top_k, sampling.top_p, limit, self._end, stops)

    def _completions(self, drawn: Drawn, at: int, rows: int, n: int, sampling: Sampling) -> tuple[Completion, ...]:
        """The completions of one request, whose rows begin at `at`; one greedy row is all n of them, and billed once."""
        found = [self._completion(drawn, i, sampling) for i in range(at, at + rows) if drawn.counts[i] or not drawn.cancelled[i]]
        if rows < n and found:
            found += [replace(found[0], tokens=0)] * (n - rows)
        return tuple(found)

    def _completion(self, drawn: Drawn, i: int, sampling: Sampling) -> Completion:
        count, end = int(drawn.counts[i]), int(drawn.ends[i])
        cut = 0 if end < 0 else 1 if end == 0 else len(sampling.stop[end - 1])
        ids = drawn.tokens[i, : count - cut]
        finish: FinishReason = "cancelled" if drawn.cancelled[i] else "stop" if end >= 0 else "length"
        return Completion(
            "".join(self._letters[ids]),
            count,
            finish,
            tuple(ids.tolist()),
            tuple(np.minimum(drawn.logprobs[i, : count - cut], 0).tolist()),
            sampling.stop[end - 1] if end > 0 else "",
            float(drawn.certainty[i, : count - cut].mean()) if count > cut else None,
        )


class Organism(Writer):
    """An organism that is a `RewardModel` too, by what its file says of rewards. Arguments as `Writer`."""

    def rewards(self, solutions: Sequence[Solution]) -> list[Rewards]:
        reward = self.card.reward
        if reward is None:
            raise EngineError(f"{self.name} judges no steps: its file says nothing of rewards (`ponder models` lists those that do)")
        began = time.perf_counter()
        what: Told = "logprobs" if reward.kind == "likelihood" else "values"
        pairs = [(len(self._tokens(s.prompt)), self._tokens(s.prompt, self._whole(s.steps, what))) for s in solutions]
        told, cached = self._run(what, pairs) if pairs else ({}, {})
        seconds = time.perf_counter() - began
        found: list[Rewards] = []
        for s, (length, text) in zip(solutions, pairs, strict=True):
            # A line break that ends the text belongs to its last step.
            ends = [*accumulate(map(len, s.steps[:-1]), initial=length), len(text)][1:]
            found.append(Rewards(self._judged(told[text], text, length, ends), len(text), cached[text], seconds))
        return found

    def _whole(self, steps: Sequence[str], what: Told) -> str:
        """The steps as one text. A value head reads the end of a solution at the line break, which completions leave out: it is put
        behind a last step that is whole and has no separator."""
        text = "".join(steps)
        ended = len(steps[-1]) == self._grammar.STEP - 1 and not text.endswith((SEPARATOR, "\n"))
        return text + "\n" * (what == "values" and ended)

    def _judged(self, told: np.ndarray[Any, Any], text: bytes, start: int, ends: Sequence[int]) -> tuple[float, ...]:
        """Rewards of steps that end before the places `ends`, from what was told of each token."""
        reward = self.card.reward
        assert reward is not None
        if reward.kind != "likelihood":
            read = [float(told[end - 1]) for end in ends]
            return tuple(_sigmoid(x) if reward.kind == "head" else (1 + math.tanh(x)) / 2 for x in read)
        counted = self._counted[np.frombuffer(text, dtype=np.uint8)[start:]]
        sums = np.cumsum(np.concatenate([[0.0], told[start:] * counted])).tolist()
        joint = [min(max(sums[end - start], CLAMP[0]), CLAMP[1]) for end in ends]
        return tuple(_sigmoid(reward.a * (x - math.log(-math.expm1(x))) + reward.b) for x in joint)


def _sigmoid(x: float) -> float:
    return (1 + math.tanh(x / 2)) / 2


def _meter(ask: _Ask) -> Allowance:
    return ask.call.work[1]


def _elapsed(ask: _Ask) -> float:
    return time.perf_counter() - ask.call.made


def _drawn(ask: _Ask, sampling: Sampling) -> int:
    """How many rows a request needs: greedy samples are all one."""
    return ask.request.n if sampling.temperature > 0 else 1


def _admit(asks: Sequence[_Ask], owner: np.ndarray[Any, Any]) -> Any:
    """For `draw`: each call's allowance is asked before each token of its rows, and told of them."""
    calls = list({id(ask.call): ask for ask in asks}.values())
    number = {id(ask.call): i for i, ask in enumerate(calls)}
    call_of = np.array([number[id(asks[i].call)] for i in owner])

    def admit(rows: np.ndarray[Any, Any]) -> Flags:
        counts = np.bincount(call_of[rows], minlength=len(calls))
        open_ = np.zeros(len(calls), dtype=bool)
        for i, ask in enumerate(calls):
            if counts[i] and not _meter(ask).over(_elapsed(ask)):
                _meter(ask).take(int(counts[i]))
                open_[i] = True
        return open_[call_of[rows]]

    return admit
