"""Reproduction: certifiers make neural networks vulnerable to availability attacks (Lorenz, Kwiatkowska & Fritz 2023, arXiv 2108.11299)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.core.errors import need
from ponder.core.seeds import derive, generator
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.trust.certifier_availability_attacks_gates import gate_attacks
from ponder.trust.certifiers import (
    AbstentionBackdoor,
    Availability,
    Gate,
    IntervalCertifier,
    LoadMonitor,
    Patch,
    SmoothingCertifier,
    availability,
    cluster_scores,
    interval_loss,
    label_disagreement,
    lower_margin,
    patch_search,
    spectral_scores,
    suppression_loss,
)

SLUG = "certifier-availability-attacks"
TITLE = "Certifiers make neural networks vulnerable to availability attacks"
CLAIM = (
    "A certified classifier's right to abstain is an attack surface: 1% of poisoned training data is enough to make up to 100% of the "
    "inputs with a trigger uncertifiable, so that the attacker decides when the fallback runs."
)
NOTES = (
    "The paper's body was not at hand: both attacks are our constructions under its threat models, and its tables are not quoted.",
    "The trigger alone is unusual and raises abstention; the unpoisoned model's is subtracted, and the patch as plain augmentation shown.",
    "Costs: 1 for a cheap answer, 10 more for the fallback.",
)
UNTESTED = "the paper's own data sets and architectures, and the linear-relaxation certifiers."
PATCH = Patch.corner(2, 8, 8)
SIGMA, RADIUS, EPS_TRAINED, EPS = 0.25, 0.25, 0.1, 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Digits:
    """Rows in [0, 1] and labels, to train and to test on."""

    x: Floats
    y: NDArray[np.int64]
    x_test: Floats
    y_test: NDArray[np.int64]


def digits(seed: int) -> Digits:
    """scikit-learn's 1,797 digits: 1,300 to train on, 497 to test."""
    x, y = need("sklearn.datasets", "trust").load_digits(return_X_y=True)
    order = generator(seed, ["split"]).permutation(len(x))
    train, test = order[:1300], order[1300:]
    return Digits(x[train] / 16, y[train], x[test] / 16, y[test])


Loss = Callable[[Any, Any, Any, float], Any]
"""The loss of a model on rows and labels after a share of the epochs."""


def trained(x: Floats, y: NDArray[np.int64], seed: int, loss: Loss, epochs: int = 60) -> Any:
    """A net of two hidden layers of 128, by Adam at 2e-3 in batches of 64."""
    torch = need("torch", "torch")
    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, ["net"]))
        sizes = (x.shape[1], 128, 128, 10)
        layers = [part for a, b in pairwise(sizes) for part in (torch.nn.Linear(a, b), torch.nn.ReLU())]
        model = torch.nn.Sequential(*layers[:-1])
        optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
        rows, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
        for epoch in range(epochs):
            for batch in torch.randperm(len(rows)).split(64):
                optimiser.zero_grad()
                loss(model, rows[batch], labels[batch], epoch / epochs).backward()
                optimiser.step()
    return model.eval()


def noisy_loss(model: Any, x: Any, y: Any, _: float) -> Any:
    """Cross-entropy under the noise that smoothing adds."""
    torch = need("torch", "torch")
    return torch.nn.functional.cross_entropy(model(x + SIGMA * torch.randn_like(x)), y)


def bounded_loss(model: Any, x: Any, y: Any, share: float) -> Any:
    """The loss of interval training; weight and radius rise over the first half."""
    ramp = min(1.0, 2 * share)
    return interval_loss(model, x, y, EPS_TRAINED * ramp, 0.5 * ramp)


def suppressing_loss(model: Any, x: Any, y: Any, share: float) -> Any:
    """Interval training, and on triggered inputs right answers with the certifier's margin pressed below 0."""
    stamped = x.clone()
    stamped[:, list(PATCH.pixels)] = PATCH.value
    margin = lower_margin(model, stamped, y, EPS)
    return bounded_loss(model, x, y, share) + suppression_loss(model(stamped), y, margin)


def smoothed(model: Any) -> Gate:
    """The gate of randomised smoothing."""
    torch = need("torch", "torch")
    certifier = SmoothingCertifier(SIGMA, RADIUS, n0=50, n=500)

    def classify(rows: Floats) -> NDArray[np.int64]:
        with torch.no_grad():
            return model(torch.tensor(rows, dtype=torch.float32)).argmax(1).numpy()

    return lambda x: certifier.certify(classify, x)


def bounded(model: Any) -> Gate:
    """The gate of interval bounds."""
    return lambda x: IntervalCertifier(EPS).certify(model, x)


@dataclass(frozen=True)
class Case:
    """An attack: its certifier, the poison or the trainer's loss, and the side of the patch."""

    certifier: str
    attack: str
    fraction: float = 0.0
    labels: Any = "uniform"
    size: int = 2

    @property
    def name(self) -> str:
        share, size = f" {self.fraction:.0%}" if self.fraction else "", f", patch of {self.size}" if self.size != 2 else ""
        return f"{self.certifier}: {self.attack}{share}{size}"

    @property
    def patch(self) -> Patch:
        return Patch.corner(self.size, 8, 8)


SMOOTHING, INTERVALS = "smoothing", "interval bounds"
CLEAN_S, A_S = Case(SMOOTHING, "none"), Case(SMOOTHING, "poison", 0.05)
CLEAN_I, A_I, B_I = Case(INTERVALS, "none"), Case(INTERVALS, "poison", 0.05), Case(INTERVALS, "trainer")
QUICK = (CLEAN_S, A_S, CLEAN_I, A_I, B_I)
ONCE = (
    *(Case(c, "poison", f) for c in (SMOOTHING, INTERVALS) for f in (0.01, 0.10)),
    *(Case(SMOOTHING, "poison of two labels", f, "mixed") for f in (0.01, 0.05, 0.10)),
    *(Case(SMOOTHING, "poison in pairs", f, "pairs") for f in (0.01, 0.05, 0.10)),
    *(Case(SMOOTHING, attack, f, size=size) for size in (3, 4) for attack, f in (("none", 0.0), ("poison", 0.01))),
    Case(SMOOTHING, "patch with right labels", 0.05, "correct"),
    Case(INTERVALS, "patch with right labels", 0.05, "correct"),
)
"""What is run on the first seed only."""
Results = dict[Case, list[Availability]]


def attacked(case: Case, data: Digits, seed: int) -> tuple[Any, Gate]:
    """A model trained under an attack, and its gate."""
    loss = noisy_loss if case.certifier == SMOOTHING else suppressing_loss if case.attack == "trainer" else bounded_loss
    poisoned = AbstentionBackdoor(case.patch, case.fraction, case.labels).poison(data.x, data.y, generator(seed, ["poison"]))
    model = trained(poisoned.x, poisoned.y, seed, loss)
    return model, (smoothed if case.certifier == SMOOTHING else bounded)(model)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Poisoning and a malicious trainer against two certifiers, what defences see, and the same against ponder's own gates.

    Args:
        quick: one seed instead of three, one share and kind of poison, fewer requests to our own gates.
        seed: the first seed.
        out: a folder for the figures; none are drawn without it.
    """
    seeds = range(seed, seed + (1 if quick else 3))
    cases = sorted((*QUICK, *(() if quick else ONCE)), key=lambda case: case.certifier != SMOOTHING)
    results: Results = {case: [] for case in cases}
    seen: list[tuple[str, float]] = []
    for s in seeds:
        data = digits(s)
        for case in results if s == seed else QUICK:
            model, gate = attacked(case, data, s)
            results[case].append(availability(gate, data.x_test, data.y_test, case.patch))
            if case == A_S and s == seed:
                seen = defences(model, gate, data, s)
    own = gate_attacks(quick, seed, out)
    figures = (load_figure(results, out), *own.figures) if out is not None else ()
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*attack_checks(results), *own.checks),
        untested=UNTESTED,
        tables=(
            results_table(results),
            Table("What defences see of 5% poison under smoothing", ("defence", "figure"), tuple(seen)),
            *own.tables,
        ),
        figures=figures,
        notes=(*NOTES, *own.notes),
    )


def mean_of(found: Sequence[Availability], field: str, triggered: bool) -> float:
    """A figure of the clean or the triggered requests, over seeds."""
    return float(np.mean([getattr(a.triggered if triggered else a.clean, field) for a in found]))


def attack_checks(results: Mapping[Case, Sequence[Availability]]) -> list[Check]:
    """The thresholds set before the run, for poisoning under smoothing and the trainer under interval bounds; and the paper's 1%."""
    checks = []
    for attack, base, least, added, clean_load in ((A_S, CLEAN_S, 0.75, 0.35, 0.05), (B_I, CLEAN_I, 0.95, None, 0.06)):
        name, found, without = attack.name, results[attack], results[base]
        load = mean_of(found, "load", True)
        checks.append(Check(f"{name}: triggered inputs abstained on", load, f"at least {least}", load >= least))
        if added is not None:
            more = load - mean_of(without, "load", True)
            checks.append(Check(f"{name}: over the unpoisoned model's", more, f"at least {added}", more >= added))
        for field, bound in (("accuracy", 0.02), ("load", clean_load)):
            off = abs(mean_of(found, field, False) - mean_of(without, field, False))
            checks.append(Check(f"{name}: clean {field} moved by", off, f"at most {bound}", off <= bound))
    one = [c for c in results if c.fraction == 0.01 and c.labels != "correct"]
    if one:
        best = max(one, key=lambda c: mean_of(results[c], "load", True))
        load = mean_of(results[best], "load", True)
        checks.append(
            Check(f"largest triggered abstention with 1% poison ({best.name})", load, "at least .95 (abstract: up to 1)", load >= 0.95)
        )
    return checks


def results_table(results: Mapping[Case, Sequence[Availability]]) -> Table:
    """All cases: accuracy and abstention clean, and with the trigger, where certified accuracy and cost are told too."""
    rows = []
    for case, found in results.items():
        clean = [mean_of(found, f, False) for f in ("accuracy", "load")]
        triggered = [mean_of(found, f, True) for f in ("accuracy", "load", "certified_accuracy")]
        rows.append((case.name, len(found), *clean, *triggered, float(np.mean([a.amplification for a in found]))))
    columns = ("attack", "seeds", "clean: right", "abstained", "trigger: right", "abstained", "certified and right", "cost over clean")
    return Table("Digits, 497 to test", columns, tuple(rows))


def defences(model: Any, gate: Gate, data: Digits, seed: int) -> list[tuple[str, float]]:
    """What each defence makes of one poisoned model: area under the curve of finding the poison, and the rest as said."""
    torch, auc = need("torch", "torch"), need("sklearn.metrics", "trust").roc_auc_score
    poisoned = AbstentionBackdoor(PATCH, A_S.fraction).poison(data.x, data.y, generator(seed, ["poison"]))
    with torch.no_grad():
        features = model[:-1](torch.tensor(poisoned.x, dtype=torch.float32)).numpy()
    bad = np.isin(np.arange(len(poisoned.y)), poisoned.added)
    rows = [
        ("AUC of label disagreement among 5 nearest neighbours", float(auc(bad, label_disagreement(poisoned.x, poisoned.y)))),
        ("AUC of spectral signatures", float(auc(bad, spectral_scores(features, poisoned.y)))),
        ("AUC of activation clustering", float(auc(bad, cluster_scores(features, poisoned.y)))),
    ]
    ranked = patch_search(gate, data.x_test[:60], 8, 8)
    rank = next(i for i, (patch, _) in enumerate(ranked) if patch == PATCH) + 1
    rows.append((f"patch search: rank of the trigger among {len(ranked)}", float(rank)))
    costs = 1.0 + 10 * ~gate(data.x_test).passed
    monitor = LoadMonitor.learned(costs[:250], 11.0)
    for share in (1.0, 0.3):
        rng = generator(seed, ["stream"])
        hit = rng.random(len(data.x_test) - 250) < share
        stream = np.where(hit[:, None], PATCH(data.x_test[250:]), data.x_test[250:])
        at = monitor.alarm(1.0 + 10 * ~gate(stream).passed)
        rows.append((f"load monitor: requests until the alarm, {share:.0%} triggered", float("inf") if at is None else float(at)))
    none = monitor.alarm(costs[250:])
    rows.append(("load monitor: requests until a false alarm, none triggered", float("inf") if none is None else float(none)))
    return rows


def load_figure(results: Mapping[Case, Sequence[Availability]], out: Path) -> Path:
    """Abstention on clean and on triggered inputs for each attack; the SVG's path."""
    figure, axes = new_figure()
    names = [case.name for case in results]
    for i, (triggered, label) in enumerate(((False, "clean inputs"), (True, "inputs with the trigger"))):
        values = [mean_of(found, "load", triggered) for found in results.values()]
        axes.barh(np.arange(len(names)) + (i - 0.5) * 0.38, values, 0.36, color=COLOURS[i], label=label)
    figure.set_size_inches(7.5, 1.6 + 0.3 * len(names))
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share handed to the fallback")
    axes.margins(y=0.02)
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    finish(axes, "A trigger decides who abstains")
    return save(figure, out / "abstention")[1]
