"""What the parts of the reproduction of the limits of resampling have in common: samples under two checkers, and what is read off them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponder.bench.limits import RewardCurve, TwoType, false_positives, none_found, reward_curve
from ponder.papers.report import Check, Table

COSTS = (0.0, 1.0, 2.0, 4.0, 8.0)
BUCKETS = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63))
ORDERS, FEWEST = 1000, 30
"""Random orders of the samples, as published, and the fewest accepted samples in all of them that a bucket is judged by."""
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Checked:
    """Samples under both checkers, bool[P, N]."""

    weak: Bools
    strong: Bools


def rate_table(found: dict[str, Checked], title: str) -> Table:
    """Accuracy, ceiling and the checker's errors of every policy."""
    rows = []
    for policy, c in found.items():
        r = false_positives(c.weak, c.strong)
        rows.append((policy, r.accuracy, r.ceiling, r.worst, r.best, r.false_discovery_rate, r.soundness, r.completeness))
    columns = ("policy", "one sample", "ceiling", "worst", "best", "false discovery", "soundness", "completeness")
    return Table(title, columns, tuple(rows))


def reward_part(c: Checked, name: str, seed: int) -> tuple[dict[float, RewardCurve], list[Check], Table]:
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
        Check(f"best number of attempts for costs 0, 1, 2, 4, 8, {name}", str(stars), "never rises with the cost", falling),
        Check(f"costs with an interior maximum of the reward, {name}", str(inside), "at least one", bool(inside)),
    ]
    columns = ("cost", "best attempts", "reward there", "after 1", f"after {ks[-1]}")
    return curves, checks, Table(f"Reward of taking the first accepted sample, {name}", columns, rows)


def bucket_part(c: Checked, name: str) -> tuple[list[Check], Table]:
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
    check = Check(f"false discoveries from attempt 1 to the last bucket with {FEWEST} of {ORDERS} orders, {name}", measured, "rises", rises)
    return [check], Table(
        f"Accepted samples that are wrong, by attempt, {name}", ("attempt", "questions", "false discovery rate"), tuple(rows)
    )


def fit_part(c: Checked, name: str) -> tuple[list[Check], Table]:
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
    return checks, Table(f"Two types fitted to {name}; measured ceiling {report.ceiling or 0:.3f}", columns, tuple(rows))


def figure(curves: dict[float, RewardCurve], name: str, stem: Path) -> Path:
    """Reward against attempts by cost; the SVG's path."""
    from ponder.bench.plots import coverage_plot

    shown = {f"cost {cost:g}": curve for cost, curve in curves.items()}
    return coverage_plot(shown, stem, title=f"First accepted sample, {name}", ylabel="reward")[1]
