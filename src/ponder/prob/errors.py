"""What can go wrong in a probabilistic program."""

from __future__ import annotations

from ponder.core.errors import InputError, PonderError


class ImpossibleModelError(PonderError):
    """Every run that was tried has weight zero."""


class InfiniteSupportError(InputError):
    """A continuous draw cannot be enumerated."""


class TraceMismatchError(PonderError):
    """A recorded trace does not fit the program that replays it: it draws or scores at other places."""


class NotPure(PonderError):
    """The same trace gave another value when it was replayed: the program is random or remembers beside its context."""
