"""Reproduction: the Slepian-model independent interval approximation (Bengtsson & Podgorski 2024, arXiv 2401.01805)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.core.seeds import generator
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.prob.gaussian import Correlation, correlation, diffusion, matern, random_acceleration, squared_exponential
from ponder.prob.slepian import Excursions, InvalidApproximation, NotDifferentiable, excursion_law, simulate_excursions

SLUG = "slepian-iia"
TITLE = "The Slepian-model independent interval approximation of persistency"
CLAIM = (
    "Starting the clock at a zero crossing gives the same independent-interval approximation as matching the clipped covariance, says "
    "when the result is a probability law, and gives persistency exponents near the exact ones."
)
EXPONENTS = {1: 0.1203, 2: 0.1862, 3: 0.2358}
EXACT = {1: 0.1205, 2: 3 / 16, 3: 0.2382}
STEPS = {1: (0.06, 700), 2: (0.05, 500), 3: (0.04, 500)}
NOTES = (
    "Exponents are rates per unit of the stationary process's own time; for diffusion that is log time, and the rate is the power of t.",
    "Exact: 3/16 for d = 2 and 1/4 for random acceleration are theorems; the values for d = 1 and 3 are simulations in the literature.",
    "Paths are looked at in steps, so short excursions are missed and simulated persistency comes out a little low.",
    "The paper's own tables could not be read; its formulas are recomputed here, with the independent-interval values of 1996 beside them.",
)
UNTESTED = "the paper's own tables and its examples from applications, which could not be read."


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Exponents against the published approximation, the exact values and simulation; what must be refused.

    Args:
        quick: 20,000 simulated paths a process instead of 80,000, and no random acceleration.
        seed: of the simulated paths.
        out: a folder for the figure, the survival of intervals between crossings; none is drawn without it.
    """
    paths = 20_000 if quick else 80_000
    checks: list[Check] = [matching_check(), *refusals()]
    rows: list[tuple[str | float | None, ...]] = []
    for d, published in EXPONENTS.items():
        law = excursion_law(diffusion(d))
        theta = law.persistency()
        checks.append(Check(f"d = {d}: exponent of the approximation", theta, f"{published} to four places", abs(theta - published) < 1e-4))
        off = abs(theta / EXACT[d] - 1)
        checks.append(Check(f"d = {d}: its relative error", off, "below .03", off < 0.03))
        step, n = STEPS[d]
        seen = simulate_excursions(diffusion(d), step, n, paths, generator(seed, ["diffusion", d]))
        found, tolerance = seen.persistency(), 0.004 * (2 if quick else 1)
        near = abs(found - EXACT[d]) < tolerance
        checks.append(Check(f"d = {d}: exponent of {paths} paths", found, f"{EXACT[d]:.4f} +- {tolerance}", near, False))
        rows.append((f"diffusion d={d}", theta, EXACT[d], found))
        if d == 2:
            distance = gap(diffusion(2), seen)
            checks.append(Check("d = 2: largest gap of interval survival to simulation", distance, "below .03", distance < 0.03))
            figures = (survival_figure(diffusion(2), seen, out),) if out is not None else ()
    if not quick:
        seen = simulate_excursions(random_acceleration(), 0.03, 700, paths, generator(seed, ["acceleration"]))
        rows.append(("random acceleration", excursion_law(random_acceleration()).persistency(), 0.25, seen.persistency()))
    others = (diffusion(4), diffusion(5), squared_exponential(), matern(1.5), matern(2.5))
    rows += [(p.name, excursion_law(p).persistency(), None, None) for p in others]
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED,
        tables=(Table("Persistency exponents", ("process", "approximation", "exact or literature", "simulated"), tuple(rows)),),
        figures=figures,
        notes=NOTES,
    )


def matching_check() -> Check:
    """Largest difference between the transforms that the two matchings give, over three processes."""
    worst = 0.0
    for process in (diffusion(2), random_acceleration(), matern(2.5)):
        law = excursion_law(process)
        clipped = 2 / np.pi * np.arcsin(process.value(law.times))
        for s in (0.1, 1.0, 5.0):
            share = (1 - s * np.sum(law.weights * np.exp(-s * law.times) * clipped)) * law.mean * s / 2
            worst = max(worst, abs(float(law.laplace(s)) - (1 - share) / (1 + share)))
    return Check("clock at a crossing against clipped covariance: largest difference of transforms", worst, "below 1e-10", worst < 1e-10)


def refusals() -> list[Check]:
    """The covariances for which there is no law of this kind."""
    cases = (
        ("exp(-t^2/2) cos 2t", correlation(lambda t: np.exp(-t * t / 2) * np.cos(2 * t)), InvalidApproximation),
        ("sin t / t", correlation(lambda t: np.sinc(t / np.pi)), InvalidApproximation),
        ("Ornstein-Uhlenbeck", matern(0.5), NotDifferentiable),
    )
    checks = []
    for name, process, error in cases:
        try:
            excursion_law(process)
            said = "accepted"
        except error as refused:
            said = type(refused).__name__
        checks.append(Check(f"{name} is refused", said, error.__name__, said == error.__name__))
    return checks


def gap(process: Correlation, seen: Excursions) -> float:
    """Kolmogorov-Smirnov distance between simulated and approximated intervals."""
    times = np.linspace(0.1, 12, 120)
    return float(np.abs(seen.survival(times) - excursion_law(process).survival(times)).max())


def survival_figure(process: Correlation, seen: Excursions, out: Path) -> Path:
    """Survival of intervals between crossings, approximated and simulated, on a logarithmic axis; the SVG's path."""
    figure, axes = new_figure()
    times = np.linspace(0, 12, 120)
    simulated = seen.survival(times)
    axes.semilogy(times, excursion_law(process).survival(times), color=COLOURS[0], lw=1.8, label="interval approximation")
    axes.semilogy(times[simulated > 0], simulated[simulated > 0], "--", color=COLOURS[1], lw=1.4, label=f"{seen.paths} simulated paths")
    axes.set_xlabel("time since the last zero crossing, t")
    axes.set_ylabel("P(no crossing within t)")
    axes.legend(frameon=False)
    finish(axes, f"Intervals between zero crossings: {process.name}")
    return save(figure, out / "intervals")[1]
