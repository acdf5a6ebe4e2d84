"""Data whose causes and mechanisms vary independently between environments: simulators, and an exact law.

Settings are those of Guo et al. 2023 (bivariate continuous and multivariate binary experiments).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import product
from typing import Literal

import numpy as np

from ponder.causal.diagrams.channel import State
from ponder.causal.graphs import dag, topological
from ponder.causal.independence import Floats
from ponder.core.errors import InputError

Structure = Literal["x -> y", "y -> x", "none"]
Edge = tuple[int, int]


def binary_pair_law(cause: tuple[int, int], mechanism: Sequence[tuple[int, int]]) -> State:
    """The exact law of two samples of binary X -> Y whose parameters are Beta distributed over environments.

    Args:
        cause: whole parameters (a, b) of theta = P(X = 1).
        mechanism: those of psi_0 = P(Y = 1 | X = 0) and of psi_1 = P(Y = 1 | X = 1); all three are independent.

    Returns:
        The joint distribution of X1, Y1, X2, Y2 in fractions.
    """
    if len(mechanism) != 2 or min(*cause, *mechanism[0], *mechanism[1]) < 1:
        raise InputError(f"Beta parameters are whole numbers of at least 1, one pair a value of X; {cause} and {mechanism} were given")
    array = np.empty((2, 2, 2, 2), dtype=object)
    for x1, y1, x2, y2 in product(range(2), repeat=4):
        chance = _beta_moment(cause, [x1, x2])
        for value in range(2):
            chance *= _beta_moment(mechanism[value], [y for x, y in ((x1, y1), (x2, y2)) if x == value])
        array[x1, y1, x2, y2] = chance
    return State(array, ("X1", "Y1", "X2", "Y2"))


def _beta_moment(parameters: tuple[int, int], outcomes: list[int]) -> Fraction:
    """Probability of a sequence of coin flips whose bias is Beta distributed: Polya's urn."""
    ones, zeros = parameters
    chance = Fraction(1)
    for outcome in outcomes:
        chance *= Fraction(ones if outcome else zeros, ones + zeros)
        ones, zeros = ones + outcome, zeros + 1 - outcome
    return chance


def simulate_continuous(
    structure: Structure, environments: int, rng: np.random.Generator, varies: bool = True, confounded: bool = False
) -> Floats:
    """Two variables, two samples an environment, shape (environments, 2, 2).

    Noise is Laplace of scale 1 about a centre that is uniform on (-1, 1) in each environment; the effect adds a times the cause's noise to
    b times its own, and in a random half of the environments c (a, b - 1) times their squares (a, b, c whole, 1 to 9).

    Args:
        structure: which of the two is the cause.
        environments: how many.
        varies: False keeps centre and mechanism the same everywhere, so that the data are i.i.d.
        confounded: True gives both noises one centre in each environment, which breaks the independence of mechanisms.
    """
    if structure not in ("x -> y", "y -> x", "none") or environments < 1:
        raise InputError(f"structures are 'x -> y', 'y -> x' and 'none', environments at least 1; {structure!r}, {environments} were given")
    centres = rng.uniform(-1, 1, size=(environments, 1, 1 if confounded else 2))
    bent = rng.permutation(environments) < environments // 2
    if not varies:
        centres, bent = np.zeros((environments, 1, 2)), np.zeros(environments, dtype=bool)
    noise = rng.laplace(size=(environments, 2, 2)) + centres
    if structure == "none":
        return noise
    a, b, c = (int(v) for v in rng.integers(1, 10, size=3))
    effect = a * noise[..., 0] + b * noise[..., 1]
    effect = effect + bent[:, None] * c * (a * noise[..., 0] ** 2 + (b - 1) * noise[..., 1] ** 2)
    both = np.stack([noise[..., 0], effect], axis=2)
    return both if structure == "x -> y" else both[..., ::-1]


def random_dag(variables: int, rng: np.random.Generator) -> tuple[Edge, ...]:
    """A random graph in which each u < v has an edge u -> v with probability 1/2; drawn again until no variable is alone."""
    if variables < 2:
        raise InputError(f"a graph without lone variables needs at least 2, not {variables}")
    while True:
        edges = tuple((u, v) for u in range(variables) for v in range(u + 1, variables) if rng.random() < 0.5)
        if len({v for edge in edges for v in edge}) == variables:
            return edges


def simulate_binary(edges: Collection[Edge], variables: int, environments: int, rng: np.random.Generator) -> Floats:
    """Binary variables of a graph, two samples an environment, shape (environments, 2, variables).

    Each variable has a bias from Beta(1, 3) in each environment, and flips a coin of it a sample. A variable without parents is its coin;
    another is 1 if its coin differs from the product of its parents.
    """
    graph = dag(range(variables), edges)
    bias = rng.beta(1, 3, size=(environments, 1, variables))
    values = (rng.random((environments, 2, variables)) < bias).astype(np.float64)
    for v in topological(graph):
        parents = sorted(graph.predecessors(v))
        if parents:
            values[..., v] = values[..., v] != values[..., parents].prod(axis=2)
    return values


def structural_distance(found: Collection[Edge], true: Collection[Edge]) -> float:
    """Wrong and missing edges over all edges of both graphs, in [0, 1]; 1 if nothing was found (the measure of the paper)."""
    if not found:
        return 1.0
    return len(set(found) ^ set(true)) / (len(set(found)) + len(set(true)))
