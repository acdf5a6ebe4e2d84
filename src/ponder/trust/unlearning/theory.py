"""Axioms and the concepts that are derived from them: what a definition amounts to (Shumailov et al. 2024, arXiv 2407.00106, section 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ponder.core.errors import InputError


@dataclass(frozen=True)
class Theory:
    """Concepts by definition.

    Attributes:
        definitions: concept -> what it is made of: axioms, and concepts that have definitions of their own. A name without a definition is
            an axiom.

    Raises:
        InputError: for an empty definition, or a concept that is defined by itself.
    """

    definitions: Mapping[str, frozenset[str]]

    def __post_init__(self) -> None:
        empty = [name for name, parts in self.definitions.items() if not parts]
        if empty:
            raise InputError(f"a concept needs at least one part; {empty[0]!r} has none")
        for name in self.definitions:
            self.closure([name])

    def closure(self, parts: Iterable[str]) -> frozenset[str]:
        """The axioms that the parts amount to together."""
        found: set[str] = set()
        for part in parts:
            self._expand(part, found, ())
        return frozenset(found)

    def _expand(self, part: str, found: set[str], above: tuple[str, ...]) -> None:
        if part in above:
            raise InputError(f"{part!r} is defined by itself: {' -> '.join((*above, part))}")
        if part not in self.definitions:
            found.add(part)
            return
        for inner in self.definitions[part]:
            self._expand(inner, found, (*above, part))

    def dependents(self, concept: str) -> list[str]:
        """The concepts whose definition needs this one, sorted."""
        return sorted(name for name, parts in self.definitions.items() if name != concept and self._needs(parts, concept))

    def _needs(self, parts: frozenset[str], concept: str) -> bool:
        return concept in parts or any(self._needs(self.definitions[p], concept) for p in parts if p in self.definitions)

    def extended(self, more: Mapping[str, Iterable[str]]) -> Theory:
        """With further definitions; a name defined again gets its new meaning."""
        return Theory({**self.definitions, **{name: frozenset(parts) for name, parts in more.items()}})
