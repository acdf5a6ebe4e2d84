"""What can go wrong, said so that the reader knows what to do.

Every error that ponder raises on purpose is a `PonderError`. Its message says what was wrong, what was given and what
would be right.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class PonderError(Exception):
    """Base of all errors that ponder raises on purpose."""


class InputError(PonderError, ValueError):
    """Something given to ponder cannot be used. Raised before anything is spent."""


class ContextOverflow(InputError):
    """A prompt is longer than the model's context. Raised before anything is spent."""


class ParseError(InputError):
    """A method's text could not be read. Names the place.

    Attributes:
        text: the text that was parsed.
        position: index into `text` of the first character that is wrong, 0 <= position <= len(text).
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        self.reason = message
        self.text = text
        self.position = max(0, min(position, len(text)))
        start = max(0, self.position - 60)
        shown = "".join(c if c.isprintable() else " " for c in text[start : self.position + 60])
        caret = " " * (self.position - start) + "^"
        super().__init__(f"{message} (at character {self.position + 1})\n  {shown}\n  {caret}")


class EngineError(PonderError):
    """A language model engine could not do what was asked (server down, bad reply, model will not load)."""


class ReplayDivergence(PonderError):
    """A stored call does not match the call that is being made at the same place of the same run."""


class BudgetExhausted(PonderError):
    """The budget has ended. Stages let it pass; the pipeline catches it and decides from the population it has."""


class MissingExtra(PonderError, ImportError):
    """An optional dependency is not installed. The message holds the command that installs it."""


def did_you_mean(given: str, known: Iterable[str], otherwise: str) -> str:
    """The end of an error about an unknown name: the nearest known one, or what to say where none is near."""
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else otherwise


def need(module: str, extra: str) -> ModuleType:
    """Import an optional `module`, or say which extra of ponder brings it.

    Raises:
        MissingExtra: if the module is not installed; the message is the exact install command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f"this needs {module}, which is not installed: pip install 'ponder[{extra}]'") from error
