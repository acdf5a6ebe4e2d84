"""A panel of judges for chained arithmetic: an engine that answers the prompts of layered methods by trained organisms and by rules.

Its fuser is the organism `chain-revise`, which was trained to write a better attempt with up to four earlier ones in view. Its ranker and
critic read the outcome reward model `chain-outcome`. Its verifier errs at a stated rate. Its unit tests are checks that need no solution:
the parity of the result, and what the last operation says of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ponder.core.budget import Allowance, Price
from ponder.core.errors import EngineError
from ponder.core.language import Completion, Continuation, Prompt, Reply, Request, Sampling, Scored, Solution
from ponder.core.reading import read_number
from ponder.organisms import chain
from ponder.papers.sampling.organism_paths import judging, organism, steps
from ponder.programs import layer_prompts as asked

FUSER, JUDGE = "chain-revise", "chain-outcome"
SHOWN = 4
"""Attempts that the fuser has room for."""
RIGHT, WRONG = 0.85, 0.25
"""How often the verifier accepts what is right, and what is wrong."""
_LISTED = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)
_CRITIQUE = re.compile(r"^Critique of \[(\d+)\]: (.*)$", re.MULTILINE)
_ENDINGS = {
    "critic": asked.CRITICISE,
    "ranker": asked.RANK.partition("{n}")[2],
    "chooser": asked.PICK,
    "fuser": asked.FUSE.partition("{critiques}")[2],
    "verifier": asked.VERDICT,
    "verifier after": asked.VERDICT_AFTER,
    "reasons": asked.REASONS,
    "tester": asked.PROPOSE_TESTS.partition("{n}")[2],
    "test judge": asked.JUDGE_TESTS,
}


@dataclass(frozen=True)
class _Ask:
    """A prompt of a layer, taken apart."""

    who: str
    question: str
    answers: tuple[str, ...]
    critiques: dict[int, str]
    statements: tuple[str, ...]


class Panel:
    """The engine. Implements `ponder.core.language.LM`; a token is a character, as for the organisms.

    Args:
        right, wrong: how often its verifier accepts a right and a wrong answer.
    """

    name, concurrency = "panel", 32
    price: Price | None = None

    def __init__(self, right: float = RIGHT, wrong: float = WRONG) -> None:
        self._right, self._wrong = right, wrong
        self._fuser, self._judge = organism(FUSER), judging(JUDGE)

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        asks = [_apart(r.prompt) for r in requests]
        fused = [i for i, a in enumerate(asks) if a.who == "fuser"]
        written = dict(zip(fused, self._fused([asks[i] for i in fused], [requests[i] for i in fused], sampling, allowance), strict=True))
        replies: list[Reply] = []
        for i, (ask, request) in enumerate(zip(asks, requests, strict=True)):
            if i in written:
                replies.append(written[i])
                continue
            text = self._said(ask, np.random.default_rng(request.seed))
            replies.append(Reply((Completion(text, len(text)),) * request.n, len(ask.question) + sum(map(len, ask.answers))))
        return replies

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        raise EngineError("the panel tells no log-probabilities")

    def close(self) -> None:
        """There is nothing to free."""

    def _fused(self, asks: Sequence[_Ask], requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None) -> list[Reply]:
        """New attempts, written with the best of the listed ones last in view; those that a critic found wrong are left out if others are
        there."""
        if not asks:
            return []
        prompts = [chain.canonical(a.question) + "".join(text + "\n" for text in _shown(a)) for a in asks]
        again = [Request(p, n=r.n, seed=r.seed) for p, r in zip(prompts, requests, strict=True)]
        return self._fuser.generate(again, sampling, allowance)

    def _said(self, ask: _Ask, rng: np.random.Generator) -> str:
        if ask.who in ("ranker", "chooser", "critic"):
            scores = self._scores(ask)
            if ask.who == "critic":
                return "\n".join(f"[{i}] {'likely right' if s >= 0.5 else 'likely wrong'}" for i, s in enumerate(scores, 1))
            order = np.argsort(-scores, kind="stable") + 1
            return " > ".join(f"[{i}]" for i in order) if ask.who == "ranker" else f"[{order[0]}]"
        if ask.who.startswith("verifier"):
            right = _number(ask.answers[0]) == chain.solve(ask.question)[-1]
            return "[Correct]" if rng.random() < (self._right if right else self._wrong) else "[Incorrect]"
        if ask.who == "tester":
            return "\n".join(f"[{i}] {test}" for i, test in enumerate(partial_checks(ask.question), 1))
        if ask.who == "test judge":
            value = _number(ask.answers[0])
            return "\n".join(f"[{i}] {'pass' if passes(s, value) else 'fail'}" for i, s in enumerate(ask.statements, 1))
        return "It was worked from left to right."

    def _scores(self, ask: _Ask) -> np.ndarray:
        """What the outcome model says of each listed answer."""
        canonical = chain.canonical(ask.question)
        rewards = self._judge.rewards([Solution(canonical, steps(text)) for text in ask.answers if text])
        known = iter(rewards)
        return np.array([next(known).values[-1] if text else 0.0 for text in ask.answers])


def partial_checks(question: str) -> list[str]:
    """Two checks of a chain's result: its parity, worked out modulo 2, and what its last operation says of it."""
    canonical = chain.canonical(question)
    parity = int(canonical[2]) % 2
    operations = re.findall(r"([-+*])(\d\d)", canonical)
    for operator, b in operations:
        parity = parity * int(b) % 2 if operator == "*" else (parity + int(b)) % 2
    operator, b = operations[-1][0], int(operations[-1][1])
    last = {"*": f"it is a multiple of {b}", "+": f"it is at least {b}", "-": f"it is at most {999 - b}"}[operator]
    return ["it is odd" if parity else "it is even", last]


def passes(statement: str, value: int | None) -> bool:
    """Whether a number satisfies a statement of `partial_checks`; what is no number satisfies none."""
    if value is None:
        return False
    if statement in ("it is odd", "it is even"):
        return value % 2 == (statement == "it is odd")
    bound = int(statement.rpartition(" ")[2])
    return value % bound == 0 if "multiple" in statement else value >= bound if "least" in statement else value <= bound


def _number(text: str) -> int | None:
    value = read_number(text)
    return int(value) if value is not None and value.isdecimal() else None


def _shown(ask: _Ask) -> list[str]:
    """What the fuser sees: the listed answers that can be read as attempts, the best first in the list and last here."""
    liked = [t for i, t in enumerate(ask.answers, 1) if "wrong" not in ask.critiques.get(i, "")] or list(ask.answers)
    whole = [t for t in liked if len(chain.values(t)) <= chain.SLOTS and t and set(t) <= set("0123456789;")]
    return whole[:SHOWN][::-1]


def _apart(prompt: Prompt) -> _Ask:
    """A layer's prompt: who is asked, about which question and answers.

    Raises:
        EngineError: it is none that the panel knows.
    """
    text = prompt if isinstance(prompt, str) else prompt[-1].content
    who = next((name for name, end in _ENDINGS.items() if text.endswith(end)), None)
    if who is None or not text.startswith("Question: "):
        raise EngineError(f"the panel answers only the prompts of layers, not {text[:60]!r}")
    question = text.removeprefix("Question: ").partition("\n\n")[0]
    statements = tuple(t for _, t in _LISTED.findall(text.partition("Statements:\n")[2])) if who == "test judge" else ()
    alone = re.search(r"^Proposed answer: (.*)$", text, re.MULTILINE)
    answers = (alone[1],) if alone else tuple(t for _, t in _LISTED.findall(text))
    return _Ask(who, question, answers, {int(i): t for i, t in _CRITIQUE.findall(text)}, statements)
