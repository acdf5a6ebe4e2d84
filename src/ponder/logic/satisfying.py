"""Whether clauses of propositions can all be true: search that learns a clause from every conflict (Marques-Silva and Sakallah 1999)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from ponder.core.errors import PonderError

DECAY = 1.05
"""How much more a conflict counts than the one before it when the next proposition is chosen."""
MOST = 20_000
"""Conflicts after which the search gives up."""


class GaveUp(PonderError):
    """No answer was found in the conflicts that a search may have."""


def satisfying(clauses: Sequence[Sequence[int]], count: int) -> list[bool] | None:
    """Truth values that make every clause true; None if there are none.

    Args:
        clauses: literals n or -n for propositions n from 1 to `count`.
        count: how many propositions there are.

    Returns:
        The value of each proposition by its number; entry 0 means nothing.

    Raises:
        GaveUp: after `MOST` conflicts.
    """
    search = _Search(count)
    if not all(search.add(list(dict.fromkeys(c))) for c in clauses):
        return None
    return search.run()


class _Search:
    """Values with the clauses that forced them, and the literals that each clause watches (its first two)."""

    def __init__(self, count: int) -> None:
        self.value: list[bool | None] = [None] * (count + 1)
        self.reason: list[list[int] | None] = [None] * (count + 1)
        self.level = [0] * (count + 1)
        self.trail: list[int] = []
        self.starts: list[int] = []
        """Where in the trail each decision is."""
        self.head = 0
        self.watched: dict[int, list[list[int]]] = {}
        self.activity = [0.0] * (count + 1)
        self.step = 1.0
        self.queue = [(0.0, n) for n in range(1, count + 1)]

    def add(self, clause: list[int]) -> bool:
        """Take a clause in before the search; False if it fails already."""
        if len(clause) < 2:
            return bool(clause) and self._set(clause[0], None)
        self._watch(clause)
        for literal in clause:
            self.activity[abs(literal)] += 2.0 ** -len(clause)
        return True

    def run(self) -> list[bool] | None:
        self.queue = [(-self.activity[n], n) for _, n in self.queue]
        heapq.heapify(self.queue)
        for _ in range(MOST):
            conflict = self._propagate()
            while conflict is None:
                if not self._decide():
                    return [bool(v) for v in self.value]
                conflict = self._propagate()
            if not self.starts:
                return None
            self._learn(conflict)
        raise GaveUp(f"no answer after {MOST} conflicts")

    def _holds(self, literal: int) -> bool | None:
        value = self.value[abs(literal)]
        return value if literal > 0 or value is None else not value

    def _set(self, literal: int, reason: list[int] | None) -> bool:
        """Make a literal true; False if it is false already."""
        before = self._holds(literal)
        if before is None:
            n = abs(literal)
            self.value[n], self.reason[n], self.level[n] = literal > 0, reason, len(self.starts)
            self.trail.append(literal)
        return before is not False

    def _watch(self, clause: list[int]) -> None:
        for literal in clause[:2]:
            self.watched.setdefault(literal, []).append(clause)

    def _decide(self) -> bool:
        """Make the most active open proposition false; False if none is open."""
        while self.queue:
            _, n = heapq.heappop(self.queue)
            if self.value[n] is None:
                self.starts.append(len(self.trail))
                return self._set(-n, None)
        return False

    def _propagate(self) -> list[int] | None:
        """Set what follows from what is set; a clause that fails, if there is one."""
        while self.head < len(self.trail):
            false = -self.trail[self.head]
            self.head += 1
            watching, self.watched[false] = self.watched.get(false, []), []
            for i, clause in enumerate(watching):
                if not self._follow(clause, false):
                    self.watched[false] += watching[i + 1 :]
                    return clause
        return None

    def _follow(self, clause: list[int], false: int) -> bool:
        """Watch another literal of a clause one of whose watched ones has become false, or set the last one that may hold."""
        if clause[0] == false:
            clause[0], clause[1] = clause[1], clause[0]
        if self._holds(clause[0]) is not True:
            for i in range(2, len(clause)):
                if self._holds(clause[i]) is not False:
                    clause[1], clause[i] = clause[i], clause[1]
                    self.watched.setdefault(clause[1], []).append(clause)
                    return True
        self.watched[false].append(clause)
        return self._set(clause[0], clause)

    def _learn(self, conflict: list[int]) -> None:
        """Find the literals that made a clause fail, up to the first that all ways of this level go through; go back and add them."""
        now, seen = len(self.starts), set[int]()
        learnt: list[int] = []
        open_, place, clause = 0, len(self.trail), conflict
        while True:
            for literal in clause:
                n = abs(literal)
                if n in seen or self.level[n] == 0:
                    continue
                seen.add(n)
                self._bump(n)
                if self.level[n] == now:
                    open_ += 1
                else:
                    learnt.append(literal)
            place -= 1
            while abs(self.trail[place]) not in seen:
                place -= 1
            open_ -= 1
            if open_ == 0:
                break
            clause = self.reason[abs(self.trail[place])] or []
        learnt.sort(key=lambda literal: -self.level[abs(literal)])
        learnt.insert(0, -self.trail[place])
        self._back_to(self.level[abs(learnt[1])] if len(learnt) > 1 else 0)
        if len(learnt) > 1:
            self._watch(learnt)
        self._set(learnt[0], learnt)
        self.step *= DECAY

    def _bump(self, n: int) -> None:
        self.activity[n] += self.step
        if self.activity[n] > 1e100:
            self.activity = [a * 1e-100 for a in self.activity]
            self.step *= 1e-100

    def _back_to(self, level: int) -> None:
        length = self.starts[level]
        for literal in self.trail[length:]:
            n = abs(literal)
            self.value[n] = None
            heapq.heappush(self.queue, (-self.activity[n], n))
        del self.trail[length:]
        del self.starts[level:]
        self.head = length
