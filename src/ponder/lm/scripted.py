"""An engine whose distribution is written down: for tests, demonstrations and exact comparisons."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence

from ponder.core.budget import Allowance, Price
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Completion, Continuation, FinishReason, Prompt, Reply, Request, Rewards, Sampling, Scored, Solution
from ponder.core.seeds import derive

Answers = Mapping[str, float] | Callable[[str], Mapping[str, float]]
"""Texts and their probabilities for every prompt, or a function that gives them for the text of a prompt."""

UNKNOWN = -50.0
"""Log-probability of a text that the answers do not hold."""

_PIECE = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")


def flatten(prompt: Prompt, prefix: str = "") -> str:
    """A prompt as one text: raw text as it is, a chat as lines "role: content" and the opened turn "assistant: prefix"."""
    if isinstance(prompt, str):
        return prompt + prefix
    return "".join(f"{m.role}: {m.content}\n" for m in prompt) + f"assistant: {prefix}"


class Scripted:
    """An engine that answers from given distributions over whole texts.

    A completion depends on the prompt, the request's seed, the engine's seed and its index among the n samples; never on order,
    threads or time. A token is a word with the whitespace before it; a text's log-probability is shared evenly by its tokens.
    Temperature T draws a text with probability proportional to p ** (1 / T); top_k and top_p choose among texts.

    Args:
        answers: probabilities of texts, summing to 1; or a function from the prompt's text (chats as `flatten` writes them) to them.
        name: what runs record.
        latency: seconds that a batch takes, spread evenly over its rounds of tokens. They are told in `Reply.seconds` and count
            against the allowance; nothing waits.
        faults: probability that a call raises `EngineError`, decided by the first request's seed.
        price: dollars per million tokens.
        seed: another seed is another engine with the same distribution.
        concurrency: how many questions side by side keep it busy.
        sleep: called with the seconds of each round, to make the latency real (`time.sleep`).

    Raises:
        InputError: for probabilities that do not sum to 1.
    """

    def __init__(
        self,
        answers: Answers,
        *,
        name: str = "scripted",
        latency: float = 0.0,
        faults: float = 0.0,
        price: Price | None = None,
        seed: int = 0,
        concurrency: int = 32,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        if not 0 <= faults <= 1 or not 0 <= latency < math.inf:
            raise InputError(f"faults must be in [0, 1] and latency at least 0 seconds, not {faults!r} and {latency!r}")
        if not callable(answers):
            _check(answers)
        self.name, self.price, self.concurrency = name, price, concurrency
        self._answers, self._latency, self._faults, self._seed, self._sleep = answers, latency, faults, seed, sleep
        self._calls = 0
        self._lock = threading.Lock()

    @property
    def calls(self) -> int:
        """How many times `generate` or `logprobs` was called, failed calls included."""
        with self._lock:
            return self._calls

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        self._count()
        if requests and derive(self._seed, ("fault", requests[0].seed)) < self._faults * 2**31:
            raise EngineError(f"{self.name} failed, as its script says (faults={self._faults})")
        meter = allowance or Allowance()
        if meter.over(0.0):
            return [Reply(()) for _ in requests]
        prompts = [len(_pieces(flatten(r.prompt, r.prefix))) or 1 for r in requests]
        drafts = [self._draw(r, sampling) for r in requests]
        meter.take(sum(prompts))
        done, elapsed = self._spend(drafts, meter)
        return [
            Reply(tuple(c for d in ds if (c := d.cut(done)) is not None), prompt_tokens=tokens, seconds=elapsed)
            for ds, tokens in zip(drafts, prompts, strict=True)
        ]

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        self._count()
        found: list[Scored] = []
        for c in continuations:
            prompt = flatten(c.prompt)
            tokens = len(_pieces(c.text))
            shares = (_logprob(self._table(prompt).get(c.text, 0.0)) / tokens,) * tokens
            found.append(Scored(shares, prompt_tokens=(len(_pieces(prompt)) or 1) + tokens, seconds=self._latency))
        if self._sleep is not None:
            self._sleep(self._latency)
        return found

    def close(self) -> None:
        """There is nothing to free."""

    def _count(self) -> None:
        with self._lock:
            self._calls += 1

    def _table(self, prompt: str) -> Mapping[str, float]:
        return _check(self._answers(prompt)) if callable(self._answers) else self._answers

    def _draw(self, request: Request, sampling: Sampling) -> list[_Draft]:
        prompt = flatten(request.prompt, request.prefix)
        table = self._table(prompt)
        texts, masses = _tempered(table, sampling)
        drafts: list[_Draft] = []
        for i in range(request.n):
            place = derive(self._seed, (prompt, request.seed, i)) / 2**31 * sum(masses)
            text = _pick(texts, masses, place)
            billed = sampling.temperature > 0 or i == 0
            drafts.append(_Draft(text, _logprob(table[text]), sampling, billed))
        return drafts

    def _spend(self, drafts: Sequence[Sequence[_Draft]], meter: Allowance) -> tuple[int, float]:
        """Hand out tokens, one to each open completion a round; returns the rounds done and the seconds they took."""
        lengths = [d.tokens for ds in drafts for d in ds]
        rounds = max(lengths, default=0)
        done, elapsed = 0, 0.0
        while done < rounds and not meter.over(elapsed):
            meter.take(sum(length > done for length in lengths))
            if meter.listener is not None:
                for i, ds in enumerate(drafts):
                    for j, draft in enumerate(ds):
                        for piece in draft.pieces[done : done + 1]:
                            meter.listener(i, j, piece)
            done += 1
            elapsed = self._latency * done / rounds
            if self._sleep is not None:
                self._sleep(self._latency / rounds)
        return done, elapsed


class ScriptedRewards:
    """A reward model whose judgement is written down. Implements `RewardModel`.

    Args:
        judge: the probability for each step of a solution.
        name: what runs record.
        price: dollars per million tokens.
    """

    def __init__(self, judge: Callable[[Solution], Sequence[float]], *, name: str = "scripted rewards", price: Price | None = None) -> None:
        self.name, self.price, self._judge = name, price, judge

    def rewards(self, solutions: Sequence[Solution]) -> list[Rewards]:
        tokens = [len(_pieces(flatten(s.prompt, "".join(s.steps)))) for s in solutions]
        return [Rewards(tuple(self._judge(s)), prompt_tokens=n) for s, n in zip(solutions, tokens, strict=True)]

    def close(self) -> None:
        """There is nothing to free."""


class _Draft:
    """A drawn text before it is known how much of it the allowance lets through."""

    def __init__(self, text: str, logprob: float, sampling: Sampling, billed: bool) -> None:
        share = logprob / max(1, len(_pieces(text)))
        ends = [at for s in sampling.stop if (at := text.find(s)) >= 0]
        pieces = _pieces(text[: min(ends)] if ends else text)
        self.finish: FinishReason = "length" if len(pieces) > sampling.max_tokens else "stop"
        self.stopped_by = next((s for s in sampling.stop if ends and text.startswith(s, min(ends))), "")
        self.pieces = pieces[: sampling.max_tokens]
        self.share = share
        self.billed = billed
        self.length = max(1, len(self.pieces))

    @property
    def tokens(self) -> int:
        return self.length if self.billed else 0

    def cut(self, rounds: int) -> Completion | None:
        """The completion after so many rounds; None if it never began."""
        if rounds == 0:
            return None
        pieces = self.pieces[:rounds]
        return Completion(
            text="".join(pieces),
            tokens=min(self.tokens, rounds),
            finish=self.finish if rounds >= self.length else "cancelled",
            token_ids=tuple(derive(0, (p,)) for p in pieces),
            logprobs=(self.share,) * len(pieces),
            stopped_by=self.stopped_by if self.finish == "stop" and rounds >= self.length else "",
        )


def _check(answers: Mapping[str, float]) -> Mapping[str, float]:
    wrong = [text for text, p in answers.items() if not 0 <= p <= 1 + 1e-6]
    if wrong or abs(math.fsum(answers.values()) - 1) > 1e-6:
        given = f"{wrong[0]!r} has {answers[wrong[0]]!r}" if wrong else f"they sum to {math.fsum(answers.values())!r}"
        raise InputError(f"the probabilities of a scripted engine's texts must be in [0, 1] and sum to 1; {given}")
    return answers


def _pieces(text: str) -> list[str]:
    return _PIECE.findall(text)


def _logprob(p: float) -> float:
    return max(UNKNOWN, math.log(p)) if p > 0 else UNKNOWN


def _tempered(table: Mapping[str, float], sampling: Sampling) -> tuple[list[str], list[float]]:
    """The texts that may be drawn, the most probable first, and their masses (which need not sum to 1)."""
    ranked = sorted(((p, text) for text, p in table.items() if p > 0), key=lambda pair: (-pair[0], pair[1]))
    if sampling.temperature == 0:
        return [ranked[0][1]], [1.0]
    # Dividing by the largest first keeps tiny temperatures from underflowing to no mass at all.
    masses = [math.exp(math.log(p / ranked[0][0]) / sampling.temperature) for p, _ in ranked]
    keep = min(sampling.top_k or len(masses), len(masses))
    total, before, nucleus = math.fsum(masses[:keep]), 0.0, 0
    while nucleus < keep and (nucleus == 0 or before < sampling.top_p * total):
        before += masses[nucleus]
        nucleus += 1
    return [text for _, text in ranked[:nucleus]], masses[:nucleus]


def _pick(texts: Sequence[str], masses: Sequence[float], place: float) -> str:
    for text, mass in zip(texts, masses, strict=True):
        place -= mass
        if place < 0:
            return text
    return texts[-1]
