"""Reproduction: avoiding tipping points by Gaussian-process dynamic programming (Boettiger, Mangel & Munch 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.core.seeds import generator
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.prob.gpdp import (
    MODELS,
    TRAINING,
    Fishery,
    Fit,
    criteria,
    fit_gp,
    fit_parametric,
    harvest_problem,
    parametric_transitions,
    simulate_harvest,
    value_iteration,
)

SLUG = "gpdp"
TITLE = "Avoiding tipping points in fisheries management through Gaussian process dynamic programming"
CLAIM = (
    "A harvest policy computed on a Gaussian process's uncertainty stays away from a tipping point that the data never visited; the "
    "parametric model that selection criteria prefer fishes the stock to extinction."
)
GRID = np.linspace(0, 15, 50)
DISCOUNT = 0.99
GAUSSIAN, ENSEMBLE, SWEPT = "Gaussian process", "average of the three", "Gaussian process, 1,000 sweeps undiscounted"
PUBLISHED = {GAUSSIAN: "0.938 / 20", "ricker": "0.221 / 100", "allen": "0.990 / 0", "myers": "0.226 / 100"}
NOTES = (
    "The Gaussian process is as the paper describes it, not as its code: half the log determinant, noise in the transition variance, "
    "harvest before growth for mean and variance, inverse-gamma priors, the point (0, 0) free of noise, discount .99.",
    "The authors' recursion does not discount, and runs 1,000 sweeps; under the true dynamics its policy equals that of .99. Under "
    "the Gaussian process it leaves more and earns less.",
    "Harvest is taken before growth for all models; the authors' code takes Myers's after it.",
    "DIC rests on the deviance at the mean draw, which means little where the posterior bends, as Myers's does.",
    "Where sigma is .01 the noise is narrower than a grid step, so the true model's policy is not quite the best there is: ratios pass 1.",
    "The policies are judged by the same noise; extinct is nearest to 0 on the grid after 50 years, of 100 runs.",
)
UNTESTED = (
    "the published policies cell by cell and the 96 sensitivity scenarios (their tables are not at hand: the true policy is compared "
    "with the figures stated for it), and stock series with observation error."
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """The true policy, the published series, and other worlds.

    Args:
        quick: 2 seeds on the published series instead of 5; no other worlds and no finer grid.
        seed: the first seed.
        out: a folder for the figure, the policies' escapements; none is drawn without it.
    """
    world, seeds = Fishery(), range(seed, seed + (2 if quick else 5))
    truth = policy_of(true_transitions(world, GRID))
    runs, fits, policies = [], [], {}
    for s in seeds:
        found, policies = learned_policies(TRAINING, s)
        fits.append(found)
        runs.append({name: judged(world, policies[name], truth, s) for name in policies})
    ratios = {name: float(np.mean([r[name][0] for r in runs])) for name in policies}
    extinct = {name: [r[name][1] for r in runs] for name in policies}
    checks = [true_policy_check(truth), *published_checks(ratios, extinct), criteria_check(fits[0])]
    rows = [(name, ratios[name], float(np.mean(extinct[name])), PUBLISHED.get(name)) for name in policies]
    tables = [
        Table(f"The published series, {len(seeds)} seeds", ("policy", "profit over true", "extinct of 100", "published"), tuple(rows))
    ]
    tables.append(criteria_table(fits[0]))
    if not quick:
        tables.append(other_worlds(seed))
        checks.append(refined_check(world, seed))
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED,
        tables=tuple(tables),
        figures=(escapement_figure({"true": truth, **policies}, out),) if out is not None else (),
        notes=NOTES,
    )


def true_transitions(world: Fishery, grid: np.ndarray) -> np.ndarray:
    """Transitions of the true model."""
    return parametric_transitions(MODELS[1], np.array([[world.r, world.k, world.c, world.sigma]]), grid)


def policy_of(after: np.ndarray, grid: np.ndarray = GRID, discount: float = DISCOUNT, horizon: int | None = None) -> np.ndarray:
    """The best harvest in each state."""
    return value_iteration(*harvest_problem(after, grid), discount, horizon=horizon).policy


def escapement(policy: np.ndarray, grid: np.ndarray = GRID) -> np.ndarray:
    """What a policy leaves in each state."""
    return np.maximum(grid - grid[policy], 0)


def learned_policies(series: np.ndarray, seed: int, draws: int = 100) -> tuple[dict[str, Fit], dict[str, np.ndarray]]:
    """Fits and policies of the Gaussian process, each model, and the average of the models' transitions."""
    x, y = series[:-1], series[1:]
    process = fit_gp(x, y, generator(seed, ["gp"]), keep=draws).transitions(GRID)
    fits = {m.name: fit_parametric(m, x, y, generator(seed, [m.name]), keep=draws) for m in MODELS}
    after = {name: parametric_transitions(f.model, f.draws, GRID) for name, f in fits.items()}
    policies = {GAUSSIAN: policy_of(process), SWEPT: policy_of(process, discount=1.0, horizon=1000)}
    policies |= {name: policy_of(p) for name, p in after.items()}
    return fits, policies | {ENSEMBLE: policy_of(sum(after.values()) / len(after))}  # pyright: ignore[reportArgumentType, reportOperatorIssue]


def judged(world: Fishery, policy: np.ndarray, truth: np.ndarray, seed: int) -> tuple[float, int]:
    """Mean profit over that of the true policy, and runs extinct of 100."""
    (profit, gone), (best, _) = (simulate_harvest(world, p, GRID, 50, 100, generator(seed, ["years"])) for p in (policy, truth))
    return float(profit.mean() / best.mean()), int(gone.sum())


def true_policy_check(truth: np.ndarray) -> Check:
    """The rule that the published policy was found to follow: all up to 4.29, nothing up to 6.73, then down to 6.735."""
    stated = np.where(GRID <= 4.29, 0.0, np.minimum(GRID, GRID[22]))
    same = int(np.isclose(escapement(truth), stated).sum())
    return Check(
        "true model: grid cells with the stated escapement (0 up to 4.29, then at most 6.735)", same, "50 of 50", same == 50, False
    )


def published_checks(ratios: Mapping[str, float], extinct: Mapping[str, list[int]]) -> list[Check]:
    """What is claimed of the published series; thresholds set before the run."""
    gone, ricker = sum(extinct[GAUSSIAN]), min(extinct["ricker"])
    return [
        Check("Gaussian process: profit over that of the true policy", ratios[GAUSSIAN], "at least .95", ratios[GAUSSIAN] >= 0.95),
        Check("Gaussian process: extinct in all seeds", gone, "at most 3", gone <= 3),
        Check("Ricker: profit over that of the true policy", ratios["ricker"], "at most .30", ratios["ricker"] <= 0.3),
        Check("Ricker: fewest extinct of 100 in a seed", ricker, "at least 95", ricker >= 95),
    ]


def criteria_check(fits: Mapping[str, Fit]) -> Check:
    """Whether every criterion prefers Ricker."""
    chosen = {c: min(fits, key=lambda name: criteria(fits[name])[c]) for c in ("AIC", "BIC", "DIC")}
    said = ", ".join(f"{c} {name}" for c, name in chosen.items())
    return Check(
        "model that each criterion chooses on the published series", said, "ricker by all three", set(chosen.values()) == {"ricker"}
    )


def criteria_table(fits: Mapping[str, Fit]) -> Table:
    """AIC, BIC and DIC of each model."""
    rows = tuple((name, *criteria(f).values()) for name, f in fits.items())
    return Table("Selection criteria on the published series (smaller is preferred)", ("model", "AIC", "BIC", "DIC"), rows)


def other_worlds(seed: int) -> Table:
    """Quartiles of profit and of extinctions over 8 training series in each of six worlds."""
    rows = []
    for c in (3.0, 4.0, 5.0):
        for sigma in (0.01, 0.05):
            world = Fishery(c=c, sigma=sigma)
            truth = policy_of(true_transitions(world, GRID))
            results: dict[str, list[tuple[float, int]]] = {}
            for i in range(8):
                series = world.unharvested(40, 5.5, generator(seed, ["series", i, str(world)]))
                for name, policy in learned_policies(series, seed + i, draws=50)[1].items():
                    results.setdefault(name, []).append(judged(world, policy, truth, seed + i))
            for name in (GAUSSIAN, "ricker", "allen", "myers", ENSEMBLE):
                ratio, gone = np.array(results[name]).T
                rows.append((c, sigma, name, *(float(q) for q in np.quantile(ratio, (0, 0.25, 0.5))), float(gone.mean())))
    columns = ("threshold", "sigma", "policy", "least", "lower quartile", "median profit over true", "mean extinct of 100")
    return Table("Other worlds, 8 training series each", columns, tuple(rows))


def refined_check(world: Fishery, seed: int) -> Check:
    """How far the Gaussian process's escapement at large stocks moves when the grid is refined from 50 to 148 points."""
    fine, gp = np.linspace(0, 15, 148), fit_gp(TRAINING[:-1], TRAINING[1:], generator(seed, ["gp"]))
    coarse = escapement(policy_of(gp.transitions(GRID)))[-1]
    moved = abs(float(escapement(policy_of(gp.transitions(fine), fine), fine)[-1] - coarse))
    return Check(
        "Gaussian process: escapement moved by a grid three times finer", moved, "at most one coarse step, .306", moved < 0.307, False
    )


def escapement_figure(policies: Mapping[str, np.ndarray], out: Path) -> Path:
    """What each policy leaves of a stock; the SVG's path."""
    figure, axes = new_figure()
    for i, (name, policy) in enumerate((n, p) for n, p in policies.items() if n != SWEPT):
        axes.plot(GRID, escapement(policy), color=COLOURS[i % len(COLOURS)], lw=1.6, label=name, alpha=0.85)
    axes.axhline(Fishery().c, color="#888888", ls="--", lw=1, label="tipping point")
    axes.set_xlabel("stock before harvest")
    axes.set_ylabel("stock left after harvest")
    axes.legend(frameon=False)
    finish(axes, "Policies learned from forty unharvested years")
    return save(figure, out / "escapement")[1]
