"""Hints: short thoughts that are put into a model's own stream, so that it goes on differently (START, Li et al. 2025, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass


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
    "code": _both("before I hand this in, I run my function on the examples of the task and print what it gives beside what is expected."),
    "again": Hints(("\n\nWait, let me look at this again.",), (" let me look at this again.",), opens=False),
    "products": Hints((" Wait, use python ",), (" use python ",), opens=False),
    "products-again": Hints((" Wait, look again ",), (" look again ",), opens=False),
}
"""Libraries by name. "again" is a placebo without a tool; the last two are for the organism `products`."""
