"""Reproduction: causal inference by string diagram surgery (Jacobs, Kissinger & Zanasi 2019, arXiv 1811.08338)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np

from ponder.bench.stats import Interval, bootstrap
from ponder.causal.diagrams import Channel, Diagram, NotIdentified, State, causal_effect, comb_disintegrate, svg
from ponder.causal.diagrams.channel import Numbers
from ponder.causal.graphs import dag
from ponder.core.errors import need
from ponder.core.seeds import generator
from ponder.papers.report import Check, Report, Table, reproduction

SLUG = "string-diagram-surgery"
TITLE = "Causal inference by string diagram surgery"
CLAIM = (
    "Intervening is a functor that cuts a string diagram; where the diagram is a comb around the treatment, the effect follows from "
    "observations alone. In the smoking example an observed gap of 0.485 becomes 0.289."
)
SMOKING = (("H", "S"), ("H", "C"), ("S", "T"), ("T", "C"))
OBSERVED = ("S", "T", "C")
HUNDREDTHS = (50, 10, 1, 2, 10, 5, 2, 20)
CUT = ("463/1260", "137/1260", "67/11550", "104/5775", "463/2960", "137/2960", "67/925", "208/925")
SAMPLES = (100, 1000, 10000)
NOTES = (
    "Index 0 comes first in the worked table; which of the two is 'smoker' is not said here, and no figure depends on it.",
    "Smoothing at n = 100: half a count a cell, since a cell is often empty; without it the effect is refused.",
    "Graphs that fail the criterion are refused with the word that the effect may be identified in another way.",
)


def worked_example() -> State:
    """The joint distribution of smoking, tar and cancer of the paper's example, in exact fractions."""
    return State(np.array([Fraction(p, 100) for p in HUNDREDTHS], dtype=object).reshape(2, 2, 2), OBSERVED)


def exact_checks() -> list[Check]:
    """The worked example: equality of fractions, no tolerance."""
    omega = worked_example()
    comb = comb_disintegrate(omega, "S", "T", "C")
    effect = causal_effect(omega, SMOKING, "S", "C")
    assert isinstance(effect, Channel)
    seen = omega.marginal(("C", "S")).disintegrate("S")
    cut = comb.cut()
    rows = (
        ("observed P(C=0 | S)", seen.array[0], ("17/21", "12/37"), True),
        ("P(C=0 | do S)", effect.array[0], ("25867/34650", "3387/7400"), True),
        ("P(T=0 | S)", comb.g.array[0], ("20/21", "15/37"), False),
        ("P(C=0 | S, T)", omega.disintegrate(("S", "T")).array[0].ravel(), ("5/6", "1/3", "2/3", "1/11"), False),
        ("comb f(S, C | T=0)", comb.f.array[..., 0].ravel(), ("21/40", "21/200", "37/150", "37/300"), False),
        ("comb f(S, C | T=1)", comb.f.array[..., 1].ravel(), ("21/100", "21/50", "37/1100", "37/110"), False),
        ("state after the cut", cut.array.ravel(), CUT, True),
        ("effect read off the cut state", cut.marginal(("C", "S")).disintegrate("S").array[0], ("25867/34650", "3387/7400"), False),
    )
    checks = []
    for name, found, published, claim in rows:
        equal = [Fraction(v) for v in published] == list(found)
        checks.append(Check(name, ", ".join(map(str, found)), f"exactly {', '.join(published)}", equal, claim))
    gaps = [float(abs(row[0] - row[1])) for row in (seen.array[0], effect.array[0])]
    right = [round(gap, 3) for gap in gaps] == [0.485, 0.289]
    return [*checks, Check("gap: observed, under intervention", f"{gaps[0]:.3f}, {gaps[1]:.3f}", "0.485, 0.289", right)]


def random_tables(diagram: Diagram, rng: np.random.Generator) -> dict[str, Numbers]:
    """A channel for each box, uniform over all channels."""
    tables = {}
    for node in diagram.nodes:
        (out,) = (w.size for w in node.box.cod)
        shape = tuple(w.size for w in node.box.dom)
        tables[node.box.name] = np.moveaxis(rng.dirichlet(np.ones(out), size=shape), -1, 0)
    return tables


def front_door(rng: np.random.Generator) -> tuple[float, float]:
    """A random model of the smoking graph: largest error of the effect, and of P(C | S) taken for it."""
    sizes = dict(zip(OBSERVED, map(int, rng.permutation([2, 3, 4])), strict=True))
    diagram = Diagram.from_dag(SMOKING, OBSERVED, {"H": int(rng.integers(2, 6)), **sizes})
    tables = random_tables(diagram, rng)
    joint = diagram.state(tables)
    truth = diagram.cut("S").state(tables).marginal(("C", "S")).disintegrate("S").array
    effect = causal_effect(joint, SMOKING, "S", "C")
    assert isinstance(effect, Channel)
    naive = joint.marginal(("C", "S")).disintegrate("S").array
    return float(np.abs(effect.array - truth).max()), float(np.abs(naive - truth).max())


def random_graph(rng: np.random.Generator) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], bool]:
    """A connected graph of 5 to 7 observed vertices with hidden common causes, and whether the criterion holds for its second vertex."""
    nx = need("networkx", "causal")
    while True:
        observed = tuple(f"V{i}" for i in range(int(rng.integers(5, 8))))
        pairs = list(combinations(observed, 2))
        edges = [pair for pair in pairs if rng.random() < 0.4]
        hidden = [pair for pair in pairs if rng.random() < 0.15]
        every = (*edges, *((f"U{i}", v) for i, pair in enumerate(hidden) for v in pair))
        if nx.is_weakly_connected(dag([*observed, *(f"U{i}" for i in range(len(hidden)))], every)):
            confounded = nx.Graph(hidden)
            confounded.add_nodes_from(observed)
            district = nx.node_connected_component(confounded, "V1")
            return every, observed, not any(u == "V1" and v in district for u, v in edges)


def random_graphs(n: int, rng: np.random.Generator) -> tuple[float, int]:
    """Largest error over n graphs that satisfy the criterion, and how many of n that violate it are refused."""
    worst, refused, fit, unfit = 0.0, 0, 0, 0
    while fit < n or unfit < n:
        edges, observed, holds = random_graph(rng)
        if fit >= n if holds else unfit >= n:
            continue
        vertices = dict.fromkeys([*observed, *(u for u, _ in edges)])
        diagram = Diagram.from_dag(edges, observed, {v: int(rng.integers(2, 4)) for v in vertices})
        tables = random_tables(diagram, rng)
        rest = tuple(v for v in observed if v != "V1")
        effect = causal_effect(diagram.state(tables), edges, "V1", rest)
        if holds:
            fit += 1
            truth = diagram.cut("V1").state(tables).disintegrate("V1").array
            worst = max(worst, float(np.abs(effect.array - truth).max()) if isinstance(effect, Channel) else np.inf)
        else:
            unfit += 1
            refused += isinstance(effect, NotIdentified)
    return worst, refused


def recomposition(n: int, rng: np.random.Generator) -> tuple[float, float]:
    """Largest error of f around g against the state, and of f's A-marginal against the state's, over n random states."""
    worst = marginal = 0.0
    for _ in range(n):
        shape = rng.integers(2, 5, size=3)
        state = State(rng.dirichlet(np.ones(shape.prod())).reshape(shape), ("A", "B", "C"))
        comb = comb_disintegrate(state, "A", "B", "C")
        worst = max(worst, float(np.abs(comb.joint().array - state.array).max()))
        marginal = max(marginal, float(np.abs(comb.f.marginal("A").array - state.marginal("A").array[:, None]).max()))
    return worst, marginal


def sampling_errors(draws: int, rng: np.random.Generator) -> list[float]:
    """Root mean squared error of the plug-in P(C=0 | do S=0) of the worked example at each sample size."""
    truth, p = 25867 / 34650, np.array(HUNDREDTHS) / 100
    errors = []
    for n in SAMPLES:
        counts = rng.multinomial(n, p, size=draws).reshape(draws, 2, 2, 2)
        found = [causal_effect(State(c / n, OBSERVED), SMOKING, "S", "C", smoothing=0.5 / n) for c in counts]
        errors.append(float(np.sqrt(np.mean([(effect.array[0, 0] - truth) ** 2 for effect in found if isinstance(effect, Channel)]))))
    return errors


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """The worked example exactly; random models against the intervention on the full diagram; graphs that must be refused; samples.

    Args:
        quick: 100 random graphs of each kind instead of 200, 300 models of the smoking graph instead of 500.
        seed: of the random models and samples.
        out: a folder for the two drawings, before and after surgery; none is made without it.
    """
    models, graphs = (300, 100) if quick else (500, 200)
    rng = generator(seed, ["front door"])
    errors, naive = map(np.array, zip(*(front_door(rng) for _ in range(models)), strict=True))
    off: Interval = bootstrap(naive, seed=seed)
    worst, refused = random_graphs(graphs, generator(seed, ["graphs"]))
    whole, silent = recomposition(1000, generator(seed, ["combs"]))
    rmse = sampling_errors(200, generator(seed, ["samples"]))
    slope = float(np.polyfit(np.log(SAMPLES), np.log(rmse), 1)[0])
    bow = causal_effect(worked_example(), (("S", "C"), ("H", "S"), ("H", "C")), "S", "C")
    checks = (
        *exact_checks(),
        Check(f"front door, {models} models: largest error", float(errors.max()), "below 1e-12", bool(errors.max() < 1e-12)),
        Check("the same models: P(C | S) taken for the effect, mean of largest errors", str(off), "above 0.02", off.value > 0.02),
        Check(f"{graphs} graphs that satisfy the criterion: largest error", worst, "below 1e-12", worst < 1e-12),
        Check(f"{graphs} graphs that violate it: refused", refused, f"all {graphs}", refused == graphs),
        Check("the bow graph", type(bow).__name__, "NotIdentified", isinstance(bow, NotIdentified)),
        Check("1000 states: f around g against the state", whole, "below 1e-12", whole < 1e-12, False),
        Check("1000 states: A of f against A of the state", silent, "below 1e-12", silent < 1e-12, False),
        Check("plug-in estimate: slope of log RMSE in log n", slope, "-0.5 +- 0.1", abs(slope + 0.5) <= 0.1),
    )
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        checks,
        tables=(Table("RMSE of P(C=0 | do S=0) over 200 draws", ("n", "RMSE"), tuple(zip(SAMPLES, rmse, strict=True))),),
        figures=tuple(drawings(out)) if out is not None else (),
        notes=NOTES,
    )


def drawings(out: Path) -> Sequence[Path]:
    """The smoking diagram before and after surgery on smoking, as SVG files."""
    diagram = Diagram.from_dag(SMOKING, OBSERVED, dict.fromkeys("HSTC", 2))
    out.mkdir(parents=True, exist_ok=True)
    files = (out / "before.svg", out / "after.svg")
    files[0].write_text(svg(diagram, "the smoking diagram"), encoding="utf-8")
    files[1].write_text(svg(diagram.cut("S"), "the smoking diagram after surgery on S"), encoding="utf-8")
    return files
