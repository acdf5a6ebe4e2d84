"""The grammars that organisms speak, by the name that a weights file gives."""

from __future__ import annotations

from typing import Protocol

from ponder.organisms import chain, countdown, family, products, worded


class Grammar(Protocol):
    """What every grammar's module offers to an engine.

    Attributes:
        READS: what questions it reads, for errors and lists.
        STEP: characters of a step, its separator included.
    """

    @property
    def STEP(self) -> int: ...
    @property
    def READS(self) -> str: ...

    def canonical(self, question: str) -> str: ...


GRAMMARS: dict[str, Grammar] = {"chain": chain, "countdown": countdown, "family": family, "products": products, "worded": worded}
