"""A small resolution prover that needs nothing installed: given clauses, the lightest first, until one is empty or none is left.

Positive resolution: of a clause with negative literals one is selected, and it is resolved only against clauses without any. With factors
of those clauses this is complete (Robinson 1965, "Automatic deduction with hyper-resolution").
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence

from ponder.logic.clauses import Clause, Inner, tautology, variables_of

Values = dict[int, Inner]

MOST = 50_000
"""Clauses that are made before the prover gives up."""


def refute(clauses: Sequence[Clause], deadline: float) -> str:
    """Whether clauses have no model.

    Args:
        clauses: as `ponder.logic.clauses.clauses_of` gives them.
        deadline: of `time.monotonic`.

    Returns:
        "proved" (they have none), "refuted" (nothing new follows: they have one), "timeout" or "unknown" (too many clauses).
    """
    waiting, known = list[tuple[int, int, Clause]](), set[Clause]()
    by_sign: dict[bool, list[tuple[frozenset[tuple[bool, str]], Clause]]] = {True: [], False: []}

    def add(clause: Clause) -> None:
        tidy = _tidy(clause)
        if tidy not in known and not tautology(tidy):
            known.add(tidy)
            heapq.heappush(waiting, (sum(_size(atom) for _, atom in tidy), len(known), tidy))

    for clause in clauses:
        add(clause)
    while waiting:
        if time.monotonic() > deadline:
            return "timeout"
        given = heapq.heappop(waiting)[2]
        if not given:
            return "proved"
        signature = frozenset((sign, atom[0]) for sign, atom in given)
        if any(s <= signature and subsumes(c, given) for kept in by_sign.values() for s, c in kept if len(c) <= len(given)):
            continue
        positive = all(sign for sign, _ in given)
        by_sign[positive].append((signature, given))
        for _, other in by_sign[not positive]:
            for made in resolvents(*((given, other) if positive else (other, given))):
                add(made)
        if positive:
            for made in factors(given):
                add(made)
        if len(known) > MOST:
            return "unknown"
    return "refuted"


def resolvents(positive: Clause, negative: Clause) -> Iterator[Clause]:
    """What follows from a clause without negative literals and the selected literal of one that has some."""
    shift = 1 + max((v for _, atom in positive for v in variables_of(atom)), default=-1)
    moved = tuple((sign, _moved(atom, shift)) for sign, atom in negative)
    selected = max((i for i, (sign, _) in enumerate(moved) if not sign), key=lambda i: (_size(moved[i][1]), -i))
    for i, (_, atom) in enumerate(positive):
        values: Values = {}
        if unify(atom, moved[selected][1], values):
            rest = (*positive[:i], *positive[i + 1 :], *moved[:selected], *moved[selected + 1 :])
            yield tuple((sign, _filled(a, values)) for sign, a in rest)


def factors(clause: Clause) -> Iterator[Clause]:
    """The clause with two of its positive literals made one."""
    for i in range(len(clause)):
        for j in range(i):
            values: Values = {}
            if clause[i][0] and clause[j][0] and unify(clause[i][1], clause[j][1], values):
                yield tuple((sign, _filled(atom, values)) for k, (sign, atom) in enumerate(clause) if k != i)


def unify(a: Inner, b: Inner, values: Values) -> bool:
    """Make two terms or atoms equal by giving values to variables; `values` is extended, and means nothing after a failure."""
    a, b = _now(a, values), _now(b, values)
    if a == b:
        return True
    if isinstance(a, int):
        return _bind(a, b, values)
    if isinstance(b, int):
        return _bind(b, a, values)
    return a[0] == b[0] and len(a) == len(b) and all(unify(x, y, values) for x, y in zip(a[1:], b[1:], strict=True))


def _now(value: Inner, values: Values) -> Inner:
    while isinstance(value, int) and value in values:
        value = values[value]
    return value


def _bind(variable: int, value: Inner, values: Values) -> bool:
    if variable in variables_of(_filled(value, values)):
        return False
    values[variable] = value
    return True


def _filled(value: Inner, values: Values) -> Inner:
    value = _now(value, values)
    return value if isinstance(value, int) else (value[0], *(_filled(part, values) for part in value[1:]))


def _moved(value: Inner, shift: int) -> Inner:
    return value + shift if isinstance(value, int) else (value[0], *(_moved(part, shift) for part in value[1:]))


def _size(value: Inner) -> int:
    return 1 if isinstance(value, int) else 1 + sum(map(_size, value[1:]))


def subsumes(general: Clause, special: Clause) -> bool:
    """Whether some values of its variables make the literals of one clause literals of another."""

    def match(i: int, values: Values) -> bool:
        if i == len(general):
            return True
        for sign, atom in special:
            tried = dict(values)
            if sign == general[i][0] and _matches(general[i][1], atom, tried) and match(i + 1, tried):
                return True
        return False

    return match(0, {})


def _matches(pattern: Inner, value: Inner, values: Values) -> bool:
    """One-sided unification: the variables of `value` are constants here."""
    if isinstance(pattern, int):
        return values.setdefault(pattern, value) == value
    if isinstance(value, int) or pattern[0] != value[0] or len(pattern) != len(value):
        return False
    return all(_matches(p, v, values) for p, v in zip(pattern[1:], value[1:], strict=True))


def _tidy(clause: Clause) -> Clause:
    """The clause without repeats, in an order that the names of variables do not change, its variables numbered from 0."""
    ordered = sorted(set(clause), key=lambda literal: (literal[0], repr(_masked(literal[1])), repr(literal[1])))
    numbers: Values = {}
    for _, atom in ordered:
        for v in variables_of(atom):
            numbers.setdefault(v, len(numbers))
    return tuple(dict.fromkeys((sign, _renamed(atom, numbers)) for sign, atom in ordered))


def _masked(value: Inner) -> Inner:
    return -1 if isinstance(value, int) else (value[0], *(_masked(part) for part in value[1:]))


def _renamed(value: Inner, numbers: Values) -> Inner:
    return numbers[value] if isinstance(value, int) else (value[0], *(_renamed(part, numbers) for part in value[1:]))
