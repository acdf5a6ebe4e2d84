"""Laws of inference algorithms, as checks that can fail: the measure an algorithm stands for is enumerated and compared as Fractions.

The law of Scibior et al. 2017 (arXiv 1711.03219): a transformation is valid if the (unnormalised) measure stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.context import Trace as ContextTrace
from ponder.core.problem import Problem
from ponder.core.stepwise import extend, loop, start
from ponder.prob.exact import Enumerator, ExactPopulation, enumerate_runs, linear, measure
from ponder.prob.kernels import Kernel
from ponder.prob.program import Program, Trace

PLAIN = start(1) | loop(extend())
"""A program as it stands: run once, weighed by its scores."""


@dataclass(frozen=True)
class Preserved:
    """Whether two measures are equal.

    Attributes:
        expected, found: value -> mass.
        defect: the largest difference of masses.
    """

    expected: dict[Any, Fraction]
    found: dict[Any, Fraction]

    @property
    def defect(self) -> Fraction:
        keys = {*self.expected, *self.found}
        return max((abs(self.expected.get(k, Fraction(0)) - self.found.get(k, Fraction(0))) for k in keys), default=Fraction(0))


def value(trace: Trace) -> Hashable:
    return (trace.finished, trace.value)


def enumerating(source: Enumerator, program: Any, **more: Any) -> Context:
    """A context all of whose draws are an enumeration's."""
    return Context(Problem("a probabilistic program"), program=program, draws=lambda root, path: source, trace=ContextTrace(), **more)  # pyright: ignore[reportArgumentType]


def meaning(
    program: Program, method: Stage = PLAIN, base: int | None = None, key: Callable[[Any], Hashable] = lambda t: t.value
) -> dict[Any, Fraction]:
    """The measure over values that a method stands for on a program, all of its randomness enumerated.

    Args:
        base: how many values a base draw has that the program looks at itself; draws from finite distributions need none.

    Raises:
        InfiniteSupportError: for a continuous draw.
    """
    nothing = ExactPopulation((None,), (Fraction(1),))
    runs = enumerate_runs(lambda source: method(nothing, enumerating(source, program)), base)
    return measure(runs, key)


def assert_preserves(
    method: Stage, program: Program, base: int | None = None, key: Callable[[Any], Hashable] = lambda t: t.value
) -> Preserved:
    """Check that a method stands for the measure of the program itself, mass for mass, evidence included.

    Raises:
        AssertionError: with both measures.
    """
    report = Preserved(meaning(program, PLAIN, base, key), meaning(program, method, base, key))
    if report.defect:
        raise AssertionError(f"{method} does not preserve {program.name}: {report.found} where {report.expected} was due")
    return report


def kernel_matrix(kernel: Kernel, program: Program, base: int | None = None) -> tuple[dict[Any, Fraction], dict[tuple[Any, Any], Fraction]]:
    """The target over whole traces (by their sampled values), and the flow pi(x) P(x, y) of a kernel between them."""
    target: dict[Any, Fraction] = {}
    flow: dict[tuple[Any, Any], Fraction] = {}

    def run(source: Enumerator) -> tuple[Trace, Trace]:
        before = program.run(source)
        return before, kernel(program, before, source)[0]

    for probability, (x, y) in enumerate_runs(run, base):
        mass = probability * linear(x.log_weight)
        target[x.values] = target.get(x.values, Fraction(0)) + mass
        flow[x.values, y.values] = flow.get((x.values, y.values), Fraction(0)) + mass
    return target, flow


def invariance_defect(kernel: Kernel, program: Program, base: int | None = None) -> Fraction:
    """The largest |(pi P - pi)(trace)|, normalised."""
    target, flow = kernel_matrix(kernel, program, base)
    after: dict[Any, Fraction] = {}
    for (_, y), mass in flow.items():
        after[y] = after.get(y, Fraction(0)) + mass
    return max(abs(after.get(x, Fraction(0)) - mass) for x, mass in target.items()) / sum(target.values())


def balance_defect(kernel: Kernel, program: Program, base: int | None = None) -> Fraction:
    """The largest |pi(x) P(x, y) - pi(y) P(y, x)|, normalised: zero is detailed balance."""
    target, flow = kernel_matrix(kernel, program, base)
    return max(abs(mass - flow.get((y, x), Fraction(0))) for (x, y), mass in flow.items()) / sum(target.values())
