"""Reproduction: dynamic representations of the functional connectome (Dyballa et al. 2024, arXiv 2402.14102)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.bench.stats import bootstrap, paired_bootstrap
from ponder.causal.connectome import (
    CPResult,
    Motif,
    NonnegativeCP,
    WeightedSBM,
    choose_rank,
    differential_affinity,
    dynamic_connectome,
    factor_match_score,
)
from ponder.causal.connectome.factorisation import Floats
from ponder.causal.connectome.motifs import overlapping
from ponder.core.errors import need
from ponder.core.seeds import derive, generator
from ponder.papers.report import Cell, Check, Report, Table, reproduction

SLUG = "dynamic-functional-connectome"
TITLE = "Learning dynamic representations of the functional connectome"
CLAIM = (
    "Affinities from concurrent changes of traces, factorised as a non-negative tensor over time, animals and pairs and then split by a "
    "weighted block model, show which groups act when; the block model finds communities that modularity misses."
)
UNITS, ANIMALS, FRAMES, EPOCHS = 60, 5, 300, 3
GRAPHS: dict[str, dict[str, Any]] = {
    "a quarter of the edges outside": {"outside": 0.25},
    "three quarters of the weight outside": {"outside_weight": 0.75},
    "a quarter of the weight outside": {"outside_weight": 0.25},
    "half of both": {},
}
WAYS = ("least description", "best level", "exponential weights", "inside", "static correlation", "sliding correlation")
NOTES = (
    "The formula of the affinity is reconstructed: the published text does not state it.",
    "The best level is an oracle's choice among the levels; the paper scores its block model so, and its baselines by one partition.",
    "The block model is flat and of our own; the paper's is nested. Against Louvain (networkx's) it is scored by its one partition of "
    "least description, with exponential weights as in the paper.",
    "Where only a quarter of the weight is outside, Louvain wins: weights grow with degree, and the block model splits by them.",
    "Each epoch has two groups whose signals are independent, so more than one component an epoch can be real: restarts may agree on a "
    "rank above the number of epochs. Components of one epoch are merged by their overlap in time.",
)
UNTESTED = "the C. elegans recordings and the silencing experiment."


def tensor_checks(seed: int) -> list[Check]:
    """A sum of three sparse components, found by ten restarts without noise and at 10 dB."""
    rng = generator(seed, ["tensor"])
    sizes = (30, 12, 40)
    factors = [rng.random((n, 3)) * ((rng.random((n, 3)) < 0.5) | (np.arange(n)[:, None] % 3 == np.arange(3))) for n in sizes]
    norms = [np.linalg.norm(f, axis=0) for f in factors]
    one, two, three = (f / n for f, n in zip(factors, norms, strict=True))
    true = CPResult(np.prod(norms, axis=0), (one, two, three), 0.0, ())
    clean = true.tensor()
    noise = rng.normal(size=sizes)
    noisy = np.maximum(0, clean + noise * np.linalg.norm(clean) / np.linalg.norm(noise) / np.sqrt(10))
    fits = [NonnegativeCP(3, 1, 400, 1e-9, derive(seed, ["restart", k])).fit(clean) for k in range(10)]
    good = sum(fit.error < 1e-3 and factor_match_score(true, fit) > 0.99 for fit in fits)
    score = factor_match_score(true, NonnegativeCP(3, 5, 400, 1e-9, seed).fit(noisy))
    rises = max(float(np.diff(fit.history).max()) for fit in fits)
    return [
        Check("planted tensor: restarts of 10 with error below 1e-3 and factor match above .99", good, "at least 9", good >= 9, False),
        Check("planted tensor at 10 dB: factor match", score, "above .9", score > 0.9, False),
        Check("planted tensor: largest rise of the error in a sweep", rises, "none (below 1e-12)", rises < 1e-12, False),
    ]


def planted(rng: np.random.Generator, ratio: float = 1.5) -> tuple[Floats, list[Floats]]:
    """Traces in three epochs, each with two groups that move together and a silent third, and the labels of each epoch (2 is silent).

    Returns:
        Traces of shape (animals, units, frames), signal `ratio` times the noise, and three label arrays of shape (units,).
    """
    smooth = need("scipy.ndimage", "causal").gaussian_filter1d
    traces = smooth(rng.normal(size=(ANIMALS, UNITS, FRAMES)), 3, axis=2)
    traces /= traces.std()
    labels = []
    for frames in np.split(np.arange(FRAMES), EPOCHS):
        labels.append(rng.permutation(np.repeat(np.arange(3), UNITS // 3)))
        signal = smooth(rng.normal(size=(ANIMALS, 2, FRAMES)), 3, axis=2)
        signal /= signal.std()
        for group in range(2):
            members = np.flatnonzero(labels[-1] == group)
            traces[:, members[:, None], frames] += ratio * signal[:, [group]][:, :, frames]
    return traces, labels


def recovered(motifs: Sequence[Motif], labels: Sequence[Floats], seed: int) -> list[tuple[float, float, float, float]]:
    """For each epoch the motif with most of its course there: agreement of its groups with the active units' labels, and that share.

    Agreement is of the partition of least description, of the best of its levels, and of the one with exponential weights.
    """
    rows = []
    for epoch, truth in enumerate(labels):
        inside = [float(motif.course[motif.times * EPOCHS // FRAMES == epoch].sum() / motif.course.sum()) for motif in motifs]
        best = motifs[int(np.argmax(inside))]
        exponential = WeightedSBM("exponential", seed=seed).fit(best.affinity / best.affinity.max())
        levels = [agreement(truth, groups) for groups in best.partition.levels]
        rows.append((levels[0], max(levels), agreement(truth, exponential.groups), max(inside)))
    return rows


def agreement(truth: Floats, found: Any) -> float:
    """Normalised mutual information over the active units (labels 0 and 1)."""
    active = truth < 2
    return float(need("sklearn.metrics", "causal").normalized_mutual_info_score(truth[active], np.asarray(found)[active]))


def louvain(weights: Floats, seed: int) -> NDArray[np.int64]:
    """Communities of a weighted graph by Louvain's method, a label a node."""
    nx = need("networkx", "causal")
    labels = np.zeros(len(weights), dtype=np.int64)
    for k, part in enumerate(nx.community.louvain_communities(nx.from_numpy_array(weights), seed=seed)):
        labels[list(part)] = k
    return labels


def correlated(traces: Floats, seed: int) -> NDArray[np.int64]:
    """Louvain's communities of the positive correlations, averaged over animals."""
    means = np.mean([np.corrcoef(animal) for animal in traces], axis=0)
    return louvain(np.maximum(means - np.eye(UNITS) * means, 0), seed)


def epochs(seeds: Sequence[int]) -> dict[str, Floats]:
    """Agreement with the labels of each way, a mean over epochs a recording; likewise shares of courses, ranks, numbers of motifs."""
    window = FRAMES // EPOCHS
    rows: list[tuple[float, ...]] = []
    for seed in seeds:
        traces, labels = planted(generator(seed, ["planted"]))
        motifs = dynamic_connectome(traces, 3, stride=3, merge_over=1, n_init=2, sweeps=60, seed=seed)
        static = correlated(traces, seed)
        starts = [epoch * window + offset for epoch in range(EPOCHS) for offset in (0, window // 4, window // 2)]
        sliding = [agreement(labels[k // window], correlated(traces[:, :, k : k + window // 2], seed)) for k in starts]
        tensor = differential_affinity(traces, stride=3).tensor
        choice = choose_rank(tensor, range(2, 6), n_init=3, sweeps=60, seed=seed)
        merged = overlapping(choice.fits[5], 0.7)
        means = np.mean(recovered(motifs, labels, seed), axis=0)
        rows.append(
            (*means, float(np.mean([agreement(truth, static) for truth in labels])), float(np.mean(sliding)), choice.rank, len(merged))
        )
    return dict(zip((*WAYS, "rank", "merged"), np.array(rows).T, strict=True))


def communities(names: Sequence[str], graphs: int, seed: int) -> dict[str, tuple[Floats, Floats]]:
    """Agreement with planted communities of weighted graphs, of the block model and of Louvain, each of shape (graphs,)."""
    score = need("sklearn.metrics", "causal").normalized_mutual_info_score
    found = {}
    for name in names:
        ours, theirs = [], []
        for g in range(graphs):
            weights, truth = weighted_communities(generator(seed, ["graph", g]), **GRAPHS[name])
            ours.append(score(truth, WeightedSBM("exponential", seed=seed).fit(weights).groups))
            theirs.append(score(truth, louvain(weights, derive(seed, ["louvain", g]))))
        found[name] = (np.array(ours), np.array(theirs))
    return found


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """The planted tensor; planted epochs against static and sliding correlations; planted communities against Louvain.

    Args:
        quick: 1 recording instead of 5, 2 graphs instead of 10, in the two settings that are checked.
        seed: of all data.
        out: a folder for the figure, the motifs of one recording; none is drawn without it.
    """
    found = epochs([derive(seed, ["recording", k]) for k in range(1 if quick else 5)])
    graphs = communities(list(GRAPHS)[: 2 if quick else 4], 2 if quick else 10, seed)
    mean = {name: float(found[name].mean()) for name in WAYS}
    lead = mean["least description"] - mean["static correlation"]
    checks = tensor_checks(seed)
    checks += [
        Check("epochs: agreement with active units' groups, least description", mean[WAYS[0]], "at least .9", mean[WAYS[0]] >= 0.9),
        Check("epochs: the same, best level", mean[WAYS[1]], "at least .9", mean[WAYS[1]] >= 0.9),
        Check("epochs: lead over the static correlation", lead, "at least .3", lead >= 0.3),
        Check("rank chosen by stability", ", ".join(f"{r:.0f}" for r in found["rank"]), "3 each time", bool(np.all(found["rank"] == 3))),
    ]
    for name in list(GRAPHS)[:2]:
        gain = paired_bootstrap(*graphs[name], seed=seed)
        checks.append(Check(f"{name}: lead of the block model over Louvain", str(gain), "at least .2", gain.value >= 0.2))
    ways: list[tuple[Cell, ...]] = [(name, str(bootstrap(found[name], seed=seed))) for name in WAYS if name != "inside"]
    graph_rows: list[tuple[Cell, ...]] = [(name, *(str(bootstrap(values, seed=seed)) for values in pair)) for name, pair in graphs.items()]
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED,
        tables=(
            Table("Epochs: agreement with active units' groups", ("way", "mean over recordings"), tuple(ways)),
            Table(
                "Epochs",
                ("share of a course inside its epoch", "motifs of rank 5 after merging"),
                ((mean["inside"], float(found["merged"].mean())),),
            ),
            Table("Planted communities: normalised mutual information", ("graphs", "block model", "Louvain"), tuple(graph_rows)),
        ),
        figures=(figure(seed, out),) if out is not None else (),
        notes=NOTES,
    )


def figure(seed: int, out: Path) -> Path:
    """Courses of the motifs of one recording above the epochs they were planted in; the SVG's path."""
    traces, _ = planted(generator(derive(seed, ["recording", 0]), ["planted"]))
    drawing, axes = new_figure()
    motifs = dynamic_connectome(traces, 3, stride=3, merge_over=1, n_init=2, sweeps=60, seed=derive(seed, ["recording", 0]))
    for k, motif in enumerate(motifs):
        axes.plot(motif.times, motif.course, color=COLOURS[k], lw=1.6, label=f"motif {k + 1}: {motif.partition.n_groups} groups of units")
    for edge in range(0, FRAMES + 1, FRAMES // EPOCHS):
        axes.axvline(edge, color="#888888", lw=1, ls=":")
    axes.set_xlabel("frame (dotted: the planted epochs)")
    axes.set_ylabel("strength of the motif")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    finish(axes, "Motifs of one recording")
    return save(drawing, out / "motifs")[1]


def weighted_communities(
    rng: np.random.Generator,
    outside: float = 0.5,
    outside_weight: float = 0.5,
    exponent: float = 2.0,
    degree: float = 25.0,
    nodes: int = 125,
) -> tuple[Floats, Floats]:
    """A weighted graph with planted communities, and the community of each node.

    125 nodes of mean degree 25. Sizes are drawn from a power law of exponent 1 on [10, 100], degrees from one of exponent 2 up to 100,
    edges as Bernoulli with a share `outside` of each node's degree leaving its community, and weights by proportional fitting to strengths
    degree^exponent, of which a share `outside_weight` leaves. Where a community is too small for its hubs, more of their edges leave.
    """
    nodes = 125
    while True:
        sizes: list[int] = []
        while sum(sizes) < nodes:
            sizes.append(round(float(np.exp(rng.uniform(np.log(10), np.log(100))))))
        sizes[-1] -= sum(sizes) - nodes
        if sizes[-1] >= 10 and len(sizes) > 1:
            break
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    wanted = _degrees(nodes, 25.0, rng)
    same = groups[:, None] == groups[None, :]
    chance = np.zeros((nodes, nodes))
    for part, share in ((same, 1 - outside), (~same, outside)):
        chance += _fitted(part * np.outer(wanted, wanted) * (1 - np.eye(nodes)), share * wanted)
    upper = np.triu(rng.random((nodes, nodes)) < np.minimum(chance, 1), 1)
    edges = (upper | upper.T).astype(np.float64)
    strength = edges.sum(1) ** exponent
    weights = np.zeros((nodes, nodes))
    for part, share in ((same, 1 - outside_weight), (~same, outside_weight)):
        weights += _fitted(edges * part, share * strength)
    return weights, groups


def _degrees(nodes: int, mean: float, rng: np.random.Generator, top: float = 100.0) -> Floats:
    """Power-law degrees of exponent 2, of a mean: the least degree is found by bisection on the law's mean."""
    low, high = 1.0, mean
    for _ in range(60):
        least = (low + high) / 2
        low, high = (least, high) if np.log(top / least) / (1 / least - 1 / top) < mean else (low, least)
    return 1 / (1 / low - rng.random(nodes) * (1 / low - 1 / top))


def _fitted(matrix: Floats, totals: Floats, rounds: int = 200) -> Floats:
    """A symmetric matrix scaled by a factor a node, so that its rows sum to `totals` (rows of zeros stay so)."""
    scale = np.ones(len(matrix))
    for _ in range(rounds):
        sums = scale * (matrix @ scale)
        scale *= np.sqrt(np.divide(totals, sums, out=np.ones_like(sums), where=sums > 0))
    return matrix * np.outer(scale, scale)
