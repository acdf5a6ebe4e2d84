"""Reproduction: the limits of resampling with imperfect verifiers (Stroebl et al. 2024, arXiv 2411.17501)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponder.bench.limits import RewardCurve, TwoType, false_positives, none_found, reward_curve
from ponder.organisms import chain
from ponder.papers.organism_paths import draw
from ponder.papers.report import Check, Report, Table

SLUG = "inference-scaling-flaws"
TITLE = "Inference scaling flaws: the limits of LLM resampling with imperfect verifiers"
CLAIM = (
    "Resampling until a test passes cannot be more accurate than a passing sample is: false positives set a ceiling that no compute "
    "lifts, lower for weaker models, and once they cost something the best number of attempts is finite, sometimes zero."
)
POLICIES = ("chain-small", "chain", "chain-large")
MIDDLE = "chain"
COSTS = (0.0, 1.0, 2.0, 4.0, 8.0)
BUCKETS = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63))
ORDERS, FEWEST = 1000, 30
"""Random orders of the samples, as published, and the fewest accepted samples in all of them that a bucket is judged by."""
FIXTURES = ((0.7, 3, 0.524567, 0.517601), (1.0, 2, 0.472381, 0.432472), (2.0, 1, 0.3388, 0.148708), (4.0, 1, 0.1184, -0.418821))
UNTESTED = "programs whose tests miss bugs (HumanEval and its stronger tests), and whether their false positives are worse code"
NOTES = (
    "The weak checker casts out nines: it accepts a number that equals the right one modulo 9. The strong one compares the numbers.",
    "What the paper calls the false positive rate, P(wrong | accepted), is a false discovery rate.",
    "Wrong answers become more frequent with the attempt because easy questions are accepted early and leave; samples do not get worse.",
    "Two types are fitted on the same questions whose curve they are compared with: it is the form that is tested.",
    "Attempt k is reached with the prior's probability. The published notebook weighs it by the posterior again: .5541 instead of "
    ".5246 for the fixture at cost .7.",
)
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Checked:
    """Samples of a policy under both checkers, bool[P, N]."""

    weak: Bools
    strong: Bools


def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure the claim on three chain organisms with a weak and an exact checker.

    Args:
        quick: 100 questions with 32 samples instead of 400 with 64.
        seed: of all draws.
        out: a folder for the figure, reward against attempts by cost; none is drawn without it.
    """
    began = time.perf_counter()
    problems, n = (100, 32) if quick else (400, 64)
    found = {policy: checked(policy, problems, n, seed) for policy in POLICIES}
    checks = [*fixture_checks(), *ceiling_checks(found)]
    curves, rewarding, rewards = reward_part(found[MIDDLE], seed)
    rising, buckets = bucket_part(found[MIDDLE])
    fitting, fits = fit_part(found[MIDDLE])
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*checks, *rewarding, *rising, *fitting),
        untested=UNTESTED,
        tables=(ceiling_table(found), rewards, buckets, fits),
        figures=() if out is None else (figure(curves, out),),
        notes=NOTES,
        seed=seed,
        quick=quick,
        seconds=time.perf_counter() - began,
    )


def checked(policy: str, problems: int, n: int, seed: int) -> Checked:
    """n samples of each of so many chains of 4 to 8 operations, the same for all policies."""
    rng = np.random.default_rng([seed, 3])
    chains = chain.problems(problems, rng, rng.integers(4, chain.SLOTS + 1, problems))
    paths = draw(policy, chains, n, seed)
    weak = (paths.values >= 0) & (paths.values % 9 == chains.answers[:, None] % 9)
    return Checked(weak, paths.right)


def fixture_checks() -> list[Check]:
    """The chance of an accepted sample within k, and the two types of the card."""
    chances = 1 - none_found(200, [40])[0, [1, 5, 20]]
    off = float(np.abs(chances - [0.2, 0.67646, 0.99108]).max())
    checks = [Check("chance of one of 40 among 1, 5, 20 of 200", str(chances.round(5).tolist()), ".2, .67646, .99108", off < 6e-6, False)]
    model = TwoType((0.58, 0.42), (0.87, 0.13), soundness=0.75)
    for cost, attempts, reward, limit in FIXTURES:
        best, ends = model.optimal_attempts(cost), float(model.reward(np.inf, cost))
        got = float(model.reward(best, cost))
        same = best == attempts and abs(got - reward) < 1e-6 and abs(ends - limit) < 1e-6
        measured = f"{best} attempts, {got:.6f}, limit {ends:.6f}"
        checks.append(Check(f"two types, cost {cost}", measured, f"{attempts}, {reward:.6f}, {limit:.6f}", same, False))
    return checks


def ceiling_checks(found: dict[str, Checked]) -> list[Check]:
    """False positives exist, and the ceiling is lower for weaker policies."""
    reports = {policy: false_positives(c.weak, c.strong) for policy, c in found.items()}
    rate = reports[MIDDLE].false_discovery_rate or 0.0
    ordered = sorted(reports.values(), key=lambda r: r.accuracy)
    ceilings = [r.ceiling or 0.0 for r in ordered]
    text = ", ".join(f"{r.accuracy:.3f}: {c:.3f}" for r, c in zip(ordered, ceilings, strict=True))
    return [
        Check(f"false discovery rate of the weak checker, {MIDDLE}", rate, "above 0", rate > 0),
        Check("accuracy of one sample: ceiling, weakest policy first", text, "ceilings in the same order", ceilings == sorted(ceilings)),
    ]


def ceiling_table(found: dict[str, Checked]) -> Table:
    """Accuracy, ceiling and the checker's errors of every policy."""
    rows = []
    for policy, c in found.items():
        r = false_positives(c.weak, c.strong)
        rows.append((policy, r.accuracy, r.ceiling, r.worst, r.best, r.false_discovery_rate, r.soundness, r.completeness))
    columns = ("policy", "one sample", "ceiling", "worst", "best", "false discovery", "soundness", "completeness")
    shape = next(iter(found.values())).weak.shape
    return Table(f"What endless resampling would reach, {shape[0]} questions x {shape[1]} samples", columns, tuple(rows))


def reward_part(c: Checked, seed: int) -> tuple[dict[float, RewardCurve], list[Check], Table]:
    """Reward against attempts for several costs of a wrong accepted answer."""
    ks = np.arange(1, c.weak.shape[1] + 1)
    curves = {cost: reward_curve(c.weak, c.strong, ks, cost, seed=seed) for cost in COSTS}
    stars = [curve.k_star for curve in curves.values()]
    inside = [cost for cost, curve in curves.items() if 0 < curve.k_star < ks[-1] and curve.values[-1] < curve.values.max() - 1e-9]
    rows = tuple(
        (cost, curve.k_star, float(curve.values.max()), float(curve.values[0]), float(curve.values[-1])) for cost, curve in curves.items()
    )
    falling = all(a >= b for a, b in pairwise(stars))
    checks = [
        Check("best number of attempts for costs 0, 1, 2, 4, 8", str(stars), "never rises with the cost", falling),
        Check("costs with an interior maximum of the reward", str(inside), "at least one", bool(inside)),
    ]
    columns = ("cost", "best attempts", "reward there", "after 1", f"after {ks[-1]}")
    return curves, checks, Table(f"Reward of taking the first accepted sample, {MIDDLE}", columns, rows)


def bucket_part(c: Checked) -> tuple[list[Check], Table]:
    """How often what is accepted at attempt k is wrong, expected over all orders of the samples."""
    passed = c.weak.sum(axis=1)
    wrong = 1 - (c.weak & c.strong).sum(axis=1) / np.maximum(passed, 1)
    missing = none_found(c.weak.shape[1], passed)
    rows: list[tuple[str, float, float]] = []
    for low, high in BUCKETS:
        if high > c.weak.shape[1]:
            break
        here = missing[:, low - 1] - missing[:, high]
        if ORDERS * here.sum() >= FEWEST:
            rows.append((f"{low} to {high}", float(here.sum()), float((here * wrong).sum() / here.sum())))
    rises = len(rows) > 1 and rows[-1][2] > rows[0][2]
    measured = f"{rows[0][2]:.3f} to {rows[-1][2]:.3f} (attempts {rows[-1][0]})" if rows else "none accepted"
    check = Check(f"false discoveries from attempt 1 to the last bucket with {FEWEST} of {ORDERS} orders", measured, "rises", rises)
    return [check], Table("Accepted samples that are wrong, by attempt", ("attempt", "questions", "false discovery rate"), tuple(rows))


def fit_part(c: Checked) -> tuple[list[Check], Table]:
    """Two types of questions against the measured curve."""
    ks = np.arange(1, c.weak.shape[1] + 1)
    report = false_positives(c.weak, c.strong)
    measured = reward_curve(c.weak, c.strong, ks, 1.0)
    rows, checks = [], []
    for how in ("pooled", "published"):
        model = TwoType.fit(c.weak, c.strong, how)
        ceiling = model.ceiling() or 0.0
        gap = float(np.abs(model.reward(ks, 1.0) - measured.values).max())
        star = min(model.optimal_attempts(1.0, most=int(ks[-1])), int(ks[-1]))
        lost = float(measured.values.max()) - (float(measured.values[star - 1]) if star else 0.0)
        types = ", ".join(f"{p:.2f} at {r:.2f}" for p, r in zip(model.priors, model.success, strict=True))
        rows.append((how, types, model.soundness, ceiling, gap, star, measured.k_star, lost))
        if how == "pooled":
            off = abs(ceiling - (report.ceiling or 0.0))
            checks = [
                Check("ceiling of two types less the measured one", off, "at most .03", off <= 0.03),
                Check("reward at cost 1, largest distance of two types from the curve", gap, "at most .03", gap <= 0.03),
                Check(f"reward lost by taking the {star} attempts of two types", lost, "at most .03", lost <= 0.03),
            ]
    columns = ("fit", "types", "soundness", "ceiling", "distance of rewards", "best attempts", "measured best", "reward lost")
    return checks, Table(f"Two types fitted to {MIDDLE}; measured ceiling {report.ceiling or 0:.3f}", columns, tuple(rows))


def figure(curves: dict[float, RewardCurve], out: Path) -> Path:
    """Reward against attempts by cost, those that stay above 0; the SVG's path."""
    from ponder.bench.plots import coverage_plot

    shown = {f"cost {cost:g}": curve for cost, curve in curves.items() if curve.values.min() >= 0}
    return coverage_plot(shown, out / "reward", title=f"First accepted sample, {MIDDLE}", ylabel="reward")[1]
