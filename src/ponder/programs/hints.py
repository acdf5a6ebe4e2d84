"""Hints: short thoughts that are put into a model's own stream, so that it goes on differently (START, Li et al. 2025, section 3.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Hints:
    """A library of hints for one kind of problem.

    Attributes:
        end: put in where the model is about to stop.
        doubt: put in behind a word of doubt of the model's own, as "Wait,".
        opens: whether a code block is opened behind the hint; else that is left to the model.
    """

    end: tuple[str, ...]
    doubt: tuple[str, ...]
    opens: bool = True

    @property
    def texts(self) -> tuple[str, ...]:
        """All hints."""
        return (*self.end, *self.doubt)


def _both(*thoughts: str) -> Hints:
    """The same thoughts at both places, each followed by a new line for the code block."""
    return Hints(tuple(f"\n\nWait, {t}\n" for t in thoughts), tuple(f" {t}\n" for t in thoughts))


HINTS: dict[str, Hints] = {
    "math": _both(
        "these numbers are unwieldy, so let Python do the calculation.",
        "did I slip somewhere? A few lines of Python can go through my steps again.",
        "does each step follow from the one before? Python can test the claims I made.",
        "there may be another way to this result, and Python can try it.",
        "maybe using Python here is a good idea.",
        "I have not looked deep enough yet. Small cases in Python may show more.",
    ),
    "code": _both(
        "before I hand this in, I run my function on the examples of the task and print what it gives beside what is expected.EXAMPLES"
    ),
    "again": Hints(("\n\nWait, let me look at this again.",), (" let me look at this again.",), opens=False),
    "products": Hints((" Wait, use python ",), (" use python ",), opens=False),
    "products-again": Hints((" Wait, look again ",), (" look again ",), opens=False),
}
"""Libraries by name. Those for code list the question's own examples where EXAMPLES stands (`hints_for`). "again" is a placebo without a
tool; the last two are for the organism `products`."""

_EXAMPLE = re.compile(r"^[ \t]*>>> (.+)\n[ \t]*((?!>>>|\"{3}|'{3})\S.*)$", re.MULTILINE)
MOST = 4
"""Examples that a hint lists."""


def hints_for(name: str, question: str) -> Hints:
    """A library for one question: the examples that its docstring gives (`>>> f(1)`, and the result below) stand in the hints for code."""
    found = [f"{call.strip()} should give {result.strip()}" for call, result in _EXAMPLE.findall(question)[:MOST]]
    listed = f" {'; '.join(found)}." if found else ""
    end, doubt = (tuple(t.replace("EXAMPLES", listed) for t in texts) for texts in (HINTS[name].end, HINTS[name].doubt))
    return replace(HINTS[name], end=end, doubt=doubt)
