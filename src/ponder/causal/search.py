"""Causal search with any test of conditional independence: the PC algorithm and greedy equivalence search, on causal-learn's search."""

from __future__ import annotations

import functools
import math
import types
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ponder.causal.graphs import dag
from ponder.causal.independence import CIResult, CITest, Floats, on_all_rows, table
from ponder.core.errors import InputError, PonderError, need

Edge = tuple[int, int]


@dataclass(frozen=True)
class Cpdag:
    """A class of graphs that observations cannot tell apart, over variables 0 to n - 1.

    Attributes:
        n: number of variables.
        directed: (cause, effect) pairs that all graphs of the class share.
        undirected: (u, v), u < v, whose direction differs within the class (or could not be told).
        inconclusive: tests that had too few rows; each left its edge as it was.
    """

    n: int
    directed: frozenset[Edge]
    undirected: frozenset[Edge]
    inconclusive: int = 0

    @classmethod
    def of_dag(cls, n: int, edges: Collection[Edge]) -> Cpdag:
        """The class of a graph: its skeleton, colliders, and what follows from them."""
        dag(range(n), edges)  # refuses cycles and unknown variables
        general = need("causallearn.graph.GeneralGraph", "causal").GeneralGraph(_nodes(n))
        for u, v in edges:
            general.add_directed_edge(general.nodes[u], general.nodes[v])
        return _read(need("causallearn.utils.DAG2CPDAG", "causal").dag2cpdag(general).graph, 0)

    @property
    def skeleton(self) -> frozenset[Edge]:
        """All edges without direction, (u, v) with u < v."""
        return frozenset((min(edge), max(edge)) for edge in self.directed) | self.undirected

    def distance(self, other: Cpdag) -> int:
        """Structural Hamming distance: pairs of variables that are joined otherwise in the two."""
        marks = [
            {**dict.fromkeys(g.undirected, 0), **{(min(e), max(e)): 1 if e[0] < e[1] else -1 for e in g.directed}} for g in (self, other)
        ]
        return sum(marks[0].get(pair) != marks[1].get(pair) for pair in marks[0].keys() | marks[1].keys())

    def skeleton_f1(self, true: Cpdag) -> float:
        """F1 of the skeleton's edges against the true ones; 1 if both have none."""
        total = len(self.skeleton) + len(true.skeleton)
        return 2 * len(self.skeleton & true.skeleton) / total if total else 1.0


def pc(data: ArrayLike, ci_test: CITest | str = "fisherz", alpha: float = 0.05, max_cond: int | None = None) -> Cpdag:
    """The PC algorithm: stable skeleton, colliders from separating sets (existing ones have priority), Meek's rules.

    Args:
        data: shape (rows, variables).
        ci_test: the name of a test, or a function (data, i, j, S) -> `CIResult`. An inconclusive result keeps the edge.
        alpha: level of the tests.
        max_cond: most variables to condition on; None for no limit.

    Raises:
        InputError: for data that are not finite, constant columns, or fewer than two variables.
    """
    rows = _checked(data)
    if not 0 < alpha < 1:
        raise InputError(f"alpha must be between 0 and 1, not {alpha}")
    test = _Cached(rows, on_all_rows(ci_test) if isinstance(ci_test, str) else ci_test)
    search = need("causallearn.search.ConstraintBased.PC", "causal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="causallearn")
        found = search.pc(
            rows, alpha, _adapter(), stable=True, uc_rule=0, uc_priority=2, show_progress=False, max_k=max_cond, ponder_test=test.p_value
        )
    return _read(found.G.graph, test.inconclusive)


def ges(data: ArrayLike, ci_test: CITest | str = "fisherz", penalty: float = 1.0) -> Cpdag:
    """Greedy equivalence search, forward and backward, scored by tests.

    Adding a parent to others is worth -N/2 ln(1 - r^2) - penalty ln N, with r the partial correlation that gives the test's statistic on
    all N rows, so that tests on different numbers of rows compare; taking it away is worth the opposite (Dai et al. 2024).

    Args:
        data: shape (rows, variables).
        ci_test: "fisherz", or a function (data, i, j, S) -> `CIResult` whose statistic is Fisher's z. An inconclusive result adds nothing.
        penalty: of an edge, in units of ln N; 0.5 is BIC.

    Raises:
        InputError: as `pc`, or for a penalty of 0 or less.
    """
    rows = _checked(data)
    if not penalty > 0:
        raise InputError(f"the penalty of an edge must be above 0, not {penalty}")
    if isinstance(ci_test, str) and ci_test != "fisherz":
        raise InputError(f"the score needs Fisher's z statistic: 'fisherz' or a function that gives it, not {ci_test!r}")
    test = _Cached(rows, on_all_rows(ci_test) if isinstance(ci_test, str) else ci_test)
    size = len(rows)

    @functools.cache
    def gain(j: int, i: int, given: tuple[int, ...]) -> float:
        found = test(i, j, given)
        strength = 0.0 if found.inconclusive else math.tanh(found.statistic / math.sqrt(size - 3))
        return -size / 2 * math.log1p(-min(strength**2, 1 - 1e-12)) - penalty * math.log(size)

    def inserted(
        _: Any, i: int, j: int, more: Any, near: set[int], parents: set[int], known: Any, *__: Any
    ) -> tuple[float, list[Any], Any]:
        return gain(int(j), int(i), _columns(near | set(more) | parents)), [i, j, more], known

    def deleted(_: Any, i: int, j: int, less: Any, near: set[int], parents: set[int], known: Any, *__: Any) -> tuple[float, list[Any], Any]:
        return -gain(int(j), int(i), _columns(((near - set(less)) | parents) - {i})), [i, j, list(less)], known

    module = need("causallearn.search.ScoreBased.GES", "causal")
    # causal-learn's search takes its scores by name only: this is its own function, with our scores of a step in place of its.
    ours = {"insert_changed_score_fast": inserted, "delete_changed_score_fast": deleted, "score_g": lambda *_: 0.0}
    if not ours.keys() <= vars(module).keys():
        raise PonderError(f"this version of causal-learn scores a step of GES elsewhere than in {', '.join(ours)}: use 0.1.4.8")
    search = types.FunctionType(module.ges.__code__, {**vars(module), **ours}, argdefs=module.ges.__defaults__)
    return _read(search(rows)["G"].graph, test.inconclusive)


def _columns(indices: Collection[Any]) -> tuple[int, ...]:
    return tuple(sorted(map(int, indices)))


class _Cached:
    """A test of the columns of one table, asked once each; counts what was inconclusive."""

    def __init__(self, data: Floats, test: CITest) -> None:
        self.data, self.test = data, test
        self.known: dict[tuple[int, int, tuple[int, ...]], CIResult] = {}

    @property
    def inconclusive(self) -> int:
        return sum(result.inconclusive for result in self.known.values())

    def __call__(self, i: int, j: int, given: tuple[int, ...]) -> CIResult:
        key = (min(i, j), max(i, j), tuple(sorted(given)))
        if key not in self.known:
            self.known[key] = self.test(self.data, *key)
        return self.known[key]

    def p_value(self, i: int, j: int, given: tuple[int, ...]) -> float:
        found = self(i, j, given)
        return 0.0 if found.inconclusive else found.p


@functools.cache
def _adapter() -> str:
    """The name under which causal-learn knows tests that are functions."""
    cit = need("causallearn.utils.cit", "causal")

    class Given(cit.CIT_Base):
        def __init__(self, data: Any, ponder_test: Any, **kwargs: Any) -> None:
            super().__init__(data, **kwargs)
            self.check_cache_method_consistent("ponder", "NO SPECIFIED PARAMETERS")
            self.ponder_test = ponder_test

        def __call__(self, x: Any, y: Any, condition_set: Any = None) -> float:
            return self.ponder_test(int(x), int(y), tuple(sorted(map(int, condition_set if condition_set is not None else ()))))

    cit.register_ci_test("ponder", Given)
    return "ponder"


def _checked(data: ArrayLike) -> Floats:
    rows = table(data)
    if rows.shape[1] < 2 or len(rows) < 5:
        raise InputError(f"a search needs at least 2 variables and 5 rows, not shape {rows.shape}")
    constant = np.flatnonzero(np.ptp(rows, axis=0) == 0)
    if len(constant):
        raise InputError(f"column {constant[0]} is constant: leave it out")
    return rows


def _nodes(n: int) -> list[Any]:
    node = need("causallearn.graph.GraphNode", "causal").GraphNode
    return [node(f"X{i + 1}") for i in range(n)]


def _read(marks: Any, inconclusive: int) -> Cpdag:
    """Endpoint marks as causal-learn has them: marks[j, i] = 1 and marks[i, j] = -1 is i -> j, equal marks are no direction."""
    n = len(marks)
    joined = [(i, j) for i in range(n) for j in range(n) if marks[i, j] or marks[j, i]]
    directed = frozenset((i, j) for i, j in joined if marks[j, i] == 1 and marks[i, j] == -1)
    undirected = frozenset((i, j) for i, j in joined if i < j and marks[i, j] == marks[j, i])
    return Cpdag(n, directed, undirected, inconclusive)
