"""Step-by-step reasoning with a language model: a program whose steps are pieces of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Completion, Request, Sampling
from ponder.core.problem import Candidate
from ponder.programs.complete import begin, grown
from ponder.programs.graft import grafted

SEPARATOR = "\n\n"
FINAL = ("\\boxed{", "The answer is", "the answer is", "Final answer")
"""A step that holds one of these is the last."""


@dataclass(frozen=True)
class Reasoner:
    """A language model that writes a solution step by step. Implements `ponder.core.context.Program`; states are candidates.

    A step is the text up to and with the separator. A candidate is finished when the model ends by itself, when a step holds one
    of `FINAL`, when a step is empty, after `max_steps` steps, or when it has the sampling's `max_tokens` tokens (checked between
    steps, so that it can be longer by what others had left).

    Args:
        separator: what ends a step; None is what the engine says (`step_separator`), else a blank line.
        max_steps: the most steps a candidate may have.
        step_tokens: the longest step, in tokens; what is cut there goes on in the next step.
        model: which of the run's models writes; the first by default.
    """

    separator: str | None = None
    max_steps: int = 40
    step_tokens: int | None = None
    model: str = ""

    def __post_init__(self) -> None:
        if self.separator == "" or self.max_steps < 1 or (self.step_tokens is not None and self.step_tokens < 1):
            raise InputError(
                "a step needs a separator that is not empty, and limits of at least 1; given were "
                f"{self.separator!r}, max_steps={self.max_steps}, step_tokens={self.step_tokens}"
            )

    def start(self, n: int, context: Context) -> Sequence[Candidate]:
        return tuple(Candidate(root=i) for i in range(n))

    def finished(self, states: Sequence[Candidate]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.array([c.finished for c in states], dtype=bool)

    def retrace(self, final: Candidate, state: Candidate | None) -> tuple[Candidate, float]:
        if state is None:
            return final.lineage[0], 0.0
        return next(c for c in final.lineage if len(c.steps) == len(state.steps) + 1), 0.0

    def graft(
        self, final: Candidate, state: Candidate, states: Sequence[Candidate], context: Context
    ) -> tuple[Sequence[Candidate], np.ndarray[Any, np.dtype[np.float64]]]:
        return grafted(final, state, states, context, self.model)

    def extend(
        self, states: Sequence[Candidate], width: int, context: Context
    ) -> tuple[Sequence[Candidate], np.ndarray[Any, np.dtype[np.float64]]]:
        """Each state one step on, `width` times; one that the budget left unextended stays as it was. Increments are 0."""
        prompt, sampling = begin(context)
        separator, limit = self._separator(context), sampling.max_tokens
        room = max(1, limit - min(c.tokens for c in states))
        sampling = replace(
            sampling,
            max_tokens=min(room, self.step_tokens or room),
            stop=tuple(dict.fromkeys((*sampling.stop, separator))),
        )
        name, _ = context.model(self.model)
        replies = context.generate([Request(prompt, n=width, prefix=c.text) for c in states], sampling, self.model)
        children: list[Candidate] = []
        for state, reply in zip(states, replies, strict=True):
            own = [self._child(state, c, separator, limit, sampling, context, name) for c in reply.completions]
            children += own + [state] * (width - len(own))
        return tuple(children), np.zeros(len(children))

    def split(self, text: str, context: Context) -> list[str]:
        """A text cut into steps, each with its separator but for a last one that has none."""
        separator = self._separator(context)
        pieces = text.split(separator)
        return [piece + separator for piece in pieces[:-1]] + [pieces[-1]] * bool(pieces[-1])

    def _separator(self, context: Context) -> str:
        if self.separator is not None:
            return self.separator
        _, lm = context.model(self.model)
        return getattr(lm, "step_separator", None) or SEPARATOR

    def _child(
        self, state: Candidate, completion: Completion, separator: str, limit: int, sampling: Sampling, context: Context, model: str
    ) -> Candidate:
        # An engine that does not tell what stopped it is taken to have met the separator; if it had not, the next step is empty.
        parted = completion.finish == "stop" and completion.stopped_by in (separator, None) and bool(completion.text.strip())
        step = completion.text + separator * parted
        child = grown(state, completion, model, step)
        empty = not completion.text.strip()
        if empty and completion.finish == "stop":
            context.trace.note("a step was empty and was taken for the end of its candidate")
        full = completion.finish == "length" and (completion.tokens < sampling.max_tokens or child.tokens >= limit)
        over = len(child.steps) >= self.max_steps or child.tokens >= limit
        if over and parted:
            context.trace.note(f"candidates reached the limit of {self.max_steps} steps or {limit} tokens and were ended there")
        done = completion.finish != "cancelled" and ((not parted and completion.finish == "stop") or full or over or self._says_so(step))
        if not done:
            return child
        text = child.text.removesuffix(separator)
        return replace(child, text=text, finished=True, value=context.problem.read(text))

    def _says_so(self, step: str) -> bool:
        return any(mark in step for mark in FINAL)
