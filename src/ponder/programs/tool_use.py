"""Reasoning that calls tools: one stream of thought, hints, code and results (START, Li et al. 2025, section 3.1).

The model writes until it opens a code block, doubts itself or is about to stop. A closed code block is run and its result put behind
it; at a doubt or before the stop a hint may be put in. Then the model goes on from what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ponder.core.errors import BudgetExhausted, EngineError, InputError
from ponder.core.fitting import each_that_fits
from ponder.core.language import Completion, Prompt, Reply, Request, Sampling
from ponder.core.seeds import generator
from ponder.programs.hints import Hints
from ponder.programs.tools import Tool, ToolResult

Kind = Literal["thought", "hint", "code", "output"]
Draw = Callable[[Sequence[Request], Sampling], Sequence[Reply]]
"""Asks the model: one reply a request; raises `BudgetExhausted` when nothing may be spent."""

_FULL = Reply((Completion("", 0, "length", stopped_by=""),))
"""The reply to a stream that does not fit the model's context any more."""

SHOWN = 500
"""Characters of a result that the model is shown; the rest is cut."""


@dataclass(frozen=True)
class Markup:
    """How the parts of a stream are marked.

    Attributes:
        code, output: what opens and closes a code block, and a result.
        doubts: what the model writes when it doubts itself, with a mark of punctuation, so that the word has ended.
        refusal: what stands in place of a result when no calls are left.
    """

    code: tuple[str, str]
    output: tuple[str, str]
    doubts: tuple[str, ...] = ("Wait,", "Alternatively,")
    refusal: str = "No calls are left."


MARKUPS = {
    "fenced": Markup(("```python\n", "```"), ("\n```output\n", "\n```\n")),
    "brackets": Markup(("[", "]"), ("{", "}"), refusal="?"),
}


@dataclass(frozen=True)
class Segment:
    """A part of a stream; its text holds its marks."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Trajectory:
    """A whole stream.

    Attributes:
        segments: its parts in order; their texts together are the text.
        calls: tool calls that were run.
        hints: hints that were put in.
        tokens: that the model wrote.
        finish: "stop", "length" or "cancelled", as of a completion.
        looped: whether a hint led to a result that it had led to before; no further hint was put in.
        settled: how many parts there were when a hint last kept the model from stopping. What stands there is an answer already.
    """

    segments: tuple[Segment, ...]
    calls: int = 0
    hints: int = 0
    tokens: int = 0
    finish: str = "stop"
    looped: bool = False
    settled: int = 0

    @property
    def text(self) -> str:
        return "".join(s.text for s in self.segments)


@dataclass(frozen=True)
class Plan:
    """How streams are led.

    Attributes:
        tool: what runs code.
        hints: what may be put in.
        rounds: the most hints of a stream.
        where: the places of hints: "end" (before the stop) and "doubt" (behind a word of doubt).
        chance: probability of a hint at a doubt.
        calls: the most tool calls of a stream.
        markup: how parts are marked.
    """

    tool: Tool
    hints: Hints
    rounds: int = 1
    where: tuple[str, ...] = ("end",)
    chance: float = 1.0
    calls: int = 6
    markup: Markup = MARKUPS["fenced"]

    def __post_init__(self) -> None:
        if self.rounds < 0 or self.calls < 0 or not 0 <= self.chance <= 1 or not set(self.where) <= {"end", "doubt"}:
            raise InputError(f"a plan needs rounds and calls of at least 0, a chance in [0, 1] and places 'end' or 'doubt', not {self}")


def parse(text: str, markup: Markup, hints: Hints) -> tuple[Segment, ...]:
    """A stream's parts, read off its text; their texts together are the text. A result is what stands directly behind a code block."""
    code = f"{re.escape(markup.code[0])}.*?(?:{re.escape(markup.code[1])}|\\Z)"
    known = "|".join(re.escape(h) for h in sorted(hints.texts, key=len, reverse=True))
    output = re.compile(f"{re.escape(markup.output[0])}.*?(?:{re.escape(markup.output[1])}|\\Z)", re.DOTALL)
    found: list[Segment] = []
    at = 0
    for match in re.finditer(f"(?P<code>{code})|(?P<hint>{known})", text, re.DOTALL):
        if match.start() < at:
            continue
        _join(found, "thought", text[at : match.start()])
        found.append(Segment("code" if match["code"] else "hint", match[0]))
        at = match.end()
        result = output.match(text, at) if match["code"] else None
        if result:
            found.append(Segment("output", result[0]))
            at = result.end()
    _join(found, "thought", text[at:])
    return tuple(found)


def think(prompts: Sequence[Prompt], draw: Draw, sampling: Sampling, plan: Plan, seed: int = 0) -> list[Trajectory]:
    """A stream for each prompt, all side by side.

    Args:
        prompts: equal ones are streams of their own.
        draw: asks the model.
        sampling: of every piece; `max_tokens` is the most that the model writes of a stream.
        plan: tool, hints and limits.
        seed: of which hint is put in, and whether one is at a doubt.

    Raises:
        EngineError: the engine does not say what ended a piece.
        BudgetExhausted: the budget ended before anything was drawn. Later ends leave streams cancelled.
    """
    streams = [_Stream(prompt, plan, seed, i) for i, prompt in enumerate(prompts)]
    while True:
        groups: dict[tuple[str, ...], list[_Stream]] = {}
        for stream in streams:
            if not stream.finish:
                groups.setdefault(stream.stops(), []).append(stream)
        if not groups:
            return [s.trajectory() for s in streams]
        for stops, group in groups.items():
            _extended(group, draw, replace(sampling, stop=(*sampling.stop, *stops)))
        waiting = [s for s in streams if s.waiting is not None]
        spent = [s.calls >= plan.calls for s in waiting]
        results = iter(plan.tool.run([s.waiting or "" for s, over in zip(waiting, spent, strict=True) if not over]))
        for stream, over in zip(waiting, spent, strict=True):
            stream.answered(None if over else next(results))


def _extended(group: Sequence[_Stream], draw: Draw, sampling: Sampling) -> None:
    room = max(1, sampling.max_tokens - min(s.tokens for s in group))
    try:
        requests = [Request(s.prompt, prefix=s.text) for s in group]
        found = each_that_fits(lambda some: draw(some, replace(sampling, max_tokens=room)), requests)
        replies = [_FULL if reply is None else reply for reply in found]
    except BudgetExhausted:
        if not any(s.segments for s in group):
            raise
        replies = [Reply(())] * len(group)
    for stream, reply in zip(group, replies, strict=True):
        stream.take(reply.completions[0] if reply.completions else None, sampling.max_tokens)


@dataclass
class _Stream:
    """A stream while it is written."""

    prompt: Prompt
    plan: Plan
    seed: int
    place: int
    segments: list[Segment] = field(default_factory=list[Segment])
    text: str = ""
    coding: bool = False
    waiting: str | None = None
    calls: int = 0
    hints: int = 0
    tokens: int = 0
    finish: str = ""
    seen: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    hint: str = ""
    looped: bool = False
    refused: bool = False
    settled: int = 0

    def stops(self) -> tuple[str, ...]:
        """What ends the next piece: in code its end; in thought the beginning of code, and doubts where a hint may follow."""
        if self.coding:
            return (self.plan.markup.code[1],)
        return (self.plan.markup.code[0], *(self.plan.markup.doubts if self._may_hint("doubt") else ()))

    def take(self, piece: Completion | None, limit: int) -> None:
        """Put a piece that the model wrote behind the stream, and see what follows."""
        if piece is None or piece.finish == "cancelled":
            self._add("code" if self.coding else "thought", piece.text if piece else "")
            self.tokens += piece.tokens if piece else 0
            self.finish = "cancelled"
            return
        if piece.finish == "stop" and piece.stopped_by is None:
            raise EngineError("tools need an engine that says what ended a completion; this one does not")
        self._add("code" if self.coding else "thought", piece.text)
        self.tokens += piece.tokens
        stop, markup = piece.stopped_by or "", self.plan.markup
        if piece.finish == "length":
            self.finish = "length"
        elif self.coding and stop == markup.code[1]:
            self._add("code", stop)
            self.waiting = self.segments[-1].text.removeprefix(markup.code[0]).removesuffix(markup.code[1])
        elif not self.coding and stop == markup.code[0]:
            self._open()
        elif not self.coding and stop in markup.doubts:
            self._doubted(stop)
        elif not self.coding and self._may_hint("end"):
            self._put("end")
        else:
            self.finish = "stop"
        if not self.finish and self.tokens >= limit:
            self.finish, self.waiting = "length", None

    def answered(self, result: ToolResult | None) -> None:
        """Put a result behind the code; None is a call that was not run, and the second of these ends the stream."""
        text = self.plan.markup.refusal if result is None else shown(result, self.plan.markup)
        opened, closed = self.plan.markup.output
        self._add("output", opened + text + closed)
        self.coding, self.waiting = False, None
        if result is None:
            self.finish = "stop" if self.refused else ""
            self.refused = True
        else:
            self.calls += 1
        if self.hint:
            self.looped |= (self.hint, text) in self.seen
            self.seen.add((self.hint, text))

    def trajectory(self) -> Trajectory:
        return Trajectory(tuple(self.segments), self.calls, self.hints, self.tokens, self.finish, self.looped, self.settled)

    def _may_hint(self, where: str) -> bool:
        return where in self.plan.where and self.hints < self.plan.rounds and not self.looped

    def _doubted(self, word: str) -> None:
        alone = not self.text[-1:].isalnum()
        self._add("thought", word)
        if alone and self._rng().random() < self.plan.chance:
            self._put("doubt")

    def _put(self, where: Literal["end", "doubt"]) -> None:
        if where == "end":
            self.settled = len(self.segments)
        texts = getattr(self.plan.hints, where)
        self.hint = texts[int(self._rng(where).integers(len(texts)))]
        self.hints += 1
        self._add("hint", self.hint)
        if self.plan.hints.opens:
            self._open()

    def _open(self) -> None:
        self.segments.append(Segment("code", self.plan.markup.code[0]))
        self.text += self.plan.markup.code[0]
        self.coding = True

    def _add(self, kind: Kind, text: str) -> None:
        _join(self.segments, kind, text)
        self.text += text

    def _rng(self, *steps: str) -> np.random.Generator:
        return generator(self.seed, ("hint", self.place, len(self.text), *steps))


def _join(segments: list[Segment], kind: Kind, text: str) -> None:
    """Put text behind the last part if it is of the same kind, else begin a new part; nothing for no text."""
    if text and segments and segments[-1].kind == kind and kind in ("thought", "code"):
        segments[-1] = Segment(kind, segments[-1].text + text)
    elif text:
        segments.append(Segment(kind, text))


def shown(result: ToolResult, markup: Markup) -> str:
    """A result as the model reads it: data, cut to `SHOWN` characters, in which no mark of the stream can stand."""
    text = "\n".join(part for part in (result.output.strip(), result.error.strip()) if part)
    for mark in (*markup.code, *markup.output):
        text = text.replace(mark.strip(), "")
    return text if len(text) <= SHOWN else text[:SHOWN] + " ..."
