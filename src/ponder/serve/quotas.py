"""What each caller has used of its windows: set aside before the work, settled after it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ponder.core.budget import Bill
from ponder.serve.errors import QuotaExceeded
from ponder.serve.limits import Limit, Limits


@dataclass
class _Window:
    """One window of one limit of one caller: what was used in it, and what is set aside for work that runs."""

    index: int = -1
    used: float = 0.0
    held: float = 0.0


@dataclass
class Reservation:
    """What was set aside: how much of which window. It is settled or cancelled once."""

    tokens: int
    money: float
    parts: tuple[tuple[Limit, _Window, float], ...] = ()
    over: bool = False


Spent = Callable[[str, float], tuple[float, float, float]]
"""By a caller's name and seconds since 1970."""


class Quotas:
    """Counts for every caller and limit. Exact: what is used and set aside together never passes a limit, however many threads ask.

    Only work that costs more than was set aside for it can pass a limit; it is counted in full.

    Args:
        spent: what a caller had used since a time before this process counted: requests, tokens, money.
        clock: seconds since 1970.
    """

    def __init__(self, spent: Spent | None = None, clock: Callable[[], float] = time.time) -> None:
        self._spent, self._clock = spent, clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str, int], _Window] = {}

    def reserve(self, caller: str, limits: Limits, tokens: int = 0, money: float = 0.0, shrink: bool = False) -> Reservation:
        """Set aside one request, so many tokens and so much money, in every limit or in none.

        Args:
            tokens, money: the most that the work can cost.
            shrink: take what is left where that is less; the reservation says how much.

        Raises:
            QuotaExceeded: a limit does not allow it; `retry_after` is when its window ends.
        """
        now = self._clock()
        with self._lock:
            windows = [(limit, self._window(caller, limit, now)) for limit in limits]
            if shrink:
                tokens = int(min([tokens, *(x.most - w.used - w.held for x, w in windows if x.unit == "tokens")]))
                money = min([money, *(x.most - w.used - w.held for x, w in windows if x.unit == "money")])
            asked = {"requests": 1, "tokens": max(tokens, shrink), "money": max(money, 0.0)}
            for limit, window in windows:
                left = limit.most - window.used - window.held
                if asked[limit.unit] > left + _ROUNDING or (limit.unit == "money" and left <= _ROUNDING):
                    raise _exceeded(limit, window, asked[limit.unit], now)
            for limit, window in windows:
                window.held += asked[limit.unit]
            return Reservation(tokens, money, tuple((limit, w, asked[limit.unit]) for limit, w in windows))

    def settle(self, reservation: Reservation, bill: Bill) -> None:
        """Give back what was set aside and count what was spent. Settling twice counts once."""
        self._end(reservation, {"requests": 1, "tokens": bill.tokens, "money": bill.money})

    def cancel(self, reservation: Reservation) -> None:
        """Give back everything, the request too: it was never begun."""
        self._end(reservation, {"requests": 0, "tokens": 0, "money": 0.0})

    def _end(self, reservation: Reservation, used: Mapping[str, float]) -> None:
        with self._lock:
            if reservation.over:
                return
            reservation.over = True
            for limit, window, held in reservation.parts:
                window.held -= held
                window.used += used[limit.unit]

    def left(self, caller: str, limits: Limits) -> Iterable[tuple[Limit, float]]:
        """How much of each limit is neither used nor set aside."""
        now = self._clock()
        with self._lock:
            return [(limit, limit.most - w.used - w.held) for limit in limits for w in (self._window(caller, limit, now),)]

    def _window(self, caller: str, limit: Limit, now: float) -> _Window:
        """The window that is open now. Work begun in an earlier one settles there, which nobody reads any more."""
        key, index = (caller, limit.unit, limit.seconds), math.floor(now / limit.seconds)
        window = self._windows.get(key)
        if window is None or window.index != index:
            first, window = window is None, _Window(index)
            if first and self._spent is not None:
                window.used = self._spent(caller, index * limit.seconds)[("requests", "tokens", "money").index(limit.unit)]
            self._windows[key] = window
        return window


_ROUNDING = 1e-9


def _exceeded(limit: Limit, window: _Window, asked: float, now: float) -> QuotaExceeded:
    if asked > limit.most:
        return QuotaExceeded(f"this request may cost {asked:g} {limit.unit}, and the key has {limit}: ask for less, with a smaller budget")
    ends = (window.index + 1) * limit.seconds - now
    return QuotaExceeded(
        f"the key has {limit}; {window.used:g} are used and {window.held:g} set aside for requests that run, "
        f"and this one may cost {asked:g}. The window ends in {ends:.0f} s",
        retry_after=ends,
    )
