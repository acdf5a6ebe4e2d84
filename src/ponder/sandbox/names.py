"""Which names of the tested code its tests may see."""

from __future__ import annotations

import builtins
import keyword
import re
from typing import Any

_NAME = re.compile(r"[^\W\d]\w*")
_BUILTIN = frozenset(dir(builtins))


def named_in(*sources: str) -> set[str]:
    """All names in some source; none of the interpreter's own (`__builtins__`)."""
    found = {name for source in sources for name in _NAME.findall(source)}
    return {name for name in found if not keyword.iskeyword(name) and not name.startswith("__")}


def without_builtins(defined: dict[str, Any]) -> dict[str, Any]:
    """What the code defines, less what would hide a builtin from the tests: `abs` of the code must not stand in their comparisons.

    The exception is a single such name: then it is what is tested (MBPP has a task to write `sum`), and the tests were written for it.
    """
    hiding = [name for name in defined if name in _BUILTIN]
    return defined if len(hiding) == len(defined) == 1 else {name: what for name, what in defined.items() if name not in hiding}
