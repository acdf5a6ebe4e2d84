"""Repeated sampling of trained policies of three sizes: coverage, its law, selection, and cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ponder.bench.scaling import fit_power_law
from ponder.bench.selection import Selection, selection_curve
from ponder.bench.stats import CoverageCurve, Curve, coverage
from ponder.organisms import chain
from ponder.papers.report import Check, Table
from ponder.papers.sampling.organism_paths import Paths, draw, judge, organism

SIZES = ("chain-small", "chain", "chain-large")
MIDDLE, VERIFIER = "chain", "chain-outcome"
FLAT = 128
"""Samples from which on selection is said to gain little."""
RATIO = 16
"""How far the law is asked to extrapolate: from k up to 1 / 16 of the samples to all."""


def draw_family(problems: int, n: int, seed: int) -> dict[str, Paths]:
    """n samples of each size on the same chains of 4 to 8 operations, at temperature 1."""
    rng = np.random.default_rng([seed, 46])
    chains = chain.problems(problems, rng, rng.integers(4, chain.SLOTS + 1, problems))
    return {size: draw(size, chains, n, seed) for size in SIZES}


def coverage_part(family: Mapping[str, Paths], seed: int) -> tuple[dict[str, CoverageCurve], list[Check], list[Table]]:
    """Does the law fit, does it extrapolate, are the curves alike, and which size is worth its cost?"""
    from ponder.papers.sampling.large_language_monkeys import family_gap, straightness

    n = family[MIDDLE].right.shape[1]
    ks = sorted({round(k) for k in np.geomspace(1, n, 40)})
    early = [k for k in ks if k <= n // RATIO]
    curves, rows = {}, []
    for size, paths in family.items():
        curve = curves[size] = coverage(paths.right, ks, seed=seed)
        law = fit_power_law(ks, curve.values)
        seen = fit_power_law(early, coverage(paths.right[:, : n // RATIO], early, seed=seed).values)
        rows.append((size, curve.values[0], curve.values[-1], law.a, law.b, law.residual, float(seen.predict(n)) - curve.values[-1]))
    columns = ("size", "coverage at 1", f"at {n}", "a", "b", "largest error", f"law from k <= {n // RATIO} less coverage")
    title = f"Coverage of trained policies, {len(family[MIDDLE].texts)} chains x {n} samples"
    anchor = coverage_anchor(curves)
    gap, straight = family_gap(curves, anchor), min(straightness(c) for c in curves.values())
    residual, beyond = max(r[5] for r in rows), max(abs(r[6]) for r in rows)
    checks = [
        Check(
            "trained policies: share of variance a line in log k explains, coverage .2 to .8", straight, "at least .95", straight >= 0.95
        ),
        Check(f"trained: largest |law - coverage|, k to {n}", residual, "at most .05 (aim .03)", residual <= 0.05),
        Check(f"trained: |law from k <= {n // RATIO} less coverage at {n}|", beyond, "at most .05", beyond <= 0.05),
        Check(f"trained: largest gap of curves shifted to pass {anchor:.2f} together", gap, "at most .05", gap <= 0.05),
    ]
    return curves, checks, [Table(title, columns, tuple(rows)), cost_table(curves)]


def coverage_anchor(curves: Mapping[str, Curve]) -> float:
    """The coverage half-way between what all sizes exceed at last and what all fall short of at first."""
    return (max(c.values[0] for c in curves.values()) + min(c.values[-1] for c in curves.values())) / 2


def flops_per_token(name: str) -> float:
    """2 (weights + 2 layers * width * context) of an organism at half its context (Brown et al. 2024, section 2.3)."""
    c = organism(name).card.config
    weights = c.layers * 12 * c.d**2 + (2 * len(c.alphabet) + c.context) * c.d
    return 2.0 * (weights + 2 * c.layers * c.d * c.context / 2)


def cost_table(curves: Mapping[str, Curve]) -> Table:
    """Coverage of each size at equal FLOPs a problem, and where a smaller one overtakes the largest."""
    sample = {size: flops_per_token(size) * chain.STEP * 6 for size in curves}
    prompt = {size: flops_per_token(size) * chain.PROMPT for size in curves}
    spent = {size: prompt[size] + sample[size] * curve.ks for size, curve in curves.items()}
    budgets = np.geomspace(max(s[0] for s in spent.values()), min(s[-1] for s in spent.values()), 12)
    at = {size: np.interp(np.log(budgets), np.log(spent[size]), curve.values) for size, curve in curves.items()}
    rows = [(f"{b:.3g}", *(float(at[size][i]) for size in curves), max(curves, key=lambda s: at[s][i])) for i, b in enumerate(budgets)]
    return Table("Coverage at equal FLOPs a chain", ("FLOPs", *curves, "best"), tuple(rows))


def selection_part(paths: Paths, seed: int, subsets: int) -> tuple[dict[str, Curve], list[Check], Table]:
    """Majority and choice by an outcome reward model against coverage, on the middle size."""
    n = paths.right.shape[1]
    ks = [2**i for i in range(n.bit_length()) if 2**i <= n]
    scores = judge(VERIFIER, paths.prompts, paths.texts)
    answers: list[list[int | None]] = [[int(v) if v >= 0 else None for v in row] for row in paths.values]
    curves: dict[str, Curve] = {"coverage": coverage(paths.right, ks, seed=seed)}
    methods: dict[str, Selection] = {"majority": "majority", f"best by {VERIFIER}": "best_of_n", f"votes by {VERIFIER}": "weighted"}
    for name, method in methods.items():
        curves[name] = selection_curve(answers, paths.right, ks, method, subsets, seed, scores)
    begin = ks.index(min(FLAT, n // 2))
    gains = {name: float(c.values[-1] - c.values[begin]) for name, c in curves.items()}
    shown = sorted({0, len(ks) // 2, begin, len(ks) - 1})
    rows = tuple((name, *(float(c.values[i]) for i in shown), gains[name]) for name, c in curves.items())
    columns = ("", *(f"k={ks[i]}" for i in shown), f"gain from {ks[begin]}")
    best = max(gain for name, gain in gains.items() if name != "coverage")
    if ks[begin] < FLAT:  # too few samples to ask what comes after 128
        return curves, [], Table(f"Selection against coverage, {MIDDLE}", columns, rows)
    check = Check(
        f"{MIDDLE}: coverage gained from k = {ks[begin]} to {n}, over the most a selection gained",
        f"{gains['coverage']:.3f} and {best:.3f}",
        "at least 3 times as much",
        gains["coverage"] >= 3 * best and gains["coverage"] > 0,
    )
    return curves, [check], Table(f"Selection against coverage, {MIDDLE}", columns, rows)
