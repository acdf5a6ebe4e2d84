"""Which names of the tested code its tests may see."""

from __future__ import annotations

import builtins
import re
from typing import Any

from ponder.sandbox.contract import Check

_NAME = re.compile(r"[^\W\d]\w*")
_BUILTIN = frozenset(dir(builtins))


def named_in_tests(check: Check) -> list[str]:
    """All names in the tests and their setup, sorted: what to ask the code for."""
    return sorted(name for name in set(_NAME.findall("\n".join([check.setup, *check.tests]))) if not name.startswith("__"))


def without_builtins(defined: dict[str, Any]) -> dict[str, Any]:
    """What the code defines, less what would hide a builtin from the tests: `abs` of the code must not stand in their comparisons.

    The exception is a single such name: then it is what is tested (MBPP has a task to write `sum`), and the tests were written for it.
    """
    hiding = [name for name in defined if name in _BUILTIN]
    return defined if len(hiding) == len(defined) == 1 else {name: what for name, what in defined.items() if name not in hiding}
