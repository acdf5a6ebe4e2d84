"""Reproduction: gene regulatory network inference in the presence of dropouts (Dai et al. 2024, arXiv 2403.15500)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.bench.stats import paired_bootstrap
from ponder.causal.diagrams import Diagram, State
from ponder.causal.graphs import dag
from ponder.causal.grn import ZeroDeletedCITest, drop_out, random_network, simulate_expression
from ponder.causal.grn.dropout import Kind, Mechanism
from ponder.causal.independence import CITest, Floats
from ponder.causal.search import Cpdag, ges, pc
from ponder.core.errors import need
from ponder.core.seeds import generator
from ponder.papers.report import Cell, Check, Report, Table, reproduction

SLUG = "grn-dropout-causal"
TITLE = "Gene regulatory network inference in the presence of dropouts: a causal view"
CLAIM = (
    "A test of conditional independence on the cells whose conditioning genes are all non-zero answers as the same test on expression "
    "without dropouts, so that causal discovery needs no imputation."
)
GENES, CELLS, ALPHA = 10, 10_000, 0.05
SETTINGS: tuple[tuple[Kind, Mechanism], ...] = (("raw", "constant"), ("raw", "logistic"), ("raw", "truncation"), ("exp", "logistic"))
WAYS = ("no dropouts", "naive", "zeros deleted")
NOTES = (
    "Compare methods within one test: Fisher's z tests linear dependence, and on exponentiated data it errs without dropouts too.",
    "Edges found stand beside each F1: deleting rows costs power, and a sparser graph looks better to some measures.",
    "Inconclusive tests keep their edge, and are never called independent.",
    "A step of GES is scored by one test, and tests look at different rows, so equivalent graphs score alike only in the limit.",
)
UNTESTED = "imputation baselines, curated networks and real Perturb-seq data, which the paper also compares on."


@dataclass(frozen=True)
class Calls:
    """Calls of independence against d-separation at one number of conditioning genes."""

    recall: float
    precision: float

    @property
    def f1(self) -> float:
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0


def masked_chain(drop: Sequence[Fraction]) -> State:
    """The exact law of Z1 -> Z2 -> Z3 on {0, 1, 2} and of X1, X2, X3, where a value v is replaced by 0 with probability drop[v]."""
    tenths = [[6, 3, 1], [3, 4, 3], [1, 3, 6]]
    kernel = np.array([[Fraction(tenths[parent][value], 10) for parent in range(3)] for value in range(3)], dtype=object)
    mask = np.array([[Fraction(z == x) * (1 - drop[z]) + Fraction(x == 0) * drop[z] for z in range(3)] for x in range(3)], dtype=object)
    edges = [("Z1", "Z2"), ("Z2", "Z3"), *((f"Z{i}", f"X{i}") for i in (1, 2, 3))]
    names = ("Z1", "Z2", "Z3", "X1", "X2", "X3")
    start = np.full(3, Fraction(1, 3), dtype=object)
    tables = {"Z1": start, "Z2": kernel, "Z3": kernel, **dict.fromkeys(("X1", "X2", "X3"), mask)}
    return Diagram.from_dag(edges, names, dict.fromkeys(names, 3)).state(tables)


def exact_checks() -> list[Check]:
    """Conditional mutual information between the measured ends of the chain, by enumeration."""
    nothing = Fraction(0)
    cases = (
        ("constant rate .4", (Fraction(2, 5),) * 3, 0.003827546, 0.006379243),
        ("rates .5 of value 1, .2 of value 2", (nothing, Fraction(1, 2), Fraction(1, 5)), 0.004492, 0.007926),
        ("no dropouts", (nothing,) * 3, 0.0, 0.0),
    )
    checks = []
    for name, drop, everywhere, at_zero in cases:
        law = masked_chain(drop).marginal(("X1", "X2", "X3"))
        given = law.disintegrate("X2")
        found = [law.mutual_information("X1", "X3", "X2"), *(given.at(v).mutual_information("X1", "X3") for v in range(3))]
        tolerance = 1e-9 if name == "constant rate .4" else 1e-6
        right = abs(found[0] - everywhere) < tolerance and abs(found[1] - at_zero) < tolerance and max(found[2:]) < 1e-15
        shown = ", ".join(f"{v:.9f}" for v in found)
        wanted = f"{everywhere:.9g}, {at_zero:.9g}, 0, 0"
        checks.append(Check(f"{name}: I(X1; X3 | X2), and within X2 = 0, 1, 2", shown, wanted, right))
    return checks


def triples(
    edges: Sequence[tuple[int, int]], size: int, most: int, rng: np.random.Generator
) -> list[tuple[int, int, tuple[int, ...], bool]]:
    """Random (i, j, S, d-separated), up to `most` of either kind."""
    nx = need("networkx", "causal")
    graph = dag(range(GENES), edges)
    kept: dict[bool, list[tuple[int, int, tuple[int, ...], bool]]] = {True: [], False: []}
    for _ in range(40 * most):
        i, j, *given = map(int, rng.permutation(GENES)[: size + 2])
        separated = bool(nx.is_d_separator(graph, {i}, {j}, set(given)))
        if len(kept[separated]) < most:
            kept[separated].append((i, j, tuple(given), separated))
    return kept[True] + kept[False]


def ways_of(true: Floats, measured: Floats) -> dict[str, tuple[Floats, CITest]]:
    """The data and the test of each way, with Fisher's z."""
    naive, deleted = ZeroDeletedCITest(delete="none"), ZeroDeletedCITest()
    return {"no dropouts": (true, naive), "naive": (measured, naive), "zeros deleted": (measured, deleted)}


def calls(kind: Kind, mechanism: Mechanism, graphs: int, seed: int) -> dict[tuple[str, int], Calls]:
    """Recall and precision of independence for each way and 1 to 3 conditioning genes, over random networks of mean degree 3."""
    answers: dict[tuple[str, int], list[tuple[bool, bool]]] = {}
    for g in range(graphs):
        rng = generator(seed, ["calls", kind, mechanism, g])
        edges = random_network(GENES, 15, rng)
        true = simulate_expression(edges, GENES, CELLS, kind, rng)
        ways = ways_of(true, drop_out(true, mechanism, rng, kind))
        for size in (1, 2, 3):
            for i, j, given, separated in triples(edges, size, 40, rng):
                for way, (data, test) in ways.items():
                    found = test(data, i, j, given)
                    answers.setdefault((way, size), []).append((separated, not found.inconclusive and found.p > ALPHA))
    scored = {}
    for key, both in answers.items():
        table = np.array(both)
        hits = np.sum(table[:, 0] & table[:, 1])
        scored[key] = Calls(float(hits / table[:, 0].sum()), float(hits / max(1, table[:, 1].sum())))
    return scored


def searches(kind: Kind, mechanism: Mechanism, graphs: int, seed: int) -> dict[tuple[str, str], Floats]:
    """Skeleton F1, edges found and distance to the true class of PC and GES each way, shape (graphs, 3)."""
    found: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
    for g in range(graphs):
        rng = generator(seed, ["search", kind, mechanism, g])
        edges = random_network(GENES, 15, rng)
        true = Cpdag.of_dag(GENES, edges)
        data = simulate_expression(edges, GENES, CELLS, kind, rng)
        for way, (rows, test) in ways_of(data, drop_out(data, mechanism, rng, kind)).items():
            for name, graph in (("PC", pc(rows, test, ALPHA)), ("GES", ges(rows, test))):
                found.setdefault((name, way), []).append((graph.skeleton_f1(true), len(graph.skeleton), graph.distance(true)))
    return {key: np.array(rows, dtype=np.float64) for key, rows in found.items()}


def kernel_variant(graphs: int, seed: int) -> dict[str, Floats]:
    """Skeleton F1 of PC on deleted zeros with the kernel test and with Fisher's z: 5 genes, 1000 cells, exp/logistic."""
    scores: dict[str, list[float]] = {"fisherz": [], "kci": []}
    for g in range(graphs):
        rng = generator(seed, ["kernel", g])
        edges = random_network(5, 5, rng)
        data = drop_out(simulate_expression(edges, 5, 1000, "exp", rng), "logistic", rng, "exp")
        for base, values in scores.items():
            values.append(pc(data, ZeroDeletedCITest(base), ALPHA).skeleton_f1(Cpdag.of_dag(5, edges)))
    return {base: np.array(values) for base, values in scores.items()}


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """The population law; calls of independence; PC and GES on networks with and without dropouts; the kernel test.

    Args:
        quick: the two settings that are checked, 4 networks instead of 10 for calls, 3 instead of 8 for searches, no kernel test.
        seed: of networks, expression and dropouts.
        out: a folder for the figure; none is drawn without it.
    """
    settings = SETTINGS[:2] if quick else SETTINGS
    called = {s: calls(*s, 4 if quick else 10, seed) for s in settings}
    searched = {s: searches(*s, 3 if quick else 8, seed) for s in settings}
    checks = exact_checks()
    for setting in SETTINGS[:2]:
        naive, deleted = (called[setting][way, 2] for way in WAYS[1:])
        rise, loss = deleted.recall - naive.recall, naive.precision - deleted.precision
        name = "/".join(setting)
        checks.append(Check(f"{name}: rise of recall given 2 genes", rise, "at least .15", rise >= 0.15))
        checks.append(Check(f"{name}: loss of precision given 2 genes", loss, "at most .10", loss <= 0.10))
    for setting in SETTINGS[:2]:
        naive, deleted = (searched[setting]["PC", way] for way in WAYS[1:])
        gain = paired_bootstrap(deleted[:, 0], naive[:, 0], seed=seed)
        checks.append(Check(f"{'/'.join(setting)}: gain of PC's skeleton F1", str(gain), "at least .05", gain.value >= 0.05))
    if not quick:
        kernel = kernel_variant(6, seed)
        lead = float(kernel["kci"].mean() - kernel["fisherz"].mean())
        checks.append(Check("exp/logistic, kernel test against Fisher's z: difference of F1", lead, "at least -.05", lead >= -0.05))
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED,
        tables=(calls_table(called), search_table(searched, seed)),
        figures=(figure(searched, seed, out),) if out is not None else (),
        notes=NOTES,
    )


def calls_table(called: Mapping[tuple[Kind, Mechanism], Mapping[tuple[str, int], Calls]]) -> Table:
    """Recall and F1 of independence for each setting, way and number of conditioning genes."""
    rows: list[tuple[Cell, ...]] = []
    for setting, scores in called.items():
        for way in WAYS:
            cells = [f"{scores[way, size].recall:.2f} ({scores[way, size].f1:.2f})" for size in (1, 2, 3)]
            rows.append(("/".join(setting), way, *cells))
    return Table("Independence called: recall (F1) given 1, 2, 3 genes", ("setting", "way", "1", "2", "3"), tuple(rows))


def search_table(searched: Mapping[tuple[Kind, Mechanism], Mapping[tuple[str, str], Floats]], seed: int) -> Table:
    """Means over networks of what searches found; the gain is of deleted zeros over naive."""
    rows: list[tuple[Cell, ...]] = []
    for setting, found in searched.items():
        for name in ("PC", "GES"):
            gain = paired_bootstrap(found[name, WAYS[2]][:, 0], found[name, WAYS[1]][:, 0], seed=seed)
            cells = [f"{f1:.3f} ({edges:.1f}; {distance:.1f})" for f1, edges, distance in (found[name, w].mean(0) for w in WAYS)]
            rows.append(("/".join(setting), name, *cells, str(gain)))
    return Table("Skeleton F1 (edges; distance), 15 true edges", ("setting", "search", *WAYS, "gain in F1"), tuple(rows))


def figure(searched: Mapping[tuple[Kind, Mechanism], Mapping[tuple[str, str], Floats]], seed: int, out: Path) -> Path:
    """PC's skeleton F1 each way in each setting, a dot a network; the SVG's path."""
    drawing, axes = new_figure()
    for k, way in enumerate(WAYS):
        for x, found in enumerate(searched.values()):
            scores = found["PC", way][:, 0]
            place = x + (k - 1) * 0.22
            axes.bar(place, scores.mean(), 0.2, color=COLOURS[k], alpha=0.35, label=way if x == 0 else None)
            axes.plot(np.full(len(scores), place), scores, "o", color=COLOURS[k], ms=4)
    axes.set_xticks(range(len(searched)), ["/".join(setting) for setting in searched])
    axes.set_ylabel("F1 of PC's skeleton")
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    finish(axes, f"{GENES} genes, 15 edges, {CELLS} cells")
    return save(drawing, out / "skeletons")[1]
