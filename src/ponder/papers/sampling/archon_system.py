"""The search of card 08 on trained organisms: architectures of a pool of four, judged by a panel, beside single models and ensembles."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponder.bench.plots import COLOURS, Point, accuracy_against_tokens, finish, new_figure, save
from ponder.bench.run import Plan
from ponder.bench.stats import Interval, bootstrap, paired_bootstrap
from ponder.bench.store import RunStore
from ponder.core.algebra import Pipeline
from ponder.core.language import LM
from ponder.core.problem import Problem
from ponder.core.seeds import derive
from ponder.lm.load import load
from ponder.methods import parse
from ponder.methods.forecast import forecast
from ponder.papers.report import Check, Table
from ponder.papers.sampling.archon_panel import Panel
from ponder.papers.sampling.chain_runs import AS_TRAINED
from ponder.search.evaluate import Runs
from ponder.search.race import Race
from ponder.search.template import Space
from ponder.tasks import Task
from ponder.tasks import load as load_task

Floats = NDArray[np.float64]
TASK = "chain:low=8,high=8"
POOL = ("chain-large", "chain-revise", "chain", "chain-small")
SIZES = {True: (24, 24, 40), False: (48, 48, 200)}
"""Questions that the search sees, that its best are scored on again, and that are held out; in the quick form and in full."""
RESCORED = 10
"""How many of the best architectures are scored again on other questions."""


def _layer(counts: Mapping[str, int]) -> str:
    return " + ".join(f"sample({n}, model='{model}')" for model, n in counts.items() if n)


GENERATORS = (
    _layer({"chain-large": 8}),
    _layer({"chain-large": 4, "chain-revise": 4}),
    _layer(dict.fromkeys(POOL, 2)),
    _layer(dict.fromkeys(POOL, 4)),
)
_JUDGED = "model='panel'"
LAYERS = (
    f"unit_tests(2, k=8, by='model', {_JUDGED})",
    f"critique({_JUDGED})",
    f"rank(4, {_JUDGED})",
    f"verify({_JUDGED})",
    f"fuse(3, {_JUDGED})",
)
ENDS = ("vote()", f"rank(1, {_JUDGED})", f"fuse(1, {_JUDGED})")


def template(quick: bool) -> str:
    """The space: which models generate, which layers follow, and how it ends; 384 architectures, 64 in the quick form."""
    first = GENERATORS[1:3] if quick else GENERATORS
    layers = [layer for layer in LAYERS if not quick or "critique" not in layer]
    ends = ENDS[:2] if quick else ENDS
    options = [*(f"{{{layer}, None}}" for layer in layers), f"{{{', '.join(ends)}}}"]
    return " | ".join([f"{{{', '.join(first)}}}", *options])


@dataclass(frozen=True)
class Trained:
    """What the search and its rivals did.

    Attributes:
        space: all architectures.
        table: their mean grades on the search's questions, shape (architectures,).
        winner: the architecture that scored best on the second set of questions among the best of the first.
        seen: its grade in the search.
        held: name -> grades on held-out questions, seeds averaged, shape (questions,).
        tokens: name -> mean tokens a question there.
        single, ensemble: names of the best single model and the best uniform ensemble at equal calls, chosen on the search's questions.
        calls: completions of the winner and of the ensemble.
    """

    space: Space
    table: Floats
    winner: Pipeline
    seen: float
    held: Mapping[str, Floats]
    tokens: Mapping[str, float]
    single: str
    ensemble: str
    calls: tuple[int, int]

    def gain(self, name: str) -> Interval:
        """The winner over another on held-out questions."""
        return paired_bootstrap(self.held["searched"], self.held[name])


def trained(quick: bool, seed: int) -> Trained:
    """Try every architecture on the search's questions, the best again on others, and the winner with its rivals on held-out ones."""
    space = Space(template(quick))
    sizes, seeds = SIZES[quick], (0,) if quick else (0, 1)
    models: dict[str, LM] = {name: load(f"organism:{name}") for name in POOL}
    models["panel"] = Panel()
    task = load_task(TASK, limit=sum(sizes), seed=seed)
    parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    first, second, held_out = ([task.problems[i] for i in part] for part in parts)
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        try:
            ask = _asker(task, models, store, (seed,))
            table = np.array([ask(c.pipeline, first)[0].mean() for c in space])
            best = best_of(table)
            again = np.array([ask(space[int(i)].pipeline, second)[0].mean() for i in best])
            chosen = int(best[np.argmax(again)])
            winner = space[chosen].pipeline
            calls = _completions(winner, first[0])
            singles = {f"one {name}": parse(f"sample(1, model='{name}')") for name in POOL}
            ensembles = _ensembles(calls)
            single, ensemble = (max(group, key=lambda n: ask(group[n], first)[0].mean()) for group in (singles, ensembles))
            rivals = {"searched": winner, **singles, **ensembles, **_ablations(space, chosen)}
            ask_held = _asker(task, models, store, tuple(derive(seed, ("held", s)) for s in seeds))
            measured = {name: ask_held(method, held_out) for name, method in rivals.items()}
        finally:
            store.close()
    held, tokens = ({name: m[k] for name, m in measured.items()} for k in (0, 1))
    both = calls, _completions(ensembles[ensemble], first[0])
    means = {name: float(t.mean()) for name, t in tokens.items()}
    return Trained(space, table, winner, float(table[chosen]), held, means, single, ensemble, both)


def best_of(table: Floats, most: int = RESCORED) -> NDArray[np.intp]:
    """The architectures that scored best, best first: the ones that are scored again. (The released search keeps the worst.)"""
    return np.argsort(-table, kind="stable")[:most]


def _asker(
    task: Task, models: Mapping[str, LM], store: RunStore, seeds: Sequence[int]
) -> Callable[[Pipeline, Sequence[Problem]], tuple[Floats, Floats]]:
    return Runs(Plan((task,), (parse("sample(1)"),), models, seeds, AS_TRAINED), task.problems, store).ask


def _completions(method: Pipeline, problem: Problem) -> int:
    """The most replies that a method draws."""
    return forecast(method, problem, answer_tokens=32, characters=1).completions


def _ensembles(calls: int) -> dict[str, Pipeline]:
    """Votes over as many samples as the winner draws replies: of the best two models, of all four, of each alone."""
    groups = [*((name,) for name in POOL), POOL[:2], POOL]
    made: dict[str, Pipeline] = {}
    for group in groups:
        share, rest = divmod(calls, len(group))
        counts = {name: share + (i < rest) for i, name in enumerate(group)}
        made[f"vote of {calls}, {' and '.join(group) if len(group) < 4 else 'all four'}"] = parse(f"{_layer(counts)} | vote()")
    return made


def _ablations(space: Space, chosen: int) -> dict[str, Pipeline]:
    """The winner with one of its layers left out."""
    options = space[chosen].options
    made: dict[str, Pipeline] = {}
    for at, choice in enumerate(space.choices):
        if "None" in choice.options and choice.options[options[at] or 0] != "None":
            without = (*options[:at], choice.options.index("None"), *options[at + 1 :])
            made[f"without {choice.options[options[at] or 0].partition('(')[0]}"] = space.pipeline(without)
    return made


def checks_of(run: Trained, raced: Race) -> list[Check]:
    """The card's gates."""
    single, ensemble = run.gain(run.single), run.gain(run.ensemble)
    random = float(np.median(raced.needed["random"]))
    ratio = float(np.median(raced.needed["tpe"])) / random
    mean = float(raced.needed["random"].mean())
    error = float(raced.needed["random"].std() / np.sqrt(len(raced.needed["random"])))
    return [
        Check("searched less the best single model, held out", str(single), "at least .04 (aim .08)", single.value >= 0.04),
        Check(f"searched less the {run.ensemble}, held out", str(ensemble), "at least 0 (aim .01)", ensemble.value >= 0),
        Check("evaluations that TPE needs over random's, medians", ratio, "at most .9 (aim .7)", ratio <= 0.9),
        Check(
            f"random's evaluations until one of {raced.good} in {raced.size}",
            mean,
            f"{raced.expected:.2f} by (m + 1) / (K + 1), within 4 standard errors",
            abs(mean - raced.expected) < 4 * error + 1e-9,
            False,
        ),
    ]


def tables_of(run: Trained, raced: Race) -> list[Table]:
    """The held-out table with ablations, the optimism, the optimisers."""
    rows = [(name, str(bootstrap(grades)), str(run.gain(name)), round(run.tokens[name])) for name, grades in run.held.items()]
    gap = run.seen - float(run.held["searched"].mean())
    found = [
        ("architectures", len(run.table), ""),
        ("the winner", str(run.winner), ""),
        ("its accuracy in the search", run.seen, ""),
        ("its accuracy on held-out questions", str(bootstrap(run.held["searched"])), ""),
        ("optimism of the search", gap, ""),
        ("replies drawn: winner, ensemble", f"{run.calls[0]}, {run.calls[1]}", ""),
    ]
    speeds = [(name, len(n), float(np.median(n)), float(n.mean())) for name, n in raced.needed.items()]
    return [
        Table("Held-out questions", ("method", "accuracy", "searched less this", "tokens"), tuple(rows)),
        Table("The search", ("", "measured", ""), tuple(found)),
        Table("Evaluations until within 1% of the best", ("optimiser", "restarts", "median", "mean"), tuple(speeds)),
    ]


def figures_of(run: Trained, raced: Race, out: Path) -> tuple[Path, ...]:
    """Accuracy against tokens, and the best architecture so far against evaluations."""
    points = []
    for name, grades in run.held.items():
        if name.endswith((" chain", " chain-small")):
            continue  # far below the others, and labels need room
        found = bootstrap(grades)
        points.append(Point(name, run.tokens[name], found.value, found.low, found.high))
    figure, axes = new_figure()
    for i, (name, curve) in enumerate(raced.curves.items()):
        axes.plot(np.arange(1, len(curve) + 1), curve, color=COLOURS[i], lw=1.8, label=name)
    axes.axhline(0.99, color="#888888", lw=1, ls="--")
    axes.set_xlabel("architectures tried")
    axes.set_ylabel("best so far over the best of all (mean of restarts)")
    axes.legend(frameon=False, loc="lower right")
    finish(axes, f"{raced.size} recorded architectures")
    return accuracy_against_tokens(points, out / "held-out", "Searched architecture and rivals")[1], save(figure, out / "optimisers")[1]
