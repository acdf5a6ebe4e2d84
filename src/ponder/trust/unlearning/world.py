"""A closed world in which a concept can be removed from a model and taught again in its context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.trust.unlearning.theory import Theory

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
SPECIAL = ("Q", "DEF", "SEP", "Y", "N")


@dataclass(frozen=True)
class Questions:
    """Prompts that end where Y or N is due.

    Attributes:
        tokens: shape (n, length).
        answers: whether Y is right, shape (n,).
    """

    tokens: Ints
    answers: Bools

    def __len__(self) -> int:
        return len(self.answers)

    def where(self, kept: Bools) -> Questions:
        """Some of them."""
        return Questions(self.tokens[kept], self.answers[kept])


@dataclass(frozen=True)
class ConceptWorld:
    """Features (axioms), base concepts of 3 features, composites of a base and 2 more features, and names that mean nothing by themselves.

    A parametric prompt is `Q concept feature`; one with the definition in context is `DEF name base f1 f2 SEP Q name feature`. Both are
    answered Y or N. Definitions of composites differ from each other.

    Attributes:
        n_features, n_base, n_composite, n_vars: how many of each.
        seed: of the concepts.
    """

    n_features: int = 30
    n_base: int = 24
    n_composite: int = 40
    n_vars: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_features < 6 or min(self.n_base, self.n_composite, self.n_vars) < 1:
            raise InputError(f"a world needs at least 6 features and 1 base, composite and variable, not {self}")
        if self.n_composite > self.n_base * (self.n_features - 3) * (self.n_features - 4) // 2:
            raise InputError(f"{self.n_base} bases do not make {self.n_composite} different composites of {self.n_features} features")

    @cached_property
    def bases(self) -> Bools:
        """Which features each base has, shape (n_base, n_features)."""
        rng = generator(self.seed, ["bases"])
        table = np.zeros((self.n_base, self.n_features), dtype=bool)
        for row in table:
            row[rng.choice(self.n_features, 3, replace=False)] = True
        return table

    @cached_property
    def composites(self) -> Ints:
        """Base, first and second extra feature of each composite, shape (n_composite, 3); the features in order, no row twice."""
        rng, found = generator(self.seed, ["composites"]), dict[tuple[int, int, int], None]()
        while len(found) < self.n_composite:
            base, (f1, f2) = int(rng.integers(self.n_base)), sorted(rng.choice(self.n_features, 2, replace=False).tolist())
            if not self.bases[base, [f1, f2]].any():
                found[base, f1, f2] = None
        return np.array(list(found))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The token names; a token's id is its index."""
        named = (("f", self.n_features), ("base", self.n_base), ("concept", self.n_composite), ("v", self.n_vars))
        return (*SPECIAL, *(f"{kind}{i}" for kind, n in named for i in range(n)))

    @cached_property
    def theory(self) -> Theory:
        """Bases and composites as definitions."""
        bases = {f"base{b}": frozenset(f"f{f}" for f in np.flatnonzero(row)) for b, row in enumerate(self.bases)}
        built = {f"concept{c}": frozenset({f"base{b}", f"f{f}", f"f{g}"}) for c, (b, f, g) in enumerate(self.composites.tolist())}
        return Theory({**bases, **built})

    def ids(self, kind: Literal["f", "base", "concept", "v"], index: Ints | int) -> Ints:
        """Tokens of features, bases, composites or variables."""
        sizes = {"f": 0, "base": self.n_features, "concept": self.n_features + self.n_base}
        start = sizes.get(kind, self.n_features + self.n_base + self.n_composite)
        return np.asarray(index) + len(SPECIAL) + start

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens as words."""
        return " ".join(self.words[int(t)] for t in tokens)

    def meaning(self, definitions: Ints) -> Bools:
        """The features of (base, f1, f2) rows, shape (n, n_features)."""
        table = self.bases[definitions[:, 0]].copy()
        np.put_along_axis(table, definitions[:, 1:], True, axis=1)
        return table

    def checked(self, forget: Iterable[int | str]) -> Ints:
        """Indices of the composites to forget.

        Raises:
            InputError: none, an unknown one, or a base, which cannot be forgotten while composites that are kept are made of it.
        """
        chosen = list(forget)
        if not chosen:
            raise InputError("nothing to forget: name at least one composite")
        for name in chosen:
            if isinstance(name, str) and name in self.theory.definitions and name.startswith("base"):
                needed = self.theory.dependents(name)
                raise InputError(
                    f"{name} cannot be forgotten exactly: {', '.join(needed) or 'no composite'} is made of it; forget those first"
                )
        index = [int(n.removeprefix("concept")) if isinstance(n, str) and n.removeprefix("concept").isdigit() else n for n in chosen]
        if not all(isinstance(i, (int, np.integer)) and 0 <= i < self.n_composite for i in index) or len(set(index)) < len(index):
            raise InputError(f"composites 0 to {self.n_composite - 1}, each once, can be forgotten, not {chosen}")
        return np.array(index, dtype=np.int64)

    def direct(self, composites: Ints | None = None, bases: Ints | None = None) -> Questions:
        """`Q concept feature` for every feature of the composites and bases given, (features vary fastest)."""
        none = np.array([], dtype=np.int64)
        composites, bases = none if composites is None else composites, none if bases is None else bases
        concepts = np.concatenate([self.ids("concept", composites), self.ids("base", bases)])
        answers = np.concatenate([self.meaning(self.composites[composites]), self.bases[bases]])
        return self._ask([np.zeros(len(concepts), dtype=np.int64), concepts], answers)

    def taught(self, composites: Ints, variables: Ints) -> Questions:
        """`DEF v base f1 f2 SEP Q v feature` for every feature of the composites, each defined as a variable; shapes (n,) both."""
        definitions, v = self.composites[composites], self.ids("v", variables)
        return self._ask(self._heading(definitions, v), self.meaning(definitions))

    def _heading(self, definitions: Ints, v: Ints) -> list[Ints]:
        token = dict(zip(SPECIAL, range(len(SPECIAL)), strict=True))
        full = [np.full(len(v), token[s]) for s in ("DEF", "SEP", "Q")]
        parts = [self.ids("base", definitions[:, 0]), self.ids("f", definitions[:, 1]), self.ids("f", definitions[:, 2])]
        return [full[0], v, *parts, full[1], full[2], v]

    def _ask(self, columns: list[Ints], answers: Bools) -> Questions:
        heads = np.repeat(np.stack(columns, axis=1), self.n_features, axis=0)
        features = np.tile(self.ids("f", np.arange(self.n_features)), len(answers))
        return Questions(np.column_stack([heads, features]), answers.ravel())

    def draw(self, n: int, rng: np.random.Generator, forget: Ints | None = None, axioms: bool = False) -> tuple[Questions, Questions]:
        """Training questions: n parametric ones and n with a random definition in context, half of each answered Y.

        Args:
            forget: composites that no question names, and whose definition no question gives.
            axioms: also leave out every question that mentions an extra feature of one of them.
        """
        gone = np.array([], dtype=np.int64) if forget is None else forget
        allowed = np.ones(self.n_features, dtype=bool)
        if axioms:
            allowed[self.composites[gone, 1:]] = False
        kept = np.setdiff1d(np.arange(self.n_composite), gone)
        pick = rng.integers(0, len(kept) + self.n_base, n)
        concepts = np.where(
            pick < len(kept), self.ids("concept", kept[np.minimum(pick, len(kept) - 1)]), self.ids("base", pick - len(kept))
        )
        means = np.concatenate([self.meaning(self.composites[kept]), self.bases])[pick]
        plain = self._with_features([np.zeros(n, dtype=np.int64), concepts], means, allowed, rng)
        definitions = self._definitions(n, rng, gone, allowed)
        heading = self._heading(definitions, self.ids("v", rng.integers(0, self.n_vars, n)))
        return plain, self._with_features(heading, self.meaning(definitions), allowed, rng)

    def _definitions(self, n: int, rng: np.random.Generator, gone: Ints, allowed: Bools) -> Ints:
        """Random (base, f1, f2) rows, f1 and f2 in either order, none of them that of a forgotten composite."""
        forbidden = {tuple(row) for row in self.composites[gone].tolist()}
        found = np.empty((0, 3), dtype=np.int64)
        while len(found) < n:
            rows = np.column_stack([rng.integers(0, self.n_base, 2 * n), rng.integers(0, self.n_features, (2 * n, 2))])
            fine = (rows[:, 1] != rows[:, 2]) & ~self.bases[rows[:, :1], rows[:, 1:]].any(axis=1) & allowed[rows[:, 1:]].all(axis=1)
            ordered = np.column_stack([rows[:, 0], np.sort(rows[:, 1:], axis=1)])
            for row in forbidden:
                fine &= (ordered != row).any(axis=1)
            found = np.concatenate([found, rows[fine]])
        return found[:n]

    def _with_features(self, columns: list[Ints], means: Bools, allowed: Bools, rng: np.random.Generator) -> Questions:
        """A random allowed feature for each row: one that it has or one that it lacks, with equal chances."""
        want = rng.random(len(means)) < 0.5
        fitting = (means == want[:, None]) & allowed
        without = ~fitting.any(axis=1)  # all that it has is left out: a feature that it lacks instead
        fitting[without] = ~means[without] & allowed
        feature = (rng.random(means.shape) * fitting).argmax(axis=1)
        return Questions(np.column_stack([*columns, self.ids("f", feature)]), means[np.arange(len(means)), feature])
