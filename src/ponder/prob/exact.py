"""Exact enumeration: every random choice of a program and of the algorithm that runs it, with Fractions.

The algorithms are not written again. `Enumerator` stands where the core puts its random generator, and `ExactPopulation` where it puts
weights; resampling, loops, kernels and language-model stages then run as they are, once for each outcome of their draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError
from ponder.core.population import Population, joined, take
from ponder.prob.errors import InfiniteSupportError

X = TypeVar("X")
MOST_RUNS = 200_000


def rational(value: Any) -> Fraction:
    """A number as a Fraction; a float is the shortest decimal that names it, so that .3 is 3/10.

    Raises:
        InputError: for NaN and infinities.
    """
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise InputError(f"a finite number is needed, not {value}")
        return Fraction(repr(float(value)))
    return Fraction(value)


class LogFraction:
    """The logarithm of a Fraction >= 0, without rounding: sums of logarithms are products of Fractions."""

    __slots__ = ("of",)

    def __init__(self, of: Any) -> None:
        self.of = rational(of)

    def __add__(self, other: LogFraction) -> LogFraction:
        return LogFraction(self.of * linear(other))

    def __sub__(self, other: LogFraction) -> LogFraction:
        return LogFraction(self.of / linear(other))

    def __float__(self) -> float:
        return math.log(self.of) if self.of else -math.inf

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LogFraction) and self.of == other.of

    def __hash__(self) -> int:
        return hash(self.of)

    def __repr__(self) -> str:
        return f"log({self.of})"


def linear(log_weight: Any) -> Fraction:
    """exp of a log-weight as a Fraction; of a float, that of its rounded exp."""
    if isinstance(log_weight, LogFraction):
        return log_weight.of
    return Fraction(0) if log_weight == -math.inf else Fraction(math.exp(log_weight))


class Uniform:
    """A uniform draw of which only an interval is known. A comparison that the interval does not decide is a choice of the enumeration.

    Stands for slope * u + shift; expressions of the same draw share what is known of it.
    """

    __slots__ = ("_choose", "_known", "_shift", "_slope")

    def __init__(self, choose: Callable[[Sequence[Fraction]], int]) -> None:
        self._choose, self._known = choose, [Fraction(0), Fraction(1)]
        self._slope, self._shift = Fraction(1), Fraction(0)

    def _affine(self, slope: Fraction, shift: Fraction) -> Uniform:
        other = object.__new__(Uniform)
        other._choose, other._known, other._slope, other._shift = self._choose, self._known, slope, shift
        return other

    def __add__(self, other: Any) -> Uniform:
        return self._affine(self._slope, self._shift + rational(other))

    def __sub__(self, other: Any) -> Uniform:
        return self + -rational(other)

    def __rsub__(self, other: Any) -> Uniform:
        return self._affine(-self._slope, rational(other) - self._shift)

    def __mul__(self, other: Any) -> Uniform:
        return self._affine(self._slope * rational(other), self._shift * rational(other))

    def __truediv__(self, other: Any) -> Uniform:
        return self * (1 / rational(other))

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other: Any) -> bool:
        at = (rational(other) - self._shift) / self._slope
        return self._below(at) == (self._slope > 0)

    def __gt__(self, other: Any) -> bool:
        return not self < other  # equality has probability zero

    __le__, __ge__ = __lt__, __gt__

    def _below(self, at: Fraction) -> bool:
        low, high = self._known
        if at >= high:
            return True
        if at <= low:
            return False
        below = self._choose(((at - low) / (high - low), (high - at) / (high - low))) == 0
        self._known[0 if not below else 1] = at
        return below

    def __ceil__(self) -> int:
        low, high = sorted(self._slope * end + self._shift for end in self._known)
        for whole in range(math.floor(low) + 1, math.ceil(high)):
            if self < whole:
                return whole
        return math.ceil(high)

    def cell(self, base: int) -> Fraction:
        """The middle of one of `base` equal cells of [0, 1)."""
        for k in range(base - 1):
            if self < Fraction(k + 1, base):
                return Fraction(2 * k + 1, 2 * base)
        return Fraction(2 * base - 1, 2 * base)


class _Uniforms(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of draws. numpy's search would compare draws with each other, which no interval decides; this one searches for each."""

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is not np.searchsorted:
            return super().__array_function__(func, types, args, kwargs)
        cumulative, positions = args
        return np.array([next((i for i, end in enumerate(cumulative) if u < end), len(cumulative)) for u in positions], dtype=np.intp)


class Enumerator:
    """Stands for a numpy Generator in one run of an enumeration: what it draws is chosen, and the probability of the choices multiplied.

    Attributes:
        base: how many values a base draw that a program looks at has (`FiniteBase`); None lets it look at none.
        probability: of the choices so far.
    """

    def __init__(self, prefix: Sequence[int] = (), base: int | None = None) -> None:
        self.base, self.probability = base, Fraction(1)
        self._prefix, self.taken = prefix, list[tuple[int, tuple[Fraction, ...]]]()

    def choose(self, probabilities: Sequence[Fraction]) -> int:
        """Which of the alternatives this run takes."""
        at = len(self.taken)
        pick = self._prefix[at] if at < len(self._prefix) else next(i for i, p in enumerate(probabilities) if p)
        self.taken.append((pick, tuple(probabilities)))
        self.probability *= probabilities[pick]
        return pick

    def random(self, size: int | None = None) -> Any:
        if size is None:
            return Uniform(self.choose)
        draws = np.empty(size, dtype=object)
        draws[:] = [Uniform(self.choose) for _ in range(size)]
        return draws.view(_Uniforms)

    def integers(self, high: int) -> int:
        return self.choose([Fraction(1, int(high))] * int(high))

    def choice(self, a: int, p: Sequence[Any] | None = None) -> int:
        return self.integers(a) if p is None else self.choose([rational(q) for q in p])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise InfiniteSupportError(f"a draw by Generator.{name} cannot be enumerated")


def enumerate_runs(run: Callable[[Enumerator], X], base: int | None = None, most: int = MOST_RUNS) -> Iterator[tuple[Fraction, X]]:
    """Every outcome of a random computation with its probability; the computation runs once for each.

    Raises:
        InputError: if there are more than `most` outcomes.
    """
    prefix: list[int] = []
    for _ in range(most):
        source = Enumerator(prefix, base)
        result = run(source)
        yield source.probability, result
        taken = source.taken
        while taken:
            pick, probabilities = taken[-1]
            later = next((i for i in range(pick + 1, len(probabilities)) if probabilities[i]), None)
            if later is not None:
                break
            taken.pop()
        if not taken:
            return
        prefix = [pick for pick, _ in taken[:-1]] + [later]  # pyright: ignore[reportPossiblyUnboundVariable, reportOperatorIssue, reportAssignmentType]
    raise InputError(f"there are more than {most} outcomes; enumerate a smaller program or fewer particles")


class ExactPopulation(Population[Any]):
    """A population whose weights are Fractions. What the core does to populations it does to this one without rounding."""

    __slots__ = ("masses",)

    masses: tuple[Fraction, ...]

    def __init__(self, items: Sequence[Any], masses: Sequence[Fraction]) -> None:
        super().__init__(items, [float(LogFraction(m)) for m in masses])
        object.__setattr__(self, "masses", tuple(masses))

    @property
    def total(self) -> Fraction:
        return sum(self.masses, Fraction(0))

    @property
    def dead(self) -> bool:
        return not self.total

    @property
    def weights(self) -> NDArray[Any]:
        return np.array([m / self.total if self.total else m for m in self.masses], dtype=object)

    @property
    def ess(self) -> Any:
        return Fraction(0) if self.dead else self.total**2 / sum(m * m for m in self.masses)

    def reweight(self, log_factors: ArrayLike) -> ExactPopulation:
        factors = np.broadcast_to(np.asarray(log_factors), (len(self),))
        return ExactPopulation(self.items, [m * linear(f) for m, f in zip(self.masses, factors, strict=True)])

    def equal(self, items: Sequence[Any]) -> ExactPopulation:
        return ExactPopulation(items, [self.total / len(items)] * len(items))

    def grown(self, children: Sequence[Any], log_factors: ArrayLike, width: int | Sequence[int] = 1) -> ExactPopulation:
        widths = [width] * len(self) if isinstance(width, int) else width
        shares = [m / w for m, w in zip(self.masses, widths, strict=True) for _ in range(w)]
        return ExactPopulation(children, shares).reweight(log_factors)

    def beside(self, other: Any) -> ExactPopulation:
        return ExactPopulation(joined(self.items, other.items), self.masses + other.masses)

    def at(self, indices: ArrayLike) -> ExactPopulation:
        chosen = np.asarray(indices, dtype=np.intp)
        return ExactPopulation(take(self.items, chosen), [self.masses[i] for i in chosen])

    def merge(self, key: Callable[[Any], Hashable]) -> ExactPopulation:
        groups = list(self.classes(key).values())
        heaviest = np.array([max(members, key=lambda i: self.masses[i]) for members in groups], dtype=np.intp)
        return ExactPopulation(take(self.items, heaviest), [sum((self.masses[i] for i in members), Fraction(0)) for members in groups])

    def sharing(self, other: Population[Any], parts: int) -> ExactPopulation:
        return self if self.dead else ExactPopulation(self.items, [m / self.total * _total(other) / parts for m in self.masses])

    def normalised(self) -> ExactPopulation:
        return self if self.dead else ExactPopulation(self.items, [m / self.total for m in self.masses])


def _total(population: Population[Any]) -> Fraction:
    """The total mass.

    Raises:
        InputError: if it was rounded.
    """
    if not isinstance(population, ExactPopulation):
        raise InputError("a stage made a population with rounded weights; exact enumeration needs an ExactPopulation")
    return population.total


def measure(outcomes: Iterator[tuple[Fraction, Population[Any]]], key: Callable[[Any], Hashable]) -> dict[Any, Fraction]:
    """E[sum_i w_i delta(key(x_i))]: the measure that a random population stands for. Masses of zero are left out."""
    masses: dict[Any, Fraction] = {}
    for probability, population in outcomes:
        _total(population)
        for item, mass in zip(population.items, cast(ExactPopulation, population).masses, strict=True):
            if mass:
                masses[key(item)] = masses.get(key(item), Fraction(0)) + probability * mass
    return masses
