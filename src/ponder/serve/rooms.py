"""What an application keeps for the addresses of a room: made once, on the first request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

R = TypeVar("R")
_LOCK = threading.Lock()


def kept(request: Request, name: str, make: Callable[[], R]) -> R:
    """What the application that a request came to keeps under a name; made if it is not there yet."""
    state = request.app.state
    with _LOCK:
        if not hasattr(state, name):
            setattr(state, name, make())
    return getattr(state, name)
