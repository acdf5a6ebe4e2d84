"""What is asked, and one hypothesis about the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ponder.core.errors import InputError
from ponder.core.language import Message
from ponder.core.reading import READERS


@dataclass(frozen=True)
class Problem:
    """What is asked, without its gold answer, which stays in the task's grader.

    Attributes:
        prompt: the question, or chat messages that end in it.
        id: a name that is unique within its task.
        choices: the options of a multiple-choice question, in order (A, B, ...).
        context: passages that belong to the question.
        examples: worked (question, solution) pairs for few-shot prompts.
        reads: how an answer is read off a text, a name in `ponder.core.reading.READERS`.
        style: how the prompt is written ("plain", "cot", "few-shot"), unless a method says otherwise.
        stop: texts that end a completion, besides those of the sampling.
        data: what else belongs to the question (tests to pass, numbers to use); never the gold answer.
    """

    prompt: str | tuple[Message, ...]
    id: str = ""
    choices: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    reads: str = "auto"
    style: str = "plain"
    stop: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict[str, Any], compare=False)

    def __post_init__(self) -> None:
        if not self.prompt or (isinstance(self.prompt, str) and not self.prompt.strip()):
            raise InputError("the question is empty")
        if self.reads not in READERS:
            raise InputError(f"no answer reader is called {self.reads!r}; there are {', '.join(READERS)}")

    @property
    def question(self) -> str:
        """The question as one text: the prompt, or the content of its last message."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[-1].content

    def read(self, text: str) -> str | None:
        """The answer that a text gives, in canonical form; None if it gives none."""
        return READERS[self.reads](text, self.choices)


@dataclass(frozen=True)
class Candidate:
    """Immutable state of one hypothesis about a problem's answer.

    Attributes:
        text: what the model has written so far.
        value: the answer read off `text`, in canonical form; None if there is none.
        tokens: tokens generated for it.
        token_ids: ids of the text's tokens, where the engine tells; identity of a path is by these.
        logprob: log-probability of the text under the model at temperature 1, summed; None if the engine does not tell.
        token_logprobs: of each of `token_ids`, where the engine tells; else ().
        certainty: as in `Completion`, over all of the text; None if the engine does not tell.
        finished: True once nothing more will be written.
        finish: why the last extension ended: "stop", "length", "cancelled", or "" before the first.
        steps: the pieces that were written, in order, each with its separator.
        model: the engine that wrote it.
        scores: scorer -> the log-score it last gave this candidate.
        critique: what a critic said of it; "" if none did.
        resting: True once an extension has passed it by because it was finished. What it weighs is settled.
        root: which of the particles that `start` made it descends from.
        parent: the candidate that this one extends.
    """

    text: str = ""
    value: str | None = None
    tokens: int = 0
    token_ids: tuple[int, ...] = ()
    logprob: float | None = None
    token_logprobs: tuple[float, ...] = field(default=(), compare=False, repr=False)
    certainty: float | None = field(default=None, compare=False)
    finished: bool = False
    finish: str = ""
    steps: tuple[str, ...] = ()
    model: str = ""
    scores: Mapping[str, float] = field(default_factory=dict[str, float], compare=False)
    critique: str = field(default="", compare=False)
    resting: bool = field(default=False, compare=False)
    root: int = field(default=0, compare=False)
    parent: Candidate | None = field(default=None, compare=False, repr=False)

    @property
    def mean_logprob(self) -> float | None:
        """Log-probability a token: the log of one over the perplexity."""
        if self.logprob is None:
            return None
        return self.logprob / max(1, len(self.token_ids) or self.tokens)

    @property
    def lineage(self) -> tuple[Candidate, ...]:
        """The candidate and those it grew from, the oldest first."""
        line: list[Candidate] = [self]
        while line[-1].parent is not None:
            line.append(line[-1].parent)
        return tuple(line[::-1])

    @property
    def path(self) -> object:
        """What makes two completions the same path: their token ids, or their text where ids are unknown."""
        return self.token_ids or self.text
