"""Reading an e-mail address."""

from __future__ import annotations

import re

from ponder.core.errors import InputError

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_LOCAL})@({_LABEL}(?:\.{_LABEL})*)", re.ASCII)


def read_address(text: str) -> str:
    """A plain address, as a@example.org; its domain in lower case. Nothing that could end a mail's header passes.

    Raises:
        InputError: it is none. The message does not repeat it.
    """
    found = _ADDRESS.fullmatch(text.strip(" "))
    if not found or len(found[1]) > 64 or len(found[0]) > 254:
        raise InputError("an e-mail address is written name@example.org, in ASCII, and this is none")
    return f"{found[1]}@{found[2].lower()}"
