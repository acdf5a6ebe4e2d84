"""Filters of what goes into a model's context: by name, or by what its definitions amount to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ponder.core.errors import InputError
from ponder.trust.unlearning.theory import Theory

Definition = tuple[str, tuple[str, ...]]
_BLOCK = re.compile(r"\bDEF\s+(.*?)\s+SEP\b")


def defined_in(text: str) -> list[Definition]:
    """The definitions in a text of the form `DEF name part part ... SEP`, in order."""
    blocks = [block.split() for block in _BLOCK.findall(text)]
    return [(words[0], tuple(words[1:])) for words in blocks if len(words) > 1]


@dataclass(frozen=True)
class Verdict:
    """What a filter says of a prompt.

    Attributes:
        allowed: whether the prompt may pass.
        reason: why not; "" if it may.
        tokens: words that were read to decide: the filter's own cost.
    """

    allowed: bool
    reason: str
    tokens: int


@dataclass(frozen=True)
class ContextFilter:
    """Refuses prompts that name, or amount to, a forbidden concept.

    Attributes:
        theory: what concepts mean.
        forbidden: concepts that must not be worked with.
        mode: "keyword" refuses the forbidden names. "semantic" also refuses any definition whose axioms include all those of
            a forbidden concept, however it is worded, ordered or aliased.
        scope: "message" reads each message by itself, so a definition split over two messages passes; "conversation" remembers what
            earlier messages defined.
        read: text -> the definitions in it; give your own for your own wording.

    Raises:
        InputError: for a forbidden name without a definition, or none.
    """

    theory: Theory
    forbidden: Sequence[str]
    mode: Literal["keyword", "semantic"] = "semantic"
    scope: Literal["message", "conversation"] = "conversation"
    read: Callable[[str], list[Definition]] = field(default=defined_in, repr=False)

    def __post_init__(self) -> None:
        unknown = [name for name in self.forbidden if name not in self.theory.definitions]
        if unknown or not self.forbidden:
            raise InputError(f"forbidden concepts must have definitions in the theory, at least one; {unknown or 'none'} given")
        if self.mode not in ("keyword", "semantic") or self.scope not in ("message", "conversation"):
            raise InputError(
                f"the mode is 'keyword' or 'semantic', the scope 'message' or 'conversation', not {self.mode!r}, {self.scope!r}"
            )

    def check(self, prompt: str | Sequence[str]) -> Verdict:
        """Read a prompt, or the messages of a conversation in order, and say whether the last message may pass along with the others."""
        known, tokens = self.theory, 0
        for message in [prompt] if isinstance(prompt, str) else prompt:
            words = message.split()
            tokens += len(words)
            named = sorted(set(words) & set(self.forbidden))
            if named:
                return Verdict(False, f"it names {named[0]}", tokens)
            if self.mode == "keyword":
                continue
            if self.scope == "message":
                known = self.theory
            for name, parts in self.read(message):
                meaning = known.closure(parts)
                for concept in self.forbidden:
                    if meaning >= self.theory.closure([concept]):
                        return Verdict(False, f"what it calls {name} amounts to {concept}", tokens)
                # What a name meant before it was defined again is expanded, so a name may be built upon itself.
                known = known.extended({name: meaning})
        return Verdict(True, "", tokens)
