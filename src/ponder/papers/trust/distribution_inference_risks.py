"""Reproduction: formalizing and estimating distribution inference risks (Suri & Evans 2022, arXiv 2109.06024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.core.errors import need
from ponder.core.seeds import derive, generator
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.pull import fetch
from ponder.trust.distribution_inference import (
    AttackReport,
    DistributionInferenceGame,
    KLAttack,
    LossTest,
    Networks,
    PermutationInvariantMetaClassifier,
    PerPointThreshold,
    Played,
    Records,
    ThresholdTest,
    clustered_graph,
    graph_records,
    n_leaked_degrees,
    pooled,
    read_census,
    report,
    two_parties,
    zipf_graph,
)

SLUG = "distribution-inference-risks"
TITLE = "Formalizing and estimating distribution inference risks"
CLAIM = (
    "What a released model leaks about the make-up of its training set can be stated as an equivalent number of samples handed to the "
    "adversary; cheap attacks often leak as much as classifiers over the weights, and the two directions of a property leak unequally."
)
NOTES = (
    "UCI Adult in the authors' preparation, both files together: half the records are the victim's, a quarter trains the "
    "adversary's models, and a quarter is for probes. The secret is the share of women.",
    "Networks have hidden layers of 32, 16 and 8 and 40 epochs, trained side by side in torch in the manner of the authors' scikit-learn.",
    "The classifier over weights learns from 100 networks a world in 200 epochs; the authors' had 800 and 500 to 1,000.",
    "n_leaked is the paper's bound and loose; beside it stands how many records the accuracy truly takes.",
    "Graphs are random ones of 1,000 nodes, not ogbn-arxiv or the botnets; labels follow a smoothed random field.",
)
UNTESTED = "the paper's own tables, and its faces, X-rays and citation graph."
WORLDS = (0.2, 0.5)
BLACK_BOX = {"loss test": LossTest(), "threshold test": ThresholdTest(), "per-point threshold": PerPointThreshold(), "KL": KLAttack()}
META, RAW = "meta-classifier", "raw weights"
RATIOS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
ZIPF = ((30, 1.0), (30, 0.4))
TRIANGLES = (0.0, 0.9)


@dataclass(frozen=True)
class Parties:
    """The census records of either party, and the adversary's probes."""

    victim: Records
    adversary: Records
    probe: Records


def parties(seed: int) -> Parties:
    """Adult, fetched and divided."""
    records, _ = read_census(fetch("adult-train"), fetch("adult-test"))
    victim, other = two_parties(records, generator(seed, ["parties"]))
    return Parties(victim, *two_parties(other, generator(seed, ["adversary"])))


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Attacks on real Adult, on graphs, and on worlds that do not differ.

    Args:
        quick: one seed of 25 adversary models a world instead of three of 100, 30 and 30; no classifier over weights, no other ratios,
            no null; fewer graphs.
        seed: the first seed.
        out: a folder for the figures; none are drawn without it.
    """
    seeds = range(seed, seed + (1 if quick else 3))
    victims = 50
    found: list[dict[str, AttackReport]] = []
    for s in seeds:
        who = parties(s)
        shadows = 25 if quick else 100 if s == seed else 30
        played = DistributionInferenceGame.on_table(who.victim, who.adversary, who.probe, WORLDS).play(shadows, victims, s)
        found.append(attacked(played, s, white_box=shadows == 100))
    runs = {name: [run[name] for run in found if name in run] for name in found[0]}
    graphs = graph_games(15 if quick else 30, 25 if quick else 50, seed)
    checks = [*cheap_checks(runs), *graph_checks(graphs)]
    tables = [attacks_table(f"Adult, share of women {WORLDS[0]} or {WORLDS[1]}, {2 * victims} victims a seed", runs), graphs_table(graphs)]
    figures = [attacks_figure(runs, out)] if out is not None else []
    if not quick:
        checks += white_box_checks(runs)
        null = null_game(parties(seed), seed)
        checks.append(
            Check("worlds that do not differ: KL attack", null.accuracy, ".5 +- .07, 200 victims", abs(null.accuracy - 0.5) <= 0.07)
        )
        dose = dose_games(parties(seed), seed)
        checks += dose_checks(dose)
        tables.append(attacks_table("Adult, share of women against .5, 100 victims each", {f"{a}": [r] for a, r in dose.items()}))
        figures += [dose_figure(dose, out)] if out is not None else []
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED,
        tables=tuple(tables),
        figures=tuple(figures),
        notes=NOTES,
    )


def attacked(played: Played, seed: int, white_box: bool) -> dict[str, AttackReport]:
    """Every attack's report on one game."""
    reports = dict(zip(BLACK_BOX, played.run(*BLACK_BOX.values()), strict=True))
    if white_box:
        meta = PermutationInvariantMetaClassifier(seed=derive(seed, ["meta"])).fit(played.adversary)
        reports[META] = report(meta(played.victims), played.props)
        reports[RAW] = report(raw_weights(played), played.props)
    return reports


def raw_weights(played: Played) -> tuple[np.ndarray, np.ndarray]:
    """What logistic regression on all weights in a row says of the victims."""
    linear, scaling = need("sklearn.linear_model", "trust"), need("sklearn.preprocessing", "trust")
    x = np.concatenate([flat(networks) for networks in played.adversary])
    y = np.repeat([0, 1], [len(networks) for networks in played.adversary])
    scale = scaling.StandardScaler().fit(x)
    model = linear.LogisticRegression(max_iter=500).fit(scale.transform(x), y)
    first, second = (model.predict(scale.transform(flat(networks))) == 1 for networks in played.victims)
    return first, second


def flat(networks: Networks) -> np.ndarray:
    """All weights of each network, shape (m, weights)."""
    return np.concatenate([layer.reshape(len(networks), -1) for layer in networks.layers], axis=1)


def mean(runs: Sequence[AttackReport]) -> float:
    """Mean accuracy over seeds."""
    return float(np.mean([r.accuracy for r in runs]))


Reports = Mapping[str, Sequence[AttackReport]]


def cheap_checks(found: Reports) -> list[Check]:
    """Thresholds set before the run, on means over seeds."""
    kl, threshold, loss = (mean(found[name]) for name in ("KL", "threshold test", "loss test"))
    return [
        Check("KL attack: accuracy", kl, "at least .65", kl >= 0.65),
        Check("threshold test: accuracy", threshold, "at least .60", threshold >= 0.60),
        Check("loss test: accuracy", loss, "at most .60: near chance", loss <= 0.60),
        Check("KL attack over the threshold test", kl - threshold, "at least -.05", kl >= threshold - 0.05),
    ]


def white_box_checks(found: Reports) -> list[Check]:
    """Whether a classifier over weights is worth its price, on the first seed's victims."""
    meta, raw, kl = (mean(found[name][:1]) for name in (META, RAW, "KL"))
    return [
        Check("meta-classifier over logistic regression on raw weights", meta - raw, "above 0", meta > raw),
        Check("KL attack over the meta-classifier", kl - meta, "at least -.05: cheap attacks are as good", kl >= meta - 0.05),
    ]


def null_game(who: Parties, seed: int) -> AttackReport:
    """The KL attack where both worlds are the same."""
    same = (WORLDS[1], WORLDS[1])
    played = DistributionInferenceGame.on_table(who.victim, who.adversary, who.probe, same, (350, 150)).play(
        25, 100, derive(seed, ["null"])
    )
    return played.run(KLAttack())[0]


def dose_games(who: Parties, seed: int, shadows: int = 20, victims: int = 50) -> dict[float, AttackReport]:
    """The KL attack on each ratio against one half; samples of 1,400 rows, which the rarest world still has."""
    found = {}
    for ratio in RATIOS:
        game = DistributionInferenceGame.on_table(who.victim, who.adversary, who.probe, (ratio, 0.5), (350, 150))
        found[ratio] = game.play(shadows, victims, derive(seed, ["dose"])).run(KLAttack())[0]
    return found


def dose_checks(dose: Mapping[float, AttackReport]) -> list[Check]:
    """Accuracy rises with the distance from one half, and not alike in both directions."""
    accuracies = [dose[a].accuracy for a in RATIOS]
    rise = float(need("scipy.stats", "trust").spearmanr([abs(a - 0.5) for a in RATIOS], accuracies).statistic)
    gaps = {a: abs(dose[a].accuracy - dose[round(1 - a, 1)].accuracy) / unlike(dose[a], dose[round(1 - a, 1)]) for a in (0.0, 0.2, 0.4)}
    most = max(gaps, key=lambda a: gaps[a])
    name = f"directions {most} and {1 - most:g}: difference in standard errors"
    return [
        Check("accuracy against distance from .5: rank correlation", rise, "at least .8", rise >= 0.8),
        Check(name, gaps[most], "above 2.39 (5% over three pairs)", gaps[most] > 2.39),
    ]


def unlike(first: AttackReport, second: AttackReport) -> float:
    """Standard error of the difference of two accuracies."""
    shares = [(p, n) for r in (first, second) for p, n in zip(r.per_side_accuracy, r.victims, strict=True)]
    return max(float(np.sqrt(sum(p * (1 - p) / n for p, n in shares) / 4)), 1e-9)


def graph_of(kind: str, world: int, rng: np.random.Generator) -> Records:
    """A graph of 1,000 nodes in one of two worlds of mean degree, or of clustering."""
    graph = zipf_graph(1000, *ZIPF[world], rng) if kind == "mean degree" else clustered_graph(1000, 4, TRIANGLES[world], rng)
    return graph_records(graph, rng)


def graph_games(shadows: int, victims: int, seed: int) -> dict[str, dict[str, AttackReport]]:
    """All cheap attacks on both kinds of graphs."""
    found = {}
    for kind in ("mean degree", "clustering"):
        game = DistributionInferenceGame(partial(_drawn, kind))
        played = game.play(shadows, victims, derive(seed, ["graphs", kind]))
        found[kind] = dict(zip(BLACK_BOX, played.run(*BLACK_BOX.values()), strict=True))
    return found


def _drawn(kind: str, party: str, world: int, rng: np.random.Generator) -> Records:
    """Both parties draw graphs of their own, so they share none."""
    return graph_of(kind, world, rng)


def graph_checks(graphs: Mapping[str, Mapping[str, AttackReport]]) -> list[Check]:
    """The better of the threshold and the KL attack beats chance; each end of its interval counts for two attacks."""
    checks = []
    for kind, found in graphs.items():
        best = max((found[n] for n in ("threshold test", "KL")), key=lambda r: r.accuracy)
        checks.append(Check(f"graphs, {kind}: lower end of the better attack's interval", best.ci95[0], "above .5", best.ci95[0] > 0.5))
    return checks


def graphs_table(graphs: Mapping[str, Mapping[str, AttackReport]]) -> Table:
    """Every attack on graphs, with what the degree's leak is worth."""
    rows = []
    for kind, found in graphs.items():
        for name, r in found.items():
            leaked = n_leaked_degrees(r.accuracy, *ZIPF) if kind == "mean degree" else None
            rows.append((kind, name, r.accuracy, *r.ci95, *r.per_side_accuracy, leaked))
    columns = ("graphs", "attack", "accuracy", "low", "high", "right in world 0", "right in world 1", "n_leaked")
    victims = sum(next(iter(next(iter(graphs.values())).values())).victims)
    return Table(f"Graphs of 1,000 nodes, {victims} victims", columns, tuple(rows))


def attacks_table(title: str, found: Reports) -> Table:
    """Every attack, the victims of all seeds together: accuracy with its interval, either side, and the leak."""
    rows = []
    for name, runs in found.items():
        r = pooled(runs, WORLDS if runs[0].n_leaked is not None else None)
        rows.append((name, sum(r.victims), r.accuracy, *r.ci95, *r.per_side_accuracy, r.n_leaked, r.samples_needed))
    columns = ("attack", "victims", "accuracy", "low", "high", "right in world 0", "right in world 1", "n_leaked", "records it takes")
    return Table(title, columns, tuple(rows))


def attacks_figure(found: Reports, out: Path) -> Path:
    """Accuracy of each attack for every seed, with its interval; the SVG's path."""
    figure, axes = new_figure()
    for i, runs in enumerate(found.values()):
        for j, r in enumerate(runs):
            at = i + (j - (len(runs) - 1) / 2) * 0.18
            axes.errorbar(at, r.accuracy, [[r.accuracy - r.ci95[0]], [r.ci95[1] - r.accuracy]], fmt="o", color=COLOURS[i], capsize=3, ms=5)
    axes.axhline(0.5, color="#888888", ls="--", lw=1)
    axes.set_xticks(range(len(found)), [name.replace(" threshold", "\nthreshold") for name in found])
    axes.set_ylabel("accuracy of guessing the world (95% interval)")
    axes.set_ylim(0.3, 1.02)
    finish(axes, f"Adult: was the model trained on {WORLDS[0]:.0%} or {WORLDS[1]:.0%} women?")
    return save(figure, out / "adult")[1]


def dose_figure(dose: Mapping[float, AttackReport], out: Path) -> Path:
    """Accuracy of the KL attack against the ratio; the SVG's path."""
    figure, axes = new_figure()
    low, high = np.array([dose[a].ci95 for a in RATIOS]).T
    accuracy = np.array([dose[a].accuracy for a in RATIOS])
    axes.errorbar(RATIOS, accuracy, [accuracy - low, high - accuracy], fmt="o-", color=COLOURS[0], capsize=3)
    axes.axhline(0.5, color="#888888", ls="--", lw=1)
    axes.set_xlabel("share of women in the other world (against 50%)")
    axes.set_ylabel("accuracy of the KL attack (95% interval)")
    finish(axes, "Adult: the leak grows with the difference")
    return save(figure, out / "dose")[1]
