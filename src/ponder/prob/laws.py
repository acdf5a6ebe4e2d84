"""Laws of inference algorithms, as checks that can fail: the measure an algorithm stands for is enumerated and compared as Fractions.

The law of Scibior et al. 2017 (arXiv 1711.03219): a transformation is valid if the (unnormalised) measure stays what it was. Where a
program is continuous and cannot be enumerated, `sbc`, `one_step` and `geweke` test samplers and kernels statistically.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ponder.core.algebra import Stage
from ponder.core.context import Context
from ponder.core.errors import InputError, need
from ponder.core.language import LM
from ponder.core.problem import Candidate
from ponder.core.seeds import generator
from ponder.core.stepwise import extend, loop, start
from ponder.prob.exact import Enumerator, ExactPopulation, enumerate_runs, linear, measure
from ponder.prob.infer import exactly
from ponder.prob.kernels import Kernel
from ponder.prob.language import ToyLanguage
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


def meaning(
    program: Program, method: Stage = PLAIN, base: int | None = None, key: Callable[[Any], Hashable] = lambda t: t.value
) -> dict[Any, Fraction]:
    """The measure over values that a method stands for on a program, all of its randomness enumerated.

    Args:
        base: how many values a base draw has that the program looks at itself; draws from finite distributions need none.

    Raises:
        InfiniteSupportError: for a continuous draw.
    """
    return measure(enumerate_runs(lambda source: exactly(method, program, source), base), key)


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


def stage_meaning(
    method: Stage,
    language: ToyLanguage,
    context: Callable[[LM], Context],
    key: Callable[[Candidate], Hashable] = lambda c: c.text,
) -> dict[Any, Fraction]:
    """The measure over candidates that a pipeline of language-model stages stands for, every token and every draw of its own enumerated.

    Args:
        method: any pipeline that begins with `sample` or `start`.
        language: what the model writes.
        context: the context to run in, given the engine: problem, sampling at temperature 1, and the program for steps, for example
            `lambda lm: Context(Problem("?"), models={"toy": lm}, program=Reasoner("\\n"), sampling=Sampling(1.0))`.
        key: what of a candidate counts, its text by default.

    Raises:
        InputError: a stage that rounds weights, more than 200,000 outcomes, or other sampling settings.
    """

    def run(source: Enumerator) -> ExactPopulation:
        place = replace(context(language.engine(source)), draws=lambda root, path: source)
        return cast(ExactPopulation, method(ExactPopulation((Candidate(),), (Fraction(1),)), place))

    return measure(enumerate_runs(run), key)


def assert_same_law(
    method: Stage,
    reference: Stage,
    language: ToyLanguage,
    context: Callable[[LM], Context],
    key: Callable[[Candidate], Hashable] = lambda c: c.text,
) -> Preserved:
    """Check that two pipelines of language-model stages stand for the same measure, evidence included; arguments as in `stage_meaning`.

    Log-weights of scorers are taken as their rounded exponentials.

    Raises:
        AssertionError: with both measures.
    """
    report = Preserved(*(stage_meaning(m, language, context, key) for m in (reference, method)))
    if report.defect:
        raise AssertionError(f"{method} does not stand for the measure of {reference}: {report.found} where {report.expected} was due")
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


@dataclass(frozen=True)
class Joint:
    """A model of one number and its data, for the statistical tests.

    Attributes:
        prior: prior(rng) draws theta.
        data: data(theta, rng) draws y.
        log_likelihood: log p(y | theta) of (theta, y).
    """

    prior: Callable[[np.random.Generator], float]
    data: Callable[[float, np.random.Generator], Any]
    log_likelihood: Callable[[float, Any], float]


def sbc(
    joint: Joint,
    sampler: Callable[[Any, int, np.random.Generator], Any],
    n_sims: int = 1000,
    n_draws: int = 99,
    bins: int = 20,
    seed: int = 0,
) -> dict[str, float]:
    """Simulation-based calibration: ranks of the true theta among posterior draws are uniform (Talts et al. 2018, arXiv 1804.06788).

    Args:
        sampler: sampler(y, n_draws, rng) gives draws of theta given y, shape (n_draws,), nearly independent.
        bins: of the ranks 0..n_draws; divides n_draws + 1.

    Returns:
        p-values of chi-squared tests for the ranks of "theta" and of its "log-likelihood". A sampler that returns the prior passes the
        first and fails the second.

    Raises:
        InputError: if the bins do not divide the ranks, or fewer than 5 simulations fall in a bin on average.
    """
    if n_draws < 1 or bins < 2 or (n_draws + 1) % bins or n_sims < 5 * bins:
        raise InputError(f"bins={bins} must divide n_draws+1={n_draws + 1}, and n_sims={n_sims} be at least 5 a bin")
    stats, rng = need("scipy.stats", "prob"), generator(seed, ("sbc",))
    ranks: dict[str, list[int]] = {"theta": [], "log-likelihood": []}
    for _ in range(n_sims):
        theta = joint.prior(rng)
        y = joint.data(theta, rng)
        draws = np.asarray(sampler(y, n_draws, rng), dtype=np.float64)
        if draws.shape != (n_draws,):
            raise InputError(f"the sampler was asked for {n_draws} draws and gave an array of shape {draws.shape}")
        likelihoods = np.array([joint.log_likelihood(float(t), y) for t in draws])
        ranks["theta"].append(_rank(theta, draws, rng))
        ranks["log-likelihood"].append(_rank(joint.log_likelihood(theta, y), likelihoods, rng))
    width = (n_draws + 1) // bins
    return {name: float(stats.chisquare(np.bincount(np.array(r) // width, minlength=bins)).pvalue) for name, r in ranks.items()}


def _rank(value: float, draws: NDArray[np.float64], rng: np.random.Generator) -> int:
    """How many draws lie below; a tie is broken by chance."""
    return int(np.sum(draws < value) + rng.integers(np.sum(draws == value) + 1))


def one_step(
    joint: Joint, kernel: Callable[[float, Any, np.random.Generator], float], n_sims: int = 2000, seed: int = 0
) -> dict[str, float]:
    """One move from a draw of the joint law leaves theta and its log-likelihood distributed as they were.

    Half of the simulations are moved and compared with the other half, so that the samples are independent.

    Args:
        kernel: kernel(theta, y, rng) gives the next theta.

    Returns:
        p-values of two-sample Kolmogorov-Smirnov tests of "theta" and of its "log-likelihood".
    """
    stats, rng = need("scipy.stats", "prob"), generator(seed, ("one step",))
    samples = np.empty((2, n_sims // 2, 2))
    for moved in (0, 1):
        for i in range(n_sims // 2):
            theta = joint.prior(rng)
            y = joint.data(theta, rng)
            theta = kernel(theta, y, rng) if moved else theta
            samples[moved, i] = theta, joint.log_likelihood(theta, y)
    return {name: float(stats.ks_2samp(*samples[:, :, k]).pvalue) for k, name in enumerate(("theta", "log-likelihood"))}


def geweke(
    joint: Joint, kernel: Callable[[float, Any, np.random.Generator], float], n: int = 10_000, batches: int = 40, seed: int = 0
) -> dict[str, float]:
    """Joint distribution test (Geweke 2004): a chain that moves theta by the kernel and draws y anew has the law of prior and data.

    Small mistakes of a kernel add up along the chain, so it sees more than `one_step` does in the same time. Moments are taken between the
    move and the new y: a kernel that forgets y and draws from the prior would otherwise pass.

    Args:
        kernel: kernel(theta, y, rng) gives the next theta.
        n: moves of the chain, and independent draws that it is compared with.
        batches: of which means are taken, for the standard error of the chain's; they should be long against its memory.

    Returns:
        p-values of Welch's t-tests of the means of "theta", its square, and its "log-likelihood".

    Raises:
        InputError: fewer than 2 batches, or fewer than 2 moves a batch.
    """
    if batches < 2 or n < 2 * batches:
        raise InputError(f"batch means need at least 2 batches of 2 moves, not {batches} batches of {n} moves")
    stats, rng = need("scipy.stats", "prob"), generator(seed, ("geweke",))

    def moments(theta: float, y: Any) -> tuple[float, float, float]:
        return theta, theta * theta, joint.log_likelihood(theta, y)

    independent = np.array([moments(theta, joint.data(theta, rng)) for theta in (joint.prior(rng) for _ in range(n))])
    chain, theta = np.empty((n, 3)), joint.prior(rng)
    for i in range(n):
        y = joint.data(theta, rng)
        theta = kernel(theta, y, rng)
        chain[i] = moments(theta, y)
    means = chain[: n // batches * batches].reshape(batches, -1, 3).mean(axis=1)
    return {
        name: float(stats.ttest_ind(means[:, k], independent[:, k], equal_var=False).pvalue)
        for k, name in enumerate(("theta", "theta squared", "log-likelihood"))
    }
