"""Who is next: a bounded queue in which no caller can starve another. Plain data; it never waits and knows no clock."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Literal

State = Literal["waiting", "running", "evicted", "left"]


@dataclass(eq=False)
class Place:
    """One request's place.

    Attributes:
        caller: whose it is.
        state: "waiting"; "running" once it has a slot; "evicted" if it had to make room; "left" when it is over.
    """

    caller: str
    state: State = "waiting"


@dataclass
class FairQueue:
    """Slots go to the caller with the fewest running requests; among equals to the one that was served longest ago.

    When the queue is full, the caller with the most waiting requests loses its newest one, so a flood of one key never
    makes another key's request be refused while the flood still waits.

    Args:
        running: how many slots there are.
        waiting: how many requests may wait.
    """

    running: int
    waiting: int
    _queues: OrderedDict[str, OrderedDict[Place, None]] = field(default_factory=OrderedDict)
    _busy: Counter[str] = field(default_factory=Counter)

    @property
    def depth(self) -> int:
        """How many wait."""
        return sum(len(q) for q in self._queues.values())

    @property
    def in_flight(self) -> int:
        """How many run."""
        return self._busy.total()

    def enter(self, caller: str) -> tuple[Place, list[Place]]:
        """A new place, and those whose state changes by it (the new one may be among them)."""
        place = Place(caller)
        self._queues.setdefault(caller, OrderedDict())[place] = None
        changed = self._fill()
        if self.depth > self.waiting:
            longest = max(self._queues, key=lambda c: (len(self._queues[c]), c == caller))
            evicted = next(reversed(self._queues[longest]))
            self._drop(evicted)
            evicted.state = "evicted"
            changed.append(evicted)
        return place, changed

    def leave(self, place: Place) -> list[Place]:
        """Give the place up, whether it waits or runs; those that may run now."""
        if place.state == "waiting":
            self._drop(place)
        elif place.state == "running":
            self._busy[place.caller] -= 1
            if not self._busy[place.caller]:
                del self._busy[place.caller]
        place.state = "left"
        return self._fill()

    def resize(self, running: int, waiting: int) -> list[Place]:
        """Other limits from now on; those that may run by them. Nobody is thrown out."""
        self.running, self.waiting = running, waiting
        return self._fill()

    def _fill(self) -> list[Place]:
        started: list[Place] = []
        while self._queues and self.in_flight < self.running:
            # The order of `_queues` is that of last service: `min` takes the first among equals.
            caller = min(self._queues, key=lambda c: self._busy[c])
            place = next(iter(self._queues[caller]))
            self._queues.move_to_end(caller)
            self._drop(place)
            place.state = "running"
            self._busy[caller] += 1
            started.append(place)
        return started

    def _drop(self, place: Place) -> None:
        queue = self._queues[place.caller]
        del queue[place]
        if not queue:
            del self._queues[place.caller]
