"""Reproduction: scaling inference compute with repeated sampling (Brown et al. 2024, arXiv 2407.21787)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from ponder.bench.plots import coverage_plot
from ponder.bench.scaling import PowerLaw, beta_coverage, fit_beta, fit_power_law, log_shift
from ponder.bench.selection import Selection, selection_curve
from ponder.bench.stats import CoverageCurve, Curve, coverage, pass_at_k
from ponder.lm.load import DEFAULT, load
from ponder.papers.real_model import draw_paths
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.sampling.monkeys_chain import MIDDLE, coverage_part, draw_family
from ponder.papers.sampling.monkeys_chain import selection_part as chain_selection
from ponder.papers.sampling.monkeys_organism import draw_samples, success_counts
from ponder.tasks import load as load_task

SLUG = "large-language-monkeys"
TITLE = "Large Language Monkeys: scaling inference compute with repeated sampling"
CLAIM = (
    "Coverage grows with samples over orders of magnitude, close to exp(a k^b), by similar curves for the models of a family; "
    "majority votes and reward models stop gaining near 100 samples while coverage keeps growing."
)
FAMILY: Mapping[str, tuple[float, float]] = {"small": (0.35, 24.0), "middle": (0.35, 6.0), "large": (0.35, 1.5)}
PROBLEMS, SAMPLES, SEEN = 128, 4096, 256
KS = tuple(sorted({round(k) for k in np.geomspace(1, SAMPLES, 40)}))
KS_REAL = (1, 2, 4, 8, 16, 32, 64, 128)
BETA_FIGURES = ((0.3, 1.0, -0.362, 0.023), (0.3, 3.0, -0.372, 0.012), (0.6, 2.0, -0.602, 0.020))
UNTESTED = "the published models, benchmarks and counts of samples."
NOTES = (
    "Two parts: synthetic problems, for which the law is mathematics, and policies trained on chains of arithmetic, for which it is not.",
    "Success probabilities are Beta(.35, b), with b = 24, 6 and 1.5 for the three sizes, and the same order of difficulty.",
    "The reward model of the synthetic part prefers right answers by one standard deviation of its taste in answers.",
    "The outcome reward model of the trained part is a later checkpoint of the policy's training run, calibrated to outcomes.",
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure the claim on problems of Beta-distributed difficulty, and on trained policies of three sizes.

    Args:
        quick: 20 subsets a problem for the selection curves instead of 100; 64 chains with 128 samples of the trained policies instead of
            1024; and no part on a real model.
        seed: of all draws.
        out: a folder for the three figures; none are drawn without it.
    """
    checks = exact_checks()
    curves, laws, scaling, family = family_part(seed)
    picked, selecting, selection = selection_part(seed, 20 if quick else 100)
    trained_curves, trained, trained_tables = trained_part(quick, seed)
    measured, tables = ([], []) if quick else real_part(seed)
    figures: tuple[Path, ...] = ()
    if out is not None:
        drawn = coverage_plot(curves, out / "coverage", laws, "Coverage of three sizes, and the fitted law")
        chosen = coverage_plot(picked, out / "selection", title="Coverage against selection", ylabel="share of problems solved")
        policies = coverage_plot(trained_curves, out / "trained", title="Coverage of trained policies of three sizes")
        figures = (drawn[1], chosen[1], policies[1])
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*checks, *scaling, *selecting, *trained, *measured),
        untested=UNTESTED,
        tables=(family, selection, *trained_tables, *tables),
        figures=figures,
        notes=NOTES,
    )


def trained_part(quick: bool, seed: int) -> tuple[Mapping[str, CoverageCurve], list[Check], list[Table]]:
    """The same of policies trained on chains of arithmetic, three sizes."""
    family = draw_family(64, 128 if quick else 1024, seed)
    curves, scaling, tables = coverage_part(family, seed)
    _, selecting, selection = chain_selection(family[MIDDLE], seed, 20 if quick else 100)
    return curves, [*scaling, *selecting], [*tables, selection]


def real_part(seed: int) -> tuple[list[Check], list[Table]]:
    """Coverage of a real small model on times tables: does it grow with samples? Its fit has no gate: 20 problems are few."""
    task = load_task("times-tables", limit=20, seed=seed)
    paths = draw_paths(task, 128, load(DEFAULT), seed)
    curve = coverage((128, [sum(a == p.gold for a in p.answers) for p in paths]), KS_REAL, seed=seed)
    rows = tuple((k, v, low, high) for k, v, low, high in zip(KS_REAL, curve.values, curve.low, curve.high, strict=True))
    grown = float(curve.values[-1] - curve.values[0])
    check = Check(f"{DEFAULT}, 20 times tables: coverage at 128 less at 1", grown, "above 0", grown > 0)
    return [check], [Table(f"Coverage of {DEFAULT} on times tables, 20 problems x 128 samples", ("k", "coverage", "low", "high"), rows)]


def exact_checks() -> list[Check]:
    """The estimator by enumeration, its two forms, the law on its own data and on Beta mixtures."""
    example = float(pass_at_k(10, 3, 5))
    subsets = max(
        abs(float(pass_at_k(n, c, k)) - float(np.mean([min(s) < c for s in combinations(range(n), k)])))
        for n in range(1, 9)
        for c in range(n + 1)
        for k in range(1, n + 1)
    )
    c = np.array([0, 1, 17, 500, 5000, 9999])
    forms = max(float(np.abs(pass_at_k(10_000, c, k) - pass_at_k(10_000, c, k, "binomial")).max()) for k in (1, 10, 1000, 9999))
    grid = np.unique(np.round(np.logspace(0, 4, 40)))
    own = fit_power_law(grid, np.exp(-2 * grid**-0.35))
    off = max(abs(own.a + 2), abs(own.b + 0.35))
    checks = [
        Check("pass@5 of 3 correct in 10", example, "11/12 = .91667", abs(example - 11 / 12) < 1e-12, False),
        Check("pass@k less the mean over all subsets, n to 8", subsets, "below 1e-12", subsets < 1e-12, False),
        Check("product form less binomial form, n = 10,000", forms, "below 1e-12", forms < 1e-12, False),
        Check("law refitted to exp(-2 k^-.35)", off, "a and b within 1e-6", off < 1e-6, False),
    ]
    for alpha, beta, b, residual in BETA_FIGURES:
        law = fit_power_law(grid, beta_coverage(alpha, beta, grid))
        close = abs(law.b - b) < 6e-4 and abs(law.residual - residual) < 6e-4
        checks.append(
            Check(
                f"law fitted to Beta({alpha:g}, {beta:g})",
                f"b {law.b:.3f}, error {law.residual:.3f}",
                f"b {b}, error {residual}",
                close,
                False,
            )
        )
    return checks


def family_part(seed: int) -> tuple[dict[str, CoverageCurve], dict[str, PowerLaw], list[Check], Table]:
    """Coverage of three sizes: does the law fit, does it extrapolate, are the curves alike?"""
    curves: dict[str, CoverageCurve] = {}
    laws: dict[str, PowerLaw] = {}
    rows = []
    early_ks = [k for k in KS if k <= SEEN]
    for name, (early, late) in success_counts(FAMILY, PROBLEMS, (SEEN, SAMPLES), np.random.default_rng([seed, 44])).items():
        curve = curves[name] = coverage((SAMPLES, late), KS, seed=seed)
        laws[name] = fit_power_law(KS, curve.values)
        seen = coverage((SEEN, early), early_ks, seed=seed)
        by_law = float(fit_power_law(early_ks, seen.values).predict(SAMPLES))
        by_mixture = float(fit_beta((SEEN, early)).predict(SAMPLES))
        rows.append((name, curve.values[0], curve.values[-1], laws[name].a, laws[name].b, laws[name].residual, by_law, by_mixture))
    columns = ("size", "coverage at 1", f"at {SAMPLES}", "a", "b", "largest error", f"law from k <= {SEEN}", f"mixture from {SEEN} samples")
    table = Table(f"Coverage, {PROBLEMS} problems, {SAMPLES} samples each", columns, tuple(rows))
    residual = max(law.residual for law in laws.values())
    beyond = float(max(abs(row[6] - row[2]) for row in rows))
    straight = min(straightness(curve) for curve in curves.values())
    gap = family_gap(curves)
    growing = all(np.all(np.diff(curve.values) >= 0) for curve in curves.values())
    checks = [
        Check("coverage grows with k, three sizes", "yes" if growing else "no", "yes", growing),
        Check("share of variance a line in log k explains, coverage .2 to .8", straight, "at least .95", straight >= 0.95),
        Check("largest |law - coverage|, k from 1 to 4096", residual, "at most .05 (aim .03)", residual <= 0.05),
        Check(f"|law from k <= {SEEN} less coverage at {SAMPLES}|", beyond, "at most .05", beyond <= 0.05),
        Check("largest gap between curves shifted along log k", gap, "at most .05", gap <= 0.05),
    ]
    return curves, laws, checks, table


def straightness(curve: Curve) -> float:
    """Share of the variance that a line in log k explains where coverage is between .2 and .8."""
    middle = (curve.values >= 0.2) & (curve.values <= 0.8)
    x, y = np.log(curve.ks[middle]), curve.values[middle]
    slope, intercept = np.polyfit(x, y, 1)
    return 1 - float(np.sum((y - intercept - slope * x) ** 2) / np.sum((y - y.mean()) ** 2))


def family_gap(curves: Mapping[str, Curve], anchor: float = 0.5) -> float:
    """Largest vertical distance between any two curves after each is shifted along log k to pass coverage `anchor` at 0."""
    shifted = [(np.log(c.ks) - log_shift(c.ks, c.values, anchor), c.values) for c in curves.values()]
    gaps = []
    for (x1, y1), (x2, y2) in combinations(shifted, 2):
        grid = np.linspace(max(x1[0], x2[0]), min(x1[-1], x2[-1]), 200)
        gaps.append(float(np.abs(np.interp(grid, x1, y1) - np.interp(grid, x2, y2)).max()))
    return max(gaps)


def selection_part(seed: int, subsets: int) -> tuple[dict[str, Curve], list[Check], Table]:
    """Majority, best-of-k and reward-weighted majority against coverage, on the middle size."""
    samples = draw_samples(*FAMILY["middle"], PROBLEMS, SAMPLES, np.random.default_rng([seed, 45]))
    ks = [2**i for i in range(int(math.log2(SAMPLES)) + 1)]
    answers = samples.answers.tolist()
    curves: dict[str, Curve] = {"coverage": coverage(samples.correct, ks, seed=seed)}
    methods: dict[str, Selection] = {"majority": "majority", "best of k by reward": "best_of_n", "reward-weighted majority": "weighted"}
    for name, method in methods.items():
        curves[name] = selection_curve(answers, samples.correct, ks, method, subsets, seed, samples.rewards)
    at = ks.index(128)
    gains = {name: float(curve.values[-1] - curve.values[at]) for name, curve in curves.items()}
    rows = tuple(
        (name, *(float(curve.values[ks.index(k)]) for k in (1, 16, 128, 1024, SAMPLES)), gains[name]) for name, curve in curves.items()
    )
    table = Table("Selection against coverage, middle size", ("", "k=1", "16", "128", "1024", "4096", "gain from 128"), rows)
    best = max(gain for name, gain in gains.items() if name != "coverage")
    checks = [
        Check("coverage gained from k = 128 to 4096", gains["coverage"], "at least .10", gains["coverage"] >= 0.10),
        Check("most that a selection method gained", best, "at most a third of it", 3 * best <= gains["coverage"]),
    ]
    return curves, checks, table
