"""What the browser is told while a population grows: small snapshots, as plain values for JSON."""

from __future__ import annotations

import math
from typing import Any

from ponder.core.answer import Answer, class_shares
from ponder.core.budget import Bill
from ponder.core.context import TraceStep
from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.picture.genealogy import Growing, Node

MOST_NODES = 600
"""Steps that are told of in one search; what is born later is counted and not drawn."""
MOST_VALUES = 12
"""Answers whose shares are told at a time, heaviest first."""
LONGEST = 4_000
"""Characters that are told of one step."""


class Snapshots:
    """One search as it is told to one browser: every node once, when it is born; after that only its number."""

    def __init__(self) -> None:
        self._growing = Growing()
        self._told: set[int] = {0}
        self.untold = 0

    def step(self, step: TraceStep, bill: Bill) -> dict[str, Any]:
        """What a stage made of the population.

        Returns:
            `stage`, `round`, `size`, `ess`, `log_evidence` (None if not finite), `tokens` so far; `born`, the new nodes, parents first;
            `present`, [number, copies, share] of the nodes that the population holds; `dropped`, numbers; `note`, the resampling in
            words; `shares`, [answer, share] of its heaviest answers; `untold`, how many nodes were not told of.
        """
        change = self._growing.take(step)
        born = [self._node(parent, node) for parent, node in change.born if self._tell(parent, node)]
        return {
            "stage": step.stage,
            "round": step.round,
            "size": step.size,
            "ess": _finite(step.ess),
            "log_evidence": _finite(step.log_evidence),
            "tokens": max(step.tokens, bill.tokens),
            "born": born,
            "present": [[p.node.number, p.copies, _round(p.share)] for p in change.present if p.node.number in self._told],
            "dropped": [node.number for node in change.dropped if node.number in self._told],
            "note": str(change.resampling) if change.resampling is not None else "",
            "shares": _shares(step.population),
            "untold": self.untold,
        }

    def done(self, answer: Answer, seed: int) -> dict[str, Any]:
        """The end: the answer and its bill, the seed, and the numbers of the nodes it stands on."""
        self._growing.finish(answer)
        told = [node for node in self._growing.root.walk() if node.number in self._told]
        return {
            "value": None if answer.value is None else _cut(answer.value),
            "text": _cut(answer.text),
            "confidence": answer.confidence,
            "abstained": answer.abstained,
            "reason": answer.reason,
            "shares": [[_cut(value, 200), _round(share)] for value, share in list(answer.shares.items())[:MOST_VALUES]],
            "bill": answer.bill.to_dict(),
            "bill_text": str(answer.bill),
            "method": answer.method,
            "notes": answer.trace.notes,
            "seed": seed,
            "winners": [node.number for node in told if node.winner],
            "kept": [node.number for node in told if not node.dropped],
        }

    def _tell(self, parent: Node, node: Node) -> bool:
        if parent.number not in self._told or len(self._told) > MOST_NODES:
            self.untold += 1
            return False
        self._told.add(node.number)
        return True

    def _node(self, parent: Node, node: Node) -> dict[str, Any]:
        return {
            "number": node.number,
            "parent": parent.number,
            "depth": node.depth,
            "text": _cut(node.text),
            "value": None if node.value is None else _cut(node.value, 200),
            "finished": node.finished,
        }


def _shares(population: Population[Any] | None) -> list[list[Any]]:
    if population is None or not all(isinstance(item, Candidate) for item in population.items):
        return []
    return [[_cut(value, 200), _round(share)] for value, share in list(class_shares(population).items())[:MOST_VALUES]]


def _cut(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else text[:most] + " …"


def _round(share: float) -> float:
    return round(share, 5)


def _finite(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
