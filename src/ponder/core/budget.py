"""What may be spent, what was spent, and the meter between a pipeline and its engine."""

from __future__ import annotations

import dataclasses
import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import BudgetExhausted, InputError

Listener = Callable[[int, int, str], None]
"""Hears text while it is drawn: the number of the request in its call, that of the completion, and the next piece of its text."""

_NUMBER = r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<scale>[kKmM](?![a-zA-Z]))?"
_PART = re.compile(rf"(?P<dollar>\$)?\s*{_NUMBER}\s*(?P<unit>[a-zA-Z]+)?\Z")
_SCALES = {None: 1, "k": 1_000, "K": 1_000, "m": 1_000_000, "M": 1_000_000}
_UNITS = {
    **dict.fromkeys(("token", "tokens", "tok"), ("tokens", 1.0)),
    **dict.fromkeys(("call", "calls"), ("calls", 1.0)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), ("seconds", 1.0)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), ("seconds", 60.0)),
    **dict.fromkeys(("h", "hour", "hours"), ("seconds", 3600.0)),
    **dict.fromkeys(("usd", "dollar", "dollars"), ("money", 1.0)),
    **dict.fromkeys(("cent", "cents"), ("money", 0.01)),
}


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens, prompt and generated."""

    input: float = 0.0
    output: float = 0.0


@dataclass(frozen=True)
class Bill:
    """What was spent.

    Attributes:
        tokens_in: prompt tokens sent, cached ones included; a prompt with n samples counts once.
        tokens_out: tokens generated, by losers and by cancelled samples too.
        cached: prompt tokens that the engine took from its cache (a part of `tokens_in`; 0 where it does not say).
        calls: prompts sent to an engine (n samples of one prompt are one call).
        seconds: time spent waiting for engines, as recorded when a call was first made.
        money: US dollars, by the engine's price.
        idealized_seconds: what the calls take on stated hardware without contention, one after another, by the engine's `Pace`; 0
            where it has none.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    calls: int = 0
    seconds: float = 0.0
    money: float = 0.0
    idealized_seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and generated tokens together: what a token budget limits."""
        return self.tokens_in + self.tokens_out

    def __add__(self, other: Bill) -> Bill:
        return Bill(*(getattr(self, name) + getattr(other, name) for name in Bill.__match_args__))

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "tokens": self.tokens}

    def __str__(self) -> str:
        cached = f" ({self.cached:,} cached)" if self.cached else ""
        money = f", ${self.money:.4g}" if self.money else ""
        calls = f"{self.calls:,} call{'s' * (self.calls != 1)}"
        return f"{self.tokens:,} tokens ({self.tokens_in:,} in{cached}, {self.tokens_out:,} out), {calls}, {self.seconds:.1f} s{money}"


@dataclass(frozen=True)
class Budget:
    """A limit on tokens, calls, seconds and money, in any combination; None is no limit.

    >>> Budget.parse("4k tokens, 30s, $0.05")
    Budget(tokens=4000, calls=None, seconds=30.0, money=0.05)
    """

    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    money: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
                raise InputError(f"a budget's {field.name} must be a number of at least 0, not {value!r}")

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read "600 tokens", "4k tokens, 30s", "10 calls + $0.02", "2 min"; the empty text is no limit.

        Raises:
            InputError: naming the part that cannot be read.
        """
        found: dict[str, float] = {}
        for part in (p.strip() for p in re.split(r"[;+]|,(?!\d{3}\b)|\band\b", text)):
            if not part:
                continue
            match = _PART.match(part.replace(",", ""))
            unit = "usd" if match and match["dollar"] else ((match and match["unit"]) or "").lower()
            if match is None or unit not in _UNITS or (match["dollar"] and match["unit"]):
                raise InputError(f"cannot read the budget {part!r}; write '600 tokens', '10 calls', '30s', '$0.05' or several with commas")
            field, factor = _UNITS[unit]
            if field in found:
                raise InputError(f"the budget {text!r} limits {field} twice")
            found[field] = float(match["number"]) * _SCALES[match["scale"]] * factor
        whole = {k: int(v) if k in ("tokens", "calls") else v for k, v in found.items()}
        return cls(**whole)  # pyright: ignore[reportArgumentType]

    def __str__(self) -> str:
        parts = [
            f"{self.tokens} tokens" if self.tokens is not None else "",
            f"{self.calls} calls" if self.calls is not None else "",
            f"{self.seconds:g} s" if self.seconds is not None else "",
            f"${self.money:g}" if self.money is not None else "",
        ]
        return ", ".join(p for p in parts if p) or "no limit"


class Allowance:
    """What one engine call may still spend. Engines ask it while they work, so that a call can end early.

    Attributes:
        calls: how many prompts may still be sent; None is no limit.
        tokens: prompt and generated tokens left; None is no limit.
        seconds: seconds left; None is no limit.
        listener: an engine that can tells it of text as it comes. The pieces of a completion joined are a beginning of its text;
            an engine that cannot says nothing.
    """

    def __init__(
        self,
        tokens: int | None = None,
        calls: int | None = None,
        seconds: float | None = None,
        stopped: threading.Event | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.tokens, self.calls, self.seconds, self.listener = tokens, calls, seconds, listener
        self._stopped = stopped or threading.Event()
        self._taken = 0

    @property
    def stopped(self) -> bool:
        """True if the user ended the run."""
        return self._stopped.is_set()

    def take(self, tokens: int) -> None:
        """Tell of tokens that were just read or generated."""
        self._taken += tokens

    def over(self, elapsed: float) -> bool:
        """True if the call must end now: the tokens or `elapsed` seconds have reached the limit, or the user said stop."""
        return (
            self._stopped.is_set()
            or (self.tokens is not None and self._taken >= self.tokens)
            or (self.seconds is not None and elapsed >= self.seconds)
        )


class Meter:
    """Counts what is spent against a budget. Everything that costs passes it; it is safe to use from several threads.

    Args:
        budget: the limit.
        price: what tokens cost. A budget in money needs one.
        listener: hears the text of all calls while it is drawn, from engines that can tell.

    Raises:
        InputError: for a limit on money without a price, which could never end.
    """

    def __init__(self, budget: Budget | None = None, price: Price | None = None, listener: Listener | None = None) -> None:
        self.budget, self._listener = budget or Budget(), listener
        if self.budget.money is not None and price is None:
            raise InputError("a budget in money needs the model's price; give it (--price IN/OUT, dollars per million tokens)")
        self.price = price or Price()
        self._bill = Bill()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @property
    def bill(self) -> Bill:
        with self._lock:
            return self._bill

    @property
    def interrupted(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the budget now (the user pressed Ctrl-C): calls in flight are cancelled, the answer comes from what there is."""
        self._stopped.set()

    def allowance(self) -> Allowance:
        """What the next call may spend.

        Raises:
            BudgetExhausted: if nothing is left, with the limit that was reached.
        """
        if self._stopped.is_set():
            raise BudgetExhausted("stopped by the user")
        bill, budget = self.bill, self.budget
        for name, limit, spent in (
            ("tokens", budget.tokens, bill.tokens),
            ("calls", budget.calls, bill.calls),
            ("seconds", budget.seconds, bill.seconds),
            ("money", budget.money, bill.money),
        ):
            if limit is not None and spent >= limit:
                raise BudgetExhausted(f"the budget of {budget} has ended: {spent:g} {name} spent")
        tokens = None if budget.tokens is None else budget.tokens - bill.tokens
        if budget.money is not None and max(self.price.input, self.price.output) > 0:
            affordable = int((budget.money - bill.money) / max(self.price.input, self.price.output) * 1e6) + 1
            tokens = affordable if tokens is None else min(tokens, affordable)
        return Allowance(
            tokens=tokens,
            calls=None if budget.calls is None else budget.calls - bill.calls,
            seconds=None if budget.seconds is None else budget.seconds - bill.seconds,
            stopped=self._stopped,
            listener=self._listener,
        )

    def charge(self, spent: Bill, price: Price | None = None) -> None:
        """Add to the bill; the money is `spent`'s own and that of its tokens, by `price` or the meter's."""
        rate = price or self.price
        money = spent.money + (spent.tokens_in * rate.input + spent.tokens_out * rate.output) / 1e6
        with self._lock:
            self._bill = self._bill + dataclasses.replace(spent, money=money)
