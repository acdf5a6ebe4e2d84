"""Reproduction: causal de Finetti (Guo, Toth, Schoelkopf & Huszar 2023, arXiv 2203.15756)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, MARKERS, finish, new_figure, save
from ponder.bench.stats import Interval, bootstrap, wilson
from ponder.causal.de_finetti import (
    CausalDeFinetti,
    binary_pair_law,
    bivariate_direction,
    random_dag,
    simulate_binary,
    simulate_continuous,
    structural_distance,
)
from ponder.causal.de_finetti.learner import Answer
from ponder.causal.de_finetti.mechanisms import Structure
from ponder.causal.independence import Floats
from ponder.causal.search import pc
from ponder.core.errors import need
from ponder.core.seeds import generator
from ponder.papers.report import Cell, Check, Report, Table, reproduction

SLUG = "causal-de-finetti"
TITLE = "Causal de Finetti: identification of invariant causal structure in exchangeable data"
CLAIM = (
    "Many environments of two samples each identify the causal direction, and whole graphs, without assumptions on the functions, where "
    "methods that pool the environments do not."
)
STRUCTURES: tuple[Structure, ...] = ("x -> y", "y -> x", "none")
PAIRS = (100, 300, 500)
PUBLISHED = {100: 0.70, 300: 0.87, 500: 0.91}
GRAPHS = (2000, 4000, 10000)
PUBLISHED_DISTANCE = {2000: 0.314, 4000: 0.211, 10000: 0.091}
NOTES = (
    "DirectLiNGAM and PC see the data pooled over environments, since they cannot use groups; PC's distance is with its undirected edges "
    "turned as the true ones are, to with them turned the other way.",
    "A run that fails counts as wrong; none is left out.",
    "The published distances are of code that never conditions on co-parents; this follows the algorithm as written, with the variable of "
    "the largest smallest p-value as the next effect where none passes.",
    "The kernel test is causal-learn's with its gamma approximation; its p-values change between versions.",
)


def exact_checks() -> list[Check]:
    """The law of two samples under Beta parameters, in fractions, and what is independent in it."""
    law = binary_pair_law((1, 3), ((1, 3), (3, 1)))
    shares = [law.marginal("X1").array[1], law.marginal(("X1", "X2")).array[1, 1], law.marginal("Y1").array[1]]
    both = law.marginal(("Y1", "Y2")).array[1, 1]
    shown = ", ".join(map(str, [*shares, both]))
    checks = [Check("P(x), P(x1 x2), P(y), P(y1 y2)", shown, "1/4, 1/10, 3/8, 141/800", shown == "1/4, 1/10, 3/8, 141/800", False)]
    cases = (
        (("X1", "Y2", "X2"), 0.0),
        (("Y1", "X2", "X1"), 0.0),
        (("Y1", "X2", "Y2"), 0.000805),
        (("X1", "Y1", ()), 0.099228),
        (("X1", "X2", ()), 0.018780),
    )
    for (a, b, given), nats in cases:
        found = law.mutual_information(a, b, given)
        expected = "0 (below 1e-15)" if nats == 0 else f"{nats:.6f} nats"
        name = f"I({a}; {b}{' | ' + given if given else ''})"
        checks.append(Check(name, found, expected, abs(found - nats) < (5e-7 if nats else 1e-15), False))
    return checks


def lingam(samples: Floats) -> Answer:
    """The direction that DirectLiNGAM gives on all samples pooled."""
    learner = need("causallearn.search.FCMBased.lingam", "causal").DirectLiNGAM()
    learner.fit(samples.reshape(-1, 2))
    weights = np.abs(learner.adjacency_matrix_)
    return "none" if not weights.any() else "x -> y" if weights[1, 0] > weights[0, 1] else "y -> x"


def two_samples(samples: Floats) -> Answer:
    return bivariate_direction(samples[..., 0], samples[..., 1]).answer


def pair_accuracy(learn: Callable[[Floats], Answer], environments: int, runs: int, seed: int) -> Interval:
    """Share of right answers over random structures."""
    right = 0
    for run in range(runs):
        rng = generator(seed, ["pair", environments, run])
        structure = STRUCTURES[rng.integers(3)]
        right += learn(simulate_continuous(structure, environments, rng)) == structure
    return wilson(right, runs)


def graph_distances(environments: int, runs: int, seed: int) -> Floats:
    """Structural distance of three-variable graphs, shape (3, runs): ours, then PC's on pooled data, at best and at worst.

    At best PC's undirected edges are turned as the true ones are, at worst the other way.
    """
    rows = []
    for run in range(runs):
        rng = generator(seed, ["graph", environments, run])
        names = rng.permutation(3)
        true = tuple((int(names[u]), int(names[v])) for u, v in random_dag(3, rng))
        samples = simulate_binary(true, 3, environments, rng)
        ours = structural_distance(CausalDeFinetti("gtest").fit(samples).edges, true)
        found = pc(samples.reshape(-1, 3), "gtest")
        turned = {(u, v) if (u, v) in true else (v, u) for u, v in found.undirected}
        best, worst = (structural_distance(found.directed | edges, true) for edges in (turned, {(v, u) for u, v in turned}))
        rows.append((ours, best, worst))
    return np.array(rows).T


def control(environments: int, runs: int, seed: int, confounded: bool) -> tuple[Interval, Interval]:
    """Shares of directed answers and of abstentions where no direction may be told: i.i.d. data, or a cause shared by both mechanisms."""
    answers = []
    for run in range(runs):
        rng = generator(seed, ["control", int(confounded), environments, run])
        structure = STRUCTURES[rng.integers(2)]
        samples = simulate_continuous(structure, environments, rng, varies=confounded, confounded=confounded)
        answers.append(bivariate_direction(samples[..., 0], samples[..., 1], on_tie="abstain").answer)
    return wilson(sum("->" in a for a in answers), runs), wilson(answers.count("abstain"), runs)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Directions of pairs at three numbers of environments, graphs of three variables at three, and controls.

    Args:
        quick: 30 pairs and 40 graphs each instead of 100, and no confounded control.
        seed: of all data.
        out: a folder for the figure; none is drawn without it.
    """
    runs, graphs = (30, 40) if quick else (100, 100)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*environments are few.*")
        right = {e: pair_accuracy(two_samples, e, runs, seed) for e in PAIRS}
        baseline = {e: pair_accuracy(lingam, e, runs, seed) for e in PAIRS}
        iid = control(300, 20 if quick else 60, seed, confounded=False)
        shared = None if quick else control(1000, 20, seed, confounded=True)
    distances = {e: graph_distances(e, graphs, seed) for e in GRAPHS}
    means = [float(rows[0].mean()) for rows in distances.values()]
    least = max(i.value for i in baseline.values())
    checks = [
        *exact_checks(),
        Check("pairs, 100 environments: share right", str(right[100]), "at least .55", right[100].value >= 0.55),
        Check("pairs, 500 environments: share right", str(right[500]), "at least .82", right[500].value >= 0.82),
        Check("pairs, DirectLiNGAM on pooled data: largest share right", least, "below .6", least < 0.6),
        Check("graphs, 10000 environments: distance", means[-1], "at most .10", means[-1] <= 0.10),
        Check("graphs: distance falls with environments", ", ".join(f"{m:.3f}" for m in means), "falling", means == sorted(means)[::-1]),
        Check("i.i.d. data, 300 environments: share with a direction", str(iid[0]), "at most .15", iid[0].value <= 0.15),
    ]
    if shared is not None:
        checks.append(Check("confounded, 1000 environments: share abstained", str(shared[1]), "at least .80", shared[1].value >= 0.8))
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        tables=tables(right, baseline, distances),
        figures=(figure(right, baseline, out),) if out is not None else (),
        notes=NOTES,
    )


def tables(right: dict[int, Interval], baseline: dict[int, Interval], distances: dict[int, Floats]) -> tuple[Table, ...]:
    """Accuracy and distance at each number of environments, beside the published figures."""
    pairs: list[Sequence[Cell]] = [(e, str(right[e]), PUBLISHED[e], str(baseline[e])) for e in PAIRS]
    graphs: list[Sequence[Cell]] = []
    for e, (ours, best, worst) in distances.items():
        pooled = f"{best.mean():.3f} to {worst.mean():.3f}"
        graphs.append((e, str(bootstrap(ours)), PUBLISHED_DISTANCE[e], float(np.mean(ours == 0)), pooled))
    return (
        Table("Pairs: share right", ("environments", "two samples", "published", "DirectLiNGAM, pooled"), tuple(map(tuple, pairs))),
        Table("Graphs: distance", ("environments", "two samples", "published", "exactly right", "PC, pooled"), tuple(map(tuple, graphs))),
    )


def figure(right: dict[int, Interval], baseline: dict[int, Interval], out: Path) -> Path:
    """Share of right directions against the number of environments; the SVG's path."""
    drawing, axes = new_figure()
    for k, (name, found) in enumerate((("two samples an environment", right), ("DirectLiNGAM, pooled", baseline))):
        middle = np.array([i.value for i in found.values()])
        bars = [middle - [i.low for i in found.values()], [i.high for i in found.values()] - middle]
        axes.errorbar(list(found), middle, yerr=bars, color=COLOURS[k], marker=MARKERS[k], capsize=3, lw=1.6, label=name)
    axes.plot(list(PUBLISHED), list(PUBLISHED.values()), "--", color=COLOURS[0], lw=1.2, label="published")
    axes.axhline(1 / 3, color="#888888", lw=1, label="chance")
    axes.set_xlabel("environments")
    axes.set_ylabel("share of right structures (95% interval)")
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    finish(axes, "Cause, effect or neither")
    return save(drawing, out / "directions")[1]
