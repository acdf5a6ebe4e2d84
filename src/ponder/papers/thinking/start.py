"""Reproduction: START, a self-taught reasoner with tools (Li et al. 2025, arXiv 2503.04625)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ponder.bench.plots import Point, accuracy_against_tokens
from ponder.bench.stats import Interval, bootstrap, paired_bootstrap
from ponder.core.errors import need
from ponder.core.language import LM
from ponder.lm.load import load
from ponder.organisms import products
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.thinking.start_exact import exact_checks
from ponder.programs.tool_use import MARKUPS, Trajectory
from ponder.tasks import Task
from ponder.tasks import load as load_task
from ponder.tasks.products import GREEDY, leading
from ponder.train.tool_data import last_result, right, streams

SLUG = "start"
TITLE = "START: self-taught reasoner with tools"
CLAIM = (
    "A short hint put into a model's own output where it is about to stop makes it run code, more rounds of hints help more, and training "
    "on the streams that a hint turned from wrong to right makes it use the tool unprompted, which training without tools does not replace."
)
MODELS = ("products", "products-rft", "products-start-0", "products-start")
SETTINGS: dict[str, tuple[str, str, int]] = {
    "base": ("products", "products", 0),
    "base, placebo hint": ("products", "products-again", 1),
    "base, hint R=1": ("products", "products", 1),
    "base, hint R=2": ("products", "products", 2),
    "base, hint R=3": ("products", "products", 3),
    "RFT without tools": ("products-rft", "products", 0),
    "START-0": ("products-start-0", "products", 0),
    "START": ("products-start", "products", 0),
    "START, hint R=1": ("products-start", "products", 1),
}
"""What is measured: which model writes, which hints it gets, and how many."""
NEW, BALANCED = "new products", "new products, half with a small factor"
UNTESTED = (
    "a reasoning language model (QwQ-32B) and the published sets AIME, AMC, MATH-500, GPQA and LiveCodeBench; hints behind words of doubt, "
    "which are tested only by scripted models."
)
NOTES = (
    "The organism's premise (the tool is known, and a plain problem never leads to it) comes from its training documents and is checked. "
    "Where it fails, the organism is wrong, not the method.",
    "Most new products have two factors above 9, and the base solves too few of them for the premise; the second set has the mix of its "
    "documents. It was added when the first figure was seen; the gates are the same.",
    "Where accuracy falls with the rounds, the tool's result is right and the base copies it wrongly (last column). Streams of that length "
    "are few in its documents. The paper's models gain from further rounds, where other hints lead to other code.",
    "A hint that is put on START ruins it: it was fine-tuned on streams of one call, and a longer one is new to it. The gate on it (a "
    "gain below .03) holds without meaning anything.",
    "The tool in training and measuring is a calculator; the sandbox gives the same results for the calls that are compared. Everything is "
    "written greedily.",
)


@dataclass(frozen=True)
class Measured:
    """What one setting gave on every problem: right or not, tokens the model wrote, whether it called the tool, and whether the last result
    was the answer and what it said was not."""

    right: np.ndarray[Any, np.dtype[np.float64]]
    tokens: np.ndarray[Any, np.dtype[np.float64]]
    called: np.ndarray[Any, np.dtype[np.float64]]
    miscopied: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Check the machinery exactly, then measure the organisms on held-out products.

    Args:
        quick: the shipped organisms (training seed 0) only. The full run also trains them with two other seeds, minutes each.
        seed: of the problems.
        out: a folder for the figure, accuracy against tokens; none is drawn without it.
    """
    sets = problem_sets(seed)
    shipped = {name: load(f"organism:{name}") for name in MODELS}
    runs = {name: measured(shipped, task) for name, task in sets.items()}
    if not quick:
        for other in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                models = trained(other, Path(folder))
                runs |= {f"trained with seed {other}, {name}": measured(models, task) for name, task in sets.items()}
    checks = exact_checks(shipped["products"], seed)
    for name, found in runs.items():
        checks += [*premise_checks(name, found), *claim_checks(name, found)]
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        verdict="does not reproduce" if any(map(fails, runs.values())) else None,
        untested=UNTESTED,
        tables=tuple(accuracy_table(name, found) for name, found in runs.items()),
        figures=() if out is None else (figure(runs[NEW], out),),
        notes=NOTES,
    )


def problem_sets(seed: int, n: int = 500) -> dict[str, Task]:
    """Products that no organism was ever trained on: n of them, most of two factors above 9; and all those with a factor below 10 with as
    many others, the mix of the organisms' documents."""
    every = load_task(f"products:n={products.count(True)}", seed=seed)
    small = [p for p in every.problems if int(p.id.split("x")[1]) < 10]
    others = [p for p in every.problems if p not in small][: len(small)]
    return {NEW: replace(every, problems=every.problems[:n]), BALANCED: replace(every, problems=(*small, *others))}


def trained(seed: int, folder: Path) -> dict[str, LM]:
    """The organisms, trained with another seed."""
    recipes = need("ponder.train.recipes", "torch")
    files = need("ponder.train.products", "torch").make(recipes.Made("products", folder, seed, quiet=True))
    return {path.stem: load(f"organism:{path}") for path in files}


def measured(models: Mapping[str, LM], task: Task) -> dict[str, Measured]:
    """All settings on all problems of a task."""
    found: dict[str, Measured] = {}
    for name, (model, hints, rounds) in SETTINGS.items():
        drawn: Sequence[list[Trajectory]] = streams(models[model], task.problems, leading(hints, rounds), GREEDY, 1, 0)
        columns: list[tuple[float, ...]] = []
        for problem, (stream,) in zip(task.problems, drawn, strict=True):
            solved = right(task, problem, stream)
            found_out = last_result(stream, MARKUPS["brackets"].output) == task.gold(problem)
            columns.append((solved, stream.tokens, stream.calls > 0, found_out and not solved))
        found[name] = Measured(*np.array(columns, dtype=np.float64).T)
    return found


def premise_checks(name: str, found: Mapping[str, Measured]) -> list[Check]:
    """The card's premises: without them the organism is wrong, not the method."""
    base, hint = found["base"], found["base, hint R=1"]
    used, after = float(base.called.mean()), float(hint.called.mean())
    return [
        Check(f"{name}: premise, base uses the tool by itself", used, "below .03", used < 0.03, False),
        Check(f"{name}: premise, base accuracy", base.accuracy, ".30 to .60", 0.3 <= base.accuracy <= 0.6, False),
        Check(f"{name}: premise, base uses the tool after a hint", after, "above .80", after > 0.8, False),
    ]


def claim_checks(name: str, found: Mapping[str, Measured]) -> list[Check]:
    """The gates, set before the first run (card 57)."""
    one, placebo = difference(found, "base, hint R=1", "base"), difference(found, "base, placebo hint", "base")
    rounds = [found[f"base, hint R={r}"].accuracy for r in (1, 2, 3)]
    gain, more = difference(found, "START", "RFT without tools"), difference(found, "START, hint R=1", "START")
    used = float(found["START"].called.mean())
    shown = " ".join(f"{x:.3f}" for x in rounds)
    return [
        Check(f"{name}: hint R=1 less base", str(one), "above .10", one.value > 0.1),
        Check(f"{name}: accuracy with R = 1, 2, 3", shown, "R=3 not below R=1", rounds[2] >= rounds[0]),
        Check(
            f"{name}: gain of the placebo", str(placebo), f"below half of the hint's, {one.value / 2:.3f}", placebo.value < one.value / 2
        ),
        Check(f"{name}: START less RFT without tools", str(gain), "at least .15", gain.value >= 0.15),
        Check(f"{name}: START uses the tool by itself", used, "above .80", used > 0.8),
        Check(f"{name}: hint on START", str(more), "below +.03", more.value < 0.03),
    ]


def fails(found: Mapping[str, Measured]) -> bool:
    """Whether the claim fails outright, as the card has it: START is less than .15 above training without tools, a hint gains at most .10,
    or accuracy falls from one round of hints to three."""
    one, three = found["base, hint R=1"].accuracy, found["base, hint R=3"].accuracy
    return found["START"].accuracy - found["RFT without tools"].accuracy < 0.15 or one - found["base"].accuracy <= 0.1 or three < one


def difference(found: Mapping[str, Measured], a: str, b: str) -> Interval:
    """Accuracy of one setting less another's, on the same problems."""
    return paired_bootstrap(found[a].right, found[b].right)


def accuracy_table(name: str, found: Mapping[str, Measured]) -> Table:
    """Accuracy with its interval, tokens a problem, and use of the tool."""
    rows = [
        (setting, str(bootstrap(m.right)), *(float(x.mean()) for x in (m.tokens, m.called, m.miscopied))) for setting, m in found.items()
    ]
    return Table(
        f"{name}: {len(found['base'].right)} problems",
        ("setting", "accuracy", "tokens", "uses the tool", "right result, wrong answer"),
        tuple(rows),
    )


def figure(found: Mapping[str, Measured], out: Path) -> Path:
    """Accuracy against the tokens that a problem costs: hints make streams longer."""
    points: list[Point] = []
    for name, m in found.items():
        interval = bootstrap(m.right)
        points.append(Point(name, float(m.tokens.mean()), interval.value, interval.low, interval.high))
    return accuracy_against_tokens(points, out / "accuracy", "Products in the head and with a tool")[1]
