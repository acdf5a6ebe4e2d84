"""Which sandbox serves here."""

from __future__ import annotations

import functools

from ponder.core.errors import InputError, did_you_mean
from ponder.sandbox.bubblewrap import Bubblewrap
from ponder.sandbox.contract import Sandbox

_MAKERS = {"bubblewrap": Bubblewrap}


@functools.cache
def find(name: str = "auto") -> Sandbox:
    """The sandbox of that name, one for the whole process.

    Raises:
        InputError: for an unknown name.
        MissingExtra: if what it needs is not installed; says how to install it.
        EngineError: if it is installed, but cannot work here; says why.
    """
    if name == "auto":
        return find("bubblewrap")
    if name not in _MAKERS:
        raise InputError(f"no sandbox is called {name!r}: {did_you_mean(name, _MAKERS, 'one of ' + ', '.join(['auto', *_MAKERS]))}")
    return _MAKERS[name]()
