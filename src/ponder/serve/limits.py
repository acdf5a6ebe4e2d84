"""What a key may use in a window of time, and how that is written."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ponder.core.errors import InputError

_SECONDS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "hour": 3600, "h": 3600, "day": 86_400, "d": 86_400, "week": 604_800}
_UNITS = {"request": "requests", "requests": "requests", "token": "tokens", "tokens": "tokens"}
_SCALES = {"": 1, "k": 1_000, "m": 1_000_000}
_PART = re.compile(
    r"(?P<dollar>\$)?\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<scale>[kKmM]?)\s*(?P<unit>[a-z]*)\s*(?:/|\bper\b)\s*(?P<window>[a-z]+)\Z"
)


@dataclass(frozen=True)
class Limit:
    """At most `most` of `unit` in every window of `seconds` that begins at a whole multiple of them since 1970 (UTC).

    Attributes:
        unit: "requests", "tokens" or "money" (US dollars).
        most: how much.
        seconds: the window's length.
    """

    unit: str
    most: float
    seconds: int

    def __str__(self) -> str:
        window = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"${self.most:g} per {window}" if self.unit == "money" else f"{self.most:.0f} {self.unit} per {window}"


Limits = tuple[Limit, ...]


@functools.lru_cache(maxsize=4096)
def parse_limits(text: str) -> Limits:
    """Read "60 requests per minute, 1M tokens per day, $5 per week"; "" is no limit.

    Raises:
        InputError: naming the part that cannot be read.
    """
    found: list[Limit] = []
    for part in (p.strip() for p in text.split(",")):
        if not part:
            continue
        match = _PART.match(part)
        unit = "money" if match and match["dollar"] and not match["unit"] else _UNITS.get(match["unit"]) if match else None
        window = _SECONDS.get(match["window"]) if match else None
        if match is None or unit is None or window is None or (match["dollar"] and unit != "money"):
            right = "'60 requests per minute', '1M tokens per day', '$5 per week', or several with commas"
            raise InputError(f"cannot read the limit {part!r}; write {right}")
        most = float(match["number"]) * _SCALES[match["scale"].lower()]
        found.append(Limit(unit, most if unit == "money" else int(most), window))
    return tuple(found)
